"""The published files as lines that `sha256sum -c` checks, in the output directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from datafetch.errors import Damaged
from datafetch.layout import manifest
from datafetch.store.home import Home


def sums(home: Home, hint: str, go_on: Callable[[], None] = lambda: None) -> Iterator[bytes]:
    """A line for each file, sorted by the bytes of its path; read as they are asked for, and never held.

    Raises Damaged, with this hint, when nothing is published; what `go_on` raises.
    """
    line = None
    for line in manifest.with_seals(home.manifest, ()):
        go_on()
        yield sum_line(line.sha256, line.path)
    if line is None:
        raise Damaged(f"{home.dataset} is not in {home.root}", hint)


def sum_line(sha256: str, path: str) -> bytes:
    """As coreutils writes it: a name with a backslash or an end of line is escaped, and its line begins with one."""
    escaped = path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == path else chr(92)}{sha256}  {escaped}\n".encode("utf-8", "surrogateescape")
