"""When two names are one: folding of letter case and Unicode form."""

from __future__ import annotations

import unicodedata


def fold(name: str) -> str:
    """The name as a file system would see it that ignores case and Unicode normal form."""
    if name.isascii():
        return name.lower()
    # Folding can leave a string that is no longer NFC, hence the second pass.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
