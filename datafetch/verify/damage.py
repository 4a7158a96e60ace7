"""What is wrong and does not show in names and sizes: remembered, so that the next `get` mends it too."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from datafetch.store import inventory
from datafetch.store.files import atomic_file, remove_tree
from datafetch.store.home import Home


def write_damaged(home: Home, paths: Iterable[str]) -> None:
    """Remember these published paths, and no others; written as they come."""
    each = iter(paths)
    first = next(each, None)
    if first is None:
        remove_tree(home.damaged)
        return
    encode = msgspec.json.encode
    with atomic_file(home.damaged) as file:
        file.write(b"[" + encode(first))
        for path in each:
            file.write(b"," + encode(path))
        file.write(b"]")


def add_damaged(home: Home, paths: Iterable[str]) -> None:
    """Remember these published paths besides those that are known."""
    if more := set(paths) - (known := inventory.damaged(home)):
        write_damaged(home, sorted(known | more))
