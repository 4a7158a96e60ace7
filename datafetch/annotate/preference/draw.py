"""Which users of a table too large to hold in memory, and the rows of the items that they touch.

Users are put in the order of a keyed digest of their id, and the first so many are taken: the same on every machine
and whatever the order of the rows, in the memory of those that are taken. Which users the benchmark drew is unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from hashlib import blake2b
from heapq import heappush, heapreplace

from datafetch.annotate.preference.raw import items_of, text


def draw(lines: Iterable[bytes], count: int, least: int, seed: str, seen: Counter[str]) -> dict[str, str]:
    """User -> row of `count` users who have a row of at least `least` items, by the order of their ids.

    Of several such rows the last counts. `seen` counts the rows, and those that are left out by reason.
    """
    key, below = seed.encode()[:64], least - 1
    rows: dict[bytes, bytes] = {}
    ranked: list[tuple[bytes, bytes]] = []  # a heap, the last of those that are taken first
    worst = b"\xff" * 17
    total = short = broken = 0
    for line in lines:
        total += 1
        end = line.find(b",")
        if line.count(b";") < below or end < 0:  # counted before anything is taken apart: rows are a KiB long
            if end >= 0:
                short += 1
            elif line.strip():
                broken += 1
            else:
                total -= 1
            continue
        user = line[:end].strip()
        taken = user in rows
        rank = b"" if taken else blake2b(user, digest_size=16, key=key).digest()
        if not taken and rank >= worst:
            continue
        rest = line[end + 1 :]
        if not user or len(items_of(text(rest))) < least:
            short += 1
            continue
        rows[user] = rest
        if taken:
            continue
        entry = (_turned(rank), user)
        if len(rows) <= count:
            heappush(ranked, entry)
        else:
            del rows[heapreplace(ranked, entry)[1]]
        if len(rows) == count:
            worst = _turned(ranked[0][0])
    seen["rows"] += total
    seen[f"row of fewer than {least} items"] += short
    seen["row without a user and items"] += broken
    return {text(user): f"{text(user)},{text(rows[user])}" for user in sorted(rows)}


def _turned(rank: bytes) -> bytes:
    """The same order, backwards."""
    return bytes(255 - byte for byte in rank)


def named(lines: Iterable[bytes], users: Collection[str], least: int, seen: Counter[str]) -> dict[str, str]:
    """User -> row of these users, in their order; of several rows of one the last counts."""
    wanted = {user.encode(): user for user in users}
    rows: dict[str, str] = {}
    for line in lines:
        seen["rows"] += 1
        user, comma, rest = line.partition(b",")
        name = wanted.get(user.strip())
        if name is None or not comma:
            continue
        said = text(rest)
        if len(items_of(said)) < least:
            seen[f"row of fewer than {least} items"] += 1
        else:
            rows[name] = f"{name},{said}"
    return {user: rows[user] for user in users if user in rows}


def items(
    lines: Iterable[bytes], wanted: Collection[str], seen: Counter[str]
) -> list[tuple[str, str, str, str]]:
    """The rows `item,category,address,title` of these items in the order of the table; a title may hold commas."""
    left = {item.encode() for item in wanted}
    found = []
    known: set[bytes] = set()
    total = 0
    for line in lines:
        total += 1
        item = line[: line.find(b",")].strip()
        if item not in left:
            continue
        cells = text(line).split(",", 3)
        if item in known:
            seen["item that stands twice"] += 1
        elif len(cells) < 3:
            seen["item without an address"] += 1
        else:
            known.add(item)
            name, category, address, *title = (cell.strip() for cell in cells)
            found.append((name, category, address, title[0] if title else ""))
    seen["item rows"] += total
    seen["item that the table of items lacks"] += len(left) - len(known)
    return found
