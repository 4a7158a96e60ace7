"""Whether a bundle is the one that was exported: every file against SHA256SUMS. Blocks; reads only."""

from __future__ import annotations

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from datafetch.bundle.names import BROUGHT, DOCUMENT, RECIPES, SUMS
from datafetch.bundle.sums import Pair, Sums, pairs
from datafetch.errors import Damaged, UsageError
from datafetch.model import Event
from datafetch.store.files import Tree
from datafetch.store.home import Home

_CHUNK = 1 << 20
_CUT_OFF = "an export into it has not ended: run that again, then this"
_SHOWN = 20  # files that an error names
_AHEAD = 64  # files that wait for a thread
_EVERY = 0.2  # seconds between two events


def prove(where: Path, emit: Callable[[Event], None]) -> None:
    """Reads every file of a bundle. Raises UsageError for a folder that is no bundle, or not a whole one yet, and
    Damaged with the files that are not as they were exported.
    """
    refuse_unfinished(where)
    with (where / SUMS).open("rb") as file:
        total = sum(1 for _ in file)
    wrong = [*_wrong(where, total, emit), *_unlisted(where)]
    if wrong:
        more = f"\n… and {len(wrong) - _SHOWN:,} more" if len(wrong) > _SHOWN else ""
        raise Damaged(
            f"{where}: the bundle is damaged: " + "\n".join(wrong[:_SHOWN]) + more,
            _CUT_OFF if is_under_way(where) else "bring these files again, or the whole bundle",
        )


def is_under_way(where: Path) -> bool:
    """Whether an export into it was cut off, or is at work now: then MISSING and bundle.json may be ahead."""
    return Home(where, "bundle").lease.parent.exists()


def refuse_unfinished(where: Path) -> None:
    """UsageError for a folder that no export has finished."""
    if not where.is_dir():
        raise UsageError(f"{where}: there is no such folder", "name the folder of a bundle")
    with Sums(where / SUMS) as sums:
        if not sums.find(DOCUMENT):
            raise UsageError(
                f"{where} is no bundle, or its export has not ended",
                f"run the same export again to go on: datafetch bundle export NAME -o {where}",
            )


def _wrong(where: Path, total: int, emit: Callable[[Event], None]) -> Iterator[str]:
    """What is the matter with each file that is not as it should be, in the order of SHA256SUMS."""
    workers = min(4, os.cpu_count() or 1)  # one disk feeds no more
    under_way: deque[Future[str]] = deque()
    told = time.monotonic()
    with ThreadPoolExecutor(workers, "prove") as pool:
        try:
            for done, pair in enumerate(pairs(where / SUMS)):
                under_way.append(pool.submit(_fault, where, pair))
                while len(under_way) > _AHEAD:
                    if fault := under_way.popleft().result():
                        yield fault
                if time.monotonic() - told > _EVERY:
                    told = time.monotonic()
                    emit(Event("verifying", "", done=max(0, done - len(under_way)), total=total))
            while under_way:
                if fault := under_way.popleft().result():
                    yield fault
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _fault(where: Path, pair: Pair) -> str:
    name, expected = pair
    try:
        with Tree(where) as tree, open(tree.read(name), "rb", buffering=0) as file:
            digest = hashlib.sha256()
            while data := file.read(_CHUNK):
                digest.update(data)
    except FileNotFoundError:
        return f"{name} is missing"
    except (OSError, ValueError) as error:
        return f"{name} cannot be read: {getattr(error, 'strerror', None) or error}"
    found = digest.hexdigest()
    return "" if found == expected else f"{name}: sha256 {found[:12]}…, expected {expected[:12]}…"


def _unlisted(where: Path) -> Iterator[str]:
    """Files that a run would take for its own, and that nobody vouches for."""
    with Sums(where / SUMS) as sums:
        for top in (RECIPES, BROUGHT):
            for folder, _, names in os.walk(where / top):
                for name in sorted(names):
                    path = os.path.relpath(os.path.join(folder, name), where)
                    if not sums.find(path):
                        yield f"{path} does not belong to it"
