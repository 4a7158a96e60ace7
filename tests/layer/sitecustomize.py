"""Found by a process that is started with this folder on its path: the layer is there before its first line."""

import os

if os.environ.get("DISK_LAYER"):
    import disklayer

    disklayer.from_environment()
