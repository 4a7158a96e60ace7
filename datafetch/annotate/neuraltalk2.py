"""neuraltalk2: caption files of COCO as the one list of pictures that NeuralTalk2 reads."""

from __future__ import annotations

import mmap
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from datafetch.annotate.made import Made
from datafetch.errors import BadList


@dataclass(frozen=True, slots=True)
class Source:
    """A caption file, and the folder of the pictures it speaks of."""

    name: str
    data: bytes | mmap.mmap
    pictures: str


class _Picture(msgspec.Struct, frozen=True, gc=False):
    id: int
    file_name: str


class _Caption(msgspec.Struct, frozen=True, gc=False):
    image_id: int
    caption: str


class _Captions(msgspec.Struct, frozen=True):
    images: list[_Picture]
    annotations: list[_Caption]


class _Record(msgspec.Struct, frozen=True):
    captions: list[str]
    file_path: str
    id: int


def neuraltalk2(sources: Sequence[Source], files: Collection[str]) -> Made:
    """A record for each picture in `files` that has a caption: the documents in the order given, pictures and
    captions in the order of their document, captions as they are spelled.

    Captions belong to a picture by its id, whichever of the documents holds them. Of two pictures with one id the
    first counts, for NeuralTalk2 knows them by it. BadList for what is no caption file.
    """
    read = [_read(source) for source in sources]
    captions: dict[int, list[str]] = {}
    for document in read:
        for each in document.annotations:
            captions.setdefault(each.image_id, []).append(each.caption)
    kept: dict[int, str] = {}
    notes: list[str] = []
    for source, document in zip(sources, read, strict=True):
        twice = silent = absent = 0
        for picture in document.images:
            path = f"{source.pictures}/{picture.file_name}"
            if picture.id in kept:
                twice += 1
            elif path not in files:
                absent += 1
            elif picture.id not in captions:
                silent += 1
            else:
                kept[picture.id] = path
        said = (
            (absent, f"pictures of {source.name} are not here, and are left out"),
            (silent, f"pictures of {source.name} have no caption, and are left out"),
            (twice, f"pictures of {source.name} have an id that came before, and are left out"),
        )
        notes += [f"{number:,} {text}" for number, text in said if number]
    known = {picture.id for document in read for picture in document.images}
    if lost := sum(len(each) for id, each in captions.items() if id not in known):
        notes.append(f"{lost:,} captions are of no picture")
    return Made(_records(kept, captions), len(kept), tuple(notes))


def _records(kept: dict[int, str], captions: dict[int, list[str]]) -> Iterator[bytes]:
    encode = msgspec.json.Encoder().encode
    for id, path in kept.items():
        yield encode(_Record(captions[id], path, id))


def _read(source: Source) -> _Captions:
    try:
        return msgspec.json.decode(source.data, type=_Captions)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadList(f"{source.name} is no caption file of COCO: {error}") from error
