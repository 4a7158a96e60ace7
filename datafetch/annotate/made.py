"""What a maker gives: a document in pieces, and what a person should know of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Made:
    records: Iterator[bytes]  # JSON, made one at a time: a document may hold a million
    count: int  # of the records
    notes: tuple[str, ...]
