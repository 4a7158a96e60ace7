"""Pictures of an archive that do not decode: left out of its tree, and written down for the list that mends them."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import msgspec

from datafetch.archive.staging import Extracted
from datafetch.errors import Interrupted
from datafetch.images.check import Checked, Limits, check_file
from datafetch.layout.patterns import IMAGES
from datafetch.model import Event, FileRecord, Why
from datafetch.store.faults import user_errors
from datafetch.store.files import remove_tree, sync_dir, write_atomic
from datafetch.store.home import Home

LIMITS = Limits(max_bytes=1 << 30)  # the archive has passed its own limits: only a decode counts
_AHEAD = 4  # pictures waiting for each thread: enough to keep it busy, few enough to keep memory flat
_TELL_EVERY = 0.2  # seconds


def weed(
    extracted: Extracted,
    name: str,
    home: Home,
    tell: Callable[[Event], None],
    stop: Callable[[], bool],
    before: Sequence[str] = (),
) -> Extracted:
    """What was extracted without the pictures that do not decode, whose files are removed; the others know their
    width and height. Durable when this returns. Raises Interrupted once `stop` turns true.

    `before` are the members that an earlier run found so, of an archive of which more is extracted now.
    """
    staging = home.staging(name)
    kept: list[FileRecord] = []
    bad: list[tuple[FileRecord, Why]] = []
    for record, found in _told(
        _checked(extracted.records, staging, stop), len(extracted.records), name, tell
    ):
        if isinstance(found, Why):
            bad.append((record, found))
        elif found is None:
            kept.append(record)
        else:
            kept.append(replace(record, width=found.width, height=found.height))
    for record, why in bad:
        remove_tree(staging / record.path)
        sync_dir((staging / record.path).parent)
        tell(Event("note", name, text=f"{name}: {record.member} does not decode ({why}), and is left out"))
    # New ones last: a row keeps its number, by which it is known what became of it.
    found_bad = list(dict.fromkeys((*before, *(record.member for record, _ in bad))))
    if found_bad:
        write_atomic(home.undecodable(name), msgspec.json.encode(found_bad))
    else:
        remove_tree(home.undecodable(name))
    return replace(extracted, records=tuple(kept))


def _checked(
    records: Sequence[FileRecord], staging: Path, stop: Callable[[], bool]
) -> Iterator[tuple[FileRecord, Checked | Why | None]]:
    """Each record with what a full decode says, in their order; None for what is no picture by its name.

    Pillow decodes without the lock of the interpreter, so that threads use every core.
    """
    cores = os.cpu_count() or 1
    ahead: deque[tuple[FileRecord, Future[Checked | Why] | None]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        for record in records:
            if stop():
                raise Interrupted("stopped while decoding", hint="run the same command again to go on")
            is_picture = record.path.lower().endswith(IMAGES)
            ahead.append((record, pool.submit(_check, staging / record.path) if is_picture else None))
            if len(ahead) > cores * _AHEAD:
                first, future = ahead.popleft()
                yield first, future.result() if future else None
        for first, future in ahead:
            yield first, future.result() if future else None


def _check(path: Path) -> Checked | Why:
    with user_errors(path):
        return check_file(path, LIMITS)


def _told(
    checked: Iterator[tuple[FileRecord, Checked | Why | None]],
    total: int,
    name: str,
    tell: Callable[[Event], None],
) -> Iterator[tuple[FileRecord, Checked | Why | None]]:
    last = time.monotonic()
    for done, each in enumerate(checked, 1):
        yield each
        if time.monotonic() - last >= _TELL_EVERY:
            last = time.monotonic()
            tell(Event("verifying", name, done=done, total=total))
