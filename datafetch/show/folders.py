"""The files of a dataset told apart by set, split and class, as their paths say: pure, and bounded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappush, heapreplace

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".avif", ".jp2")
SPLITS = ("train", "val", "validation", "test", "test_dense", "query", "gallery")
MASKS = "_masks"
OTHERS = "all others"
COUNTED = 20_000  # folders told apart; all others are counted together
PICKED = 8  # files remembered of a folder
DOCUMENTS = 12  # named


@dataclass(slots=True)
class Strip:
    """The pictures of one class in one part, and a few of them: the same few on every machine."""

    part: str  # "pods/train": a built folder, and the split in it where there are splits
    name: str  # of the class; "" where pictures lie in no folder of their own
    files: int = 0
    size: int = 0
    masks: int = 0
    _picks: list[tuple[int, str]] = field(default_factory=list)

    def add(self, path: str, size: int, rank: int) -> None:
        self.files += 1
        self.size += size
        if len(self._picks) < PICKED:
            heappush(self._picks, (rank, path))
        elif rank > self._picks[0][0]:
            heapreplace(self._picks, (rank, path))

    @property
    def picks(self) -> list[str]:
        return [path for _, path in sorted(self._picks, reverse=True)]


@dataclass(frozen=True, slots=True)
class Part:
    """A split of a built folder, or a whole folder without splits."""

    name: str
    files: int
    size: int
    masks: int
    counts: tuple[int, ...]  # pictures of each class, the most first


def rank(sha256: str) -> int:
    """What decides which files are shown: by digest, as good as chance, but the same everywhere."""
    try:
        return -int(sha256[:12], 16)
    except ValueError:
        return 0


def is_image(path: str) -> bool:
    return path[-5:].lower().endswith(IMAGES)


def placed(folder: str, split_folders: Collection[str]) -> tuple[str, str]:
    """(part, class) of the pictures in a folder. In `split_folders` each folder is a split, whatever its name."""
    names = folder.split("/")
    for at in (1, 2):
        if at < len(names) and _split(names[at].removesuffix(MASKS)) in SPLITS:
            return "/".join(names[: at + 1]), "/".join(names[at + 1 :])
    cut = 2 if names[0] in split_folders else 1
    return "/".join(names[:cut]), "/".join(names[cut:])


def _split(name: str) -> str:
    """The split that a folder holds, also where a year follows: train2014."""
    return name.rstrip("0123456789")


def mask_names(part: str, name: str) -> Iterator[str]:
    """What the mask of a picture may be called: as the loaders look for it, by stem for train, else by file name."""
    yield name
    if part.endswith("/train"):
        stem = name.rpartition(".")[0]
        for ending in IMAGES:
            for form in (ending, ending.upper()):
                if stem + form != name:
                    yield stem + form


class Folders:
    """Takes every file once; what it remembers depends on the number of folders, up to COUNTED, not of files."""

    def __init__(self, split_folders: Collection[str] = ()) -> None:
        self._split_folders = split_folders
        self._strips: dict[tuple[str, str], Strip] = {}
        self._last: tuple[str, Strip] = ("/", Strip("", ""))
        self.bytes = 0
        self.documents: list[tuple[str, int]] = []  # the first few
        self.other_files = 0

    def add(self, path: str, size: int, order: int) -> bool:
        """Whether it is a picture, by its name, and no mask, by its folder."""
        self.bytes += size
        if not is_image(path):
            self.other_files += 1
            if len(self.documents) < DOCUMENTS:
                self.documents.append((path, size))
            return False
        folder = path.rpartition("/")[0]
        if folder != self._last[0]:  # a manifest is sorted: mostly the folder of the file before
            self._last = folder, self._strip(*placed(folder, self._split_folders))
        self._last[1].add(path, size, order)
        return not self._last[1].part.endswith(MASKS)

    def _strip(self, part: str, name: str) -> Strip:
        if (part, name) not in self._strips and len(self._strips) >= COUNTED:
            part, name = OTHERS, ""
        return self._strips.setdefault((part, name), Strip(part, name))

    def strips(self) -> list[Strip]:
        """Those of pictures, by part and class; masks are counted with what they belong to."""
        found = dict(self._strips)
        parts = {part for part, _ in found}
        for (part, name), strip in self._strips.items():
            base = part.removesuffix(MASKS)
            if base != part and base in parts:
                del found[part, name]
                # Masks of a class without pictures are told of all the same.
                found.setdefault((base, name), Strip(base, name)).masks = strip.files
        return sorted(found.values(), key=lambda strip: (strip.part, strip.name))


def parts_of(strips: Sequence[Strip]) -> tuple[Part, ...]:
    """One for each part, in the order train, validation, test within a folder."""
    by_part: dict[str, list[Strip]] = {}
    for strip in strips:
        by_part.setdefault(strip.part, []).append(strip)
    return tuple(
        Part(
            name,
            sum(strip.files for strip in own),
            sum(strip.size for strip in own),
            sum(strip.masks for strip in own),
            tuple(sorted((strip.files for strip in own), reverse=True)),
        )
        for name, own in sorted(by_part.items(), key=lambda item: part_order(item[0]))
    )


def part_order(part: str) -> tuple[bool, str, int, str]:
    folder, _, below = part.rpartition("/")
    split = _split(below)
    return part == OTHERS, folder or below, SPLITS.index(split) if split in SPLITS else len(SPLITS), below


def spread(names: Sequence[str], most: int) -> list[str]:
    """At most `most` of the names, evenly over all of them, the first among them."""
    if len(names) <= most:
        return list(names)
    return [names[at * len(names) // most] for at in range(most)]
