"""What a run learned of hosts, kept for the next: one small JSON file in the state folder of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from datafetch.store.files import write_atomic
from datafetch.transfer.manners import Learned

EXPIRES = 7 * 86400.0  # seconds: hosts change
MOST = 2000  # hosts, the latest: about 150 KiB
LARGEST = 1 << 20  # bytes of a file that is read


class _Entry(msgspec.Struct, frozen=True):
    places: int
    rate: float | None
    at: float  # Unix time


def load(path: Path, now: float) -> dict[str, Learned]:
    """What is still worth knowing at Unix time `now`; nothing, when there is no such file or it makes no sense."""
    return {host: Learned(entry.places, entry.rate) for host, entry in _entries(path, now).items()}


def save(path: Path, learned: Mapping[str, Learned], now: float) -> None:
    """Write down what was learned, beside what is still good of earlier runs. Raises what `write_atomic` does."""
    entries = _entries(path, now)
    entries |= {host: _Entry(each.places, each.rate, now) for host, each in learned.items()}
    latest = sorted(entries.items(), key=lambda item: item[1].at, reverse=True)[:MOST]
    write_atomic(path, msgspec.json.format(msgspec.json.encode(dict(sorted(latest))), indent=1))


def _entries(path: Path, now: float) -> dict[str, _Entry]:
    try:
        if path.stat().st_size > LARGEST:
            return {}
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, _Entry])
    except (OSError, ValueError):  # it is a hint, never a reason to stop
        return {}
    return {host: entry for host, entry in found.items() if 0 <= now - entry.at < EXPIRES and _sane(entry)}


def _sane(entry: _Entry) -> bool:
    return entry.places >= 1 and (entry.rate is None or entry.rate > 0)
