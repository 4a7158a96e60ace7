"""A few of the bodies that were turned away, kept so that a person can see what the hosts sent."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from datafetch.errors import DatafetchError
from datafetch.model import Why
from datafetch.store.files import write_atomic

OF_EACH = 4  # bodies with the same reason
IN_ALL = 24
LARGEST = 64 << 10  # bytes of a body


@dataclass(frozen=True, slots=True)
class Samples:
    """The bodies of one list. May be used from any thread or process: then a few more may be kept."""

    folder: Path

    def keep(self, why: Why, body: bytes) -> None:
        """Keep a body, if it is small and few like it are kept already. Never fails: it is for show."""
        if not body or len(body) > LARGEST:
            return
        with suppress(DatafetchError, OSError):
            kind = why.replace(" ", "-")
            name = f"{kind}.{hashlib.sha256(body).hexdigest()[:16]}"
            kept = os.listdir(self.folder) if self.folder.is_dir() else []
            alike = sum(each.startswith(f"{kind}.") for each in kept)
            if name not in kept and alike < OF_EACH and len(kept) < IN_ALL:
                write_atomic(self.folder / name, body)

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Reason and body, by reason."""
        with suppress(OSError):
            for path in sorted(self.folder.iterdir()):
                if not path.name.startswith(".") and path.is_file() and not path.is_symlink():
                    yield path.name.partition(".")[0].replace("-", " "), path.read_bytes()[:LARGEST]
