"""What each address of a dataset said at the last look, kept below the output directory."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from datafetch.store import journal
from datafetch.store.files import make_folder, write_apart
from datafetch.store.home import Home
from datafetch.store.journal import Upstream


def load(home: Home) -> dict[str, Upstream]:
    """By the identity of the address; empty when there was no look, or none that can be read."""
    try:
        return msgspec.json.decode(home.probed.read_bytes(), type=dict[str, Upstream])
    except (OSError, msgspec.DecodeError):
        return {}


def save(home: Home, known: Mapping[str, Upstream]) -> None:
    """Raises NoRoom and its like."""
    make_folder(home.probed.parent)
    write_apart(home.probed, msgspec.json.format(msgspec.json.encode(known, order="sorted")) + b"\n")


def when_got(home: Home, file: str, address: str) -> Upstream | None:
    """What an address said when a file that is here was got from it; None when it was not."""
    found = journal.known(home.journal(file)).upstream
    return found if found is not None and found.address == address else None
