"""Which pictures a page shows, and those pictures, small and with their masks: a bounded number, in bounded time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from datafetch.images.thumbnail import bytes_of, masked
from datafetch.show.folders import Strip, mask_names, part_order, spread
from datafetch.store.home import Home

CLASSES = 24  # shown with pictures
ALONE, AMONG = 6, 4  # pictures of a class: in the only part, in each of several
PICTURES = 420  # in all, about
THREADS = 2  # decoding frees the lock; each may hold one large picture

InTime = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture as a small JPEG."""

    name: str
    jpeg: bytes
    mask: str  # what became of its mask; "" in a part without masks


@dataclass(frozen=True, slots=True)
class Row:
    """Some pictures of one class in one part."""

    strip: Strip
    pictures: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Class:
    """The pictures of one class over all parts."""

    name: str
    files: Mapping[str, int]  # by part
    rows: tuple[Row, ...]  # those of the few that are shown

    @property
    def total(self) -> int:
        return sum(self.files.values())


Pictures = Mapping[int, tuple[Shown, ...]]  # by the `id` of their strip


def _chosen(strips: Sequence[Strip]) -> list[tuple[Strip, list[str]]]:
    """What is opened: a few of each part of the classes shown, fewer where there are many parts."""
    classes = set(spread(sorted({strip.name for strip in strips}), CLASSES))
    shown = [strip for strip in strips if strip.name in classes]
    most = ALONE if len({strip.part for strip in strips}) == 1 else AMONG
    each = min(most, max(2, PICTURES // max(len(shown), 1)))
    return [(strip, strip.picks[:each]) for strip in shown[:PICTURES]]


def opened(home: Home, strips: Sequence[Strip], in_time: InTime) -> tuple[Pictures, int]:
    """The pictures of the strips that are shown, and how many were not opened in time."""
    chosen = _chosen(strips)
    work = [(strip, path) for strip, paths in chosen for path in paths]
    late = 0
    found: dict[int, tuple[Shown, ...]] = {id(strip): () for strip, _ in chosen}
    with ThreadPoolExecutor(THREADS) as pool:
        made = pool.map(lambda one: _shown(home, *one) if in_time() else one[1], work)
        for (strip, _), shown in zip(work, made, strict=True):
            late += isinstance(shown, str)
            if isinstance(shown, Shown):
                found[id(strip)] += (shown,)
    return found, late


def _shown(home: Home, strip: Strip, path: str) -> Shown | None:
    """A picture made small, with its mask over it where its part has masks; None for what is none."""
    data = bytes_of(home.root / path)
    if data is None:
        return None
    name = path.rpartition("/")[2]
    mask = _mask(home, strip, path, name) if strip.masks else None
    jpeg, said = masked(data, mask)
    return Shown(name, jpeg, said if strip.masks else "") if jpeg else None


def _mask(home: Home, strip: Strip, path: str, name: str) -> bytes | None:
    below = path[len(strip.part) : len(path) - len(name)]
    beside = home.root / f"{strip.part}_masks{below}"
    return next((data for each in mask_names(strip.part, name) if (data := bytes_of(beside / each))), None)


def classes_of(strips: Sequence[Strip], pictures: Pictures) -> tuple[Class, ...]:
    by_name: dict[str, list[Strip]] = {}
    for strip in strips:
        by_name.setdefault(strip.name, []).append(strip)
    return tuple(
        Class(
            name,
            {strip.part: strip.files for strip in own},
            tuple(
                Row(strip, pictures[id(strip)])
                for strip in sorted(own, key=lambda strip: part_order(strip.part))
                if id(strip) in pictures
            ),
        )
        for name, own in sorted(by_name.items())
    )
