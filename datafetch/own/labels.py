"""What an annotation file says of pictures: their class, split and mask, from a table or a document of COCO's form."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from datafetch.errors import BadList
from datafetch.images.rows import BadRow
from datafetch.images.tables import read_csv, read_tsv

FILE = ("file", "path", "image", "filename", "file_name", "image_path", "name")
LABEL = ("class", "label", "category", "class_name", "category_name")
SPLIT = ("split", "set", "subset", "fold")
MASK = ("mask", "mask_path", "mask_file")


@dataclass(frozen=True, slots=True)
class Outline:
    """One object of COCO's form: `segmentation` as its JSON stands, polygons or run lengths."""

    segmentation: bytes


@dataclass(frozen=True, slots=True)
class Label:
    """What is said of one picture; what is not said is empty."""

    file: str  # as the annotation file spells it
    label: str = ""
    split: str = ""
    mask: str = ""
    outlines: tuple[Outline, ...] = ()  # of the objects of that class
    size: tuple[int, int] = (0, 0)  # width and height of the picture, where outlines need it


@dataclass(slots=True)
class Labels:
    """Every picture that annotation files name, and what in them could not be used, by reason."""

    by_file: dict[str, Label] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    _by_mask: dict[str, list[str]] = field(default_factory=dict)
    _by_end: dict[str, str] = field(
        default_factory=dict
    )  # an end of a name -> the name; "" where it ends several

    def masks(self, path: str) -> list[str]:
        """The names of the pictures whose mask this path is, as far as names tell: by the whole or an end of it."""
        if not self._by_mask:
            for key, label in self.by_file.items():
                if label.mask:
                    self._by_mask.setdefault(label.mask, []).append(key)
        while path not in self._by_mask:
            _, slash, path = path.partition("/")
            if not slash:
                return []
        return self._by_mask[path]

    def find(self, path: str) -> str | None:
        """The name under which a picture is spoken of: the whole path, or the longest end of it; else the one name
        that ends in the whole path, where annotations name folders above the pictures.
        """
        whole = path
        while path not in self.by_file:
            _, slash, path = path.partition("/")
            if not slash:
                return self._ends().get(whole) or None
        return path

    def _ends(self) -> dict[str, str]:
        if not self._by_end:
            for name in self.by_file:
                end = name
                while "/" in end:
                    end = end.partition("/")[2]
                    self._by_end[end] = "" if end in self._by_end else name
        return self._by_end


def read_labels(file: Path) -> Labels:
    """COCO's form for `.json`, a table with a head else: comma separated, or by tabs for `.tsv`.

    A table names its columns: file, and any of class, split, mask (or a word that means it). Raises BadList, with
    what was expected, for a file that is neither.
    """
    return _read_coco(file) if file.suffix.lower() == ".json" else _read_table(file)


# --- Tables -------------------------------------------------------------------------------------------------


def _read_table(file: Path) -> Labels:
    labels = Labels()
    columns: tuple[str, ...] | None = None
    for row in (read_tsv if file.suffix.lower() == ".tsv" else read_csv)(file):
        if isinstance(row, BadRow):
            labels.dropped["row that cannot be read"] += 1
            labels.notes.append(f"{file.name}: row {row.number}: {row.reason}")
            continue
        if columns is None:
            columns = _columns(file, list(row.fields))
        path, label, split, mask = (row.fields[name].strip() if name else "" for name in columns)
        path, mask = (one.replace("\\", "/").removeprefix("./") for one in (path, mask))
        if not path:
            labels.dropped["row without a file"] += 1
        elif labels.by_file.setdefault(path, one := Label(path, label, split, mask)) != one:
            labels.dropped["row that says otherwise of the same file"] += 1
            labels.notes.append(f"{file.name}: row {row.number}: {path} was said to be something else before")
    if columns is None and not labels.dropped:
        raise BadList(f"{file.name}: the table names no picture")
    return labels


def _columns(file: Path, head: Sequence[str]) -> tuple[str, ...]:
    by_word = {name.strip().lower(): name for name in reversed(head)}
    found = tuple(
        next((by_word[word] for word in words if word in by_word), "") for words in (FILE, LABEL, SPLIT, MASK)
    )
    if not found[0] or not any(found[1:]):
        raise BadList(
            f"{file.name}: a column file and one of class, split, mask were expected, found {', '.join(head)}",
            "its first line names the columns, cut by commas (by tabs in .tsv): file,class",
        )
    return found


# --- COCO's form --------------------------------------------------------------------------------------------


NO_OUTLINE = (b"", b"null", b"[]", b"[[]]", b"{}")


class _Image(msgspec.Struct):
    id: int | str
    file_name: str
    width: int = 0
    height: int = 0


class _Category(msgspec.Struct):
    id: int | str
    name: str


class _Annotation(msgspec.Struct):
    image_id: int | str
    category_id: int | str
    segmentation: msgspec.Raw = msgspec.Raw()
    area: float = 0.0


class _Coco(msgspec.Struct):
    images: list[_Image]
    categories: list[_Category]
    annotations: list[_Annotation]


def _read_coco(file: Path) -> Labels:
    """A picture is of the category that covers most of it, by `area`; of two alike, the one named first in the
    document. Its outlines are those of that category.
    """
    try:
        coco = msgspec.json.decode(file.read_bytes(), type=_Coco)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadList(
            f"{file.name}: not COCO's form (images, categories, annotations): {error}",
            "https://cocodataset.org/#format-data describes it",
        ) from None
    labels = Labels()
    names = {category.id: category.name for category in coco.categories}
    order = {category.id: place for place, category in enumerate(coco.categories)}
    of_image: dict[int | str, list[_Annotation]] = defaultdict(list)
    images = {image.id for image in coco.images}
    for one in coco.annotations:
        if one.category_id not in names:
            labels.dropped["annotation of a category that is not there"] += 1
        elif one.image_id not in images:
            labels.dropped["annotation of a picture that is not there"] += 1
        else:
            of_image[one.image_id].append(one)
    mixed = 0
    for image in coco.images:
        found = of_image.get(image.id, [])
        path = image.file_name.replace("\\", "/")
        if not found:
            labels.by_file.setdefault(path, Label(path))
            continue
        areas: Counter[int | str] = Counter()
        for one in found:
            areas[one.category_id] += one.area  # type: ignore[assignment]
        mixed += len(areas) > 1
        best = min(areas, key=lambda key: (-areas[key], order[key]))
        outlines = tuple(
            Outline(b"" if (raw := bytes(one.segmentation)) in NO_OUTLINE else raw)
            for one in found
            if one.category_id == best
        )
        label = Label(path, names[best], outlines=outlines, size=(image.width, image.height))
        if labels.by_file.setdefault(path, label) is not label:
            labels.dropped["picture that is named twice"] += 1
    if mixed:
        labels.notes.append(
            f"{file.name}: {mixed} pictures show several categories; each stands under the one that covers most of it"
        )
    return labels


def joined(several: Iterable[Labels]) -> Labels:
    """All that is said in any of them; of one picture, what the first that says it says."""
    whole = Labels()
    for labels in several:
        whole.dropped.update(labels.dropped)
        whole.notes += labels.notes
        for path, label in labels.by_file.items():
            before = whole.by_file.get(path)
            whole.by_file[path] = label if before is None else _both(before, label)
    return whole


def _both(first: Label, second: Label) -> Label:
    return replace(
        first,
        label=first.label or second.label,
        split=first.split or second.split,
        mask=first.mask or second.mask,
        outlines=first.outlines or second.outlines,
        size=first.size if first.outlines else second.size,
    )


def unused(labels: Mapping[str, Label], used: Iterable[str]) -> Iterator[str]:
    """The names of pictures that are spoken of and not here, in order."""
    yield from sorted(set(labels).difference(used))
