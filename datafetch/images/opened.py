"""A list file opened for reading, unpacked on the way where it is gzip."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from datafetch.errors import BadList

_GZIP = b"\x1f\x8b"


def opened(path: Path) -> BinaryIO:
    """The bytes of a list; whoever reads them does so inside `faults`."""
    file = path.open("rb")
    is_packed = file.read(2) == _GZIP
    file.seek(0)
    return cast(BinaryIO, gzip.GzipFile(fileobj=file)) if is_packed else file


@contextmanager
def faults(name: str) -> Iterator[None]:
    """Turns what a damaged or absent file raises into BadList."""
    try:
        yield
    except (EOFError, zlib.error) as error:
        raise BadList(f"{name}: damaged gzip: {error}") from error
    except OSError as error:
        raise BadList(f"{name}: {error.strerror or error}") from error
