"""A few kilobytes that tell which rows of a list have another file than when it was locked, of a million; pure.

Tables of set reconciliation (invertible Bloom lookup tables, "What's the Difference?", SIGCOMM 2011). A row and its
SHA-256 are one number, added by XOR to four cells of a table. The table of what was locked XOR that of what is here
now holds only what differs: a cell with one number in it says so by its check, is read, and taken out of the others.

A table tells about 25 changed rows. Where more have changed, the next one, which holds a quarter of the rows, names
some and tells about how many there are. So a lock file holds a table for a small list, and nine for a million rows.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from datafetch.errors import UsageError

_ARMS = 4  # cells that hold a row
_MOST, _LEAST = 24, 6  # cells for each arm
_FEW = 16  # rows in the smallest table, at most
_SHARE = 4  # of the rows of a table that the next one does not leave out: one in so many
_ROW, _SHA, _CHECK = 4, 32, 4  # bytes
_CELL = _ROW + _SHA + _CHECK

File = tuple[int, str]  # row and SHA-256


@dataclass(frozen=True, slots=True)
class Differing:
    """The files that are in one of two sets alone."""

    files: frozenset[File]
    one_in: int  # 1: all of them; else those of every so manieth row, about


def sketch(count: int, files: Iterable[File]) -> tuple[str, ...]:
    """As many tables as `count` files want, that of all rows first."""
    arm = min(_MOST, _LEAST + count)
    tables = 1
    while count // _SHARE ** (tables - 1) > _FEW:
        tables += 1
    return tuple(base64.b64encode(_bytes(table)).decode() for table in _filled(files, arm, tables))


def differing(locked: Sequence[str], files: Iterable[File]) -> Differing | None:
    """How `files` differ from those of a sketch; None where it does not tell. Raises UsageError for what is none."""
    if not locked:
        return None
    before = [_cells(text) for text in locked]
    now = _filled(files, len(before[0]) // _ARMS, len(before))
    if {len(table) for table in before} != {len(before[0])}:
        raise _broken()
    for level, (old, new) in enumerate(zip(before, now, strict=True)):
        found = _peeled([a ^ b for a, b in zip(old, new, strict=True)])
        if found is not None:
            return Differing(frozenset(found), _SHARE**level)
    return None


def _filled(files: Iterable[File], arm: int, count: int) -> list[list[int]]:
    tables = [[0] * (arm * _ARMS) for _ in range(count)]
    for row, sha256 in files:
        number, places = _number(row, bytes.fromhex(sha256), arm)
        for table in tables[: _levels(row, count)]:
            for place in places:
                table[place] ^= number
    return tables


def _number(row: int, sha: bytes, arm: int) -> tuple[int, list[int]]:
    """A row as what a cell holds, and its cells: one of each arm."""
    said = row.to_bytes(_ROW) + sha
    mixed = hashlib.blake2b(said, digest_size=_CHECK + 4 * _ARMS).digest()
    places = [
        arm * at + int.from_bytes(mixed[_CHECK + 4 * at : _CHECK + 4 * at + 4]) % arm for at in range(_ARMS)
    ]
    return int.from_bytes(said + mixed[:_CHECK]), places


def _levels(row: int, count: int) -> int:
    """In how many of the tables a row is; it is the same whatever its file is."""
    mixed = row * 0x9E3779B97F4A7C15 >> 24 & 0xFFFFFFFF
    level = 1
    while level < count and not mixed % _SHARE:
        mixed //= _SHARE
        level += 1
    return level


def _peeled(cells: list[int]) -> list[File] | None:
    """All that is in a table; None when its rows lie too close to be told apart."""
    arm = len(cells) // _ARMS
    found: list[File] = []
    waiting = list(range(len(cells)))
    while waiting and len(found) <= len(cells):
        number = cells[waiting.pop()]
        if not number:
            continue
        said = number.to_bytes(_CELL)
        row, sha = int.from_bytes(said[:_ROW]), said[_ROW : _ROW + _SHA]
        single, places = _number(row, sha, arm)
        if single != number:
            continue
        found.append((row, sha.hex()))
        for place in places:
            cells[place] ^= number
        waiting += places
    return None if any(cells) else found


def _bytes(table: list[int]) -> bytes:
    return b"".join(cell.to_bytes(_CELL) for cell in table)


def _cells(text: str) -> list[int]:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or len(data) % (_CELL * _ARMS) or len(data) > _CELL * _ARMS * _MOST:
        raise _broken()
    return [int.from_bytes(data[at : at + _CELL]) for at in range(0, len(data), _CELL)]


def _broken() -> UsageError:
    return UsageError("a lock file with a sketch that is none", "datafetch lock NAME writes it anew")
