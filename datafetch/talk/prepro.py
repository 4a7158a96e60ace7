"""A document of captions to the two files that NeuralTalk2 trains on: cocotalk.json and cocotalk.h5."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from datafetch.errors import BadList, NoRoom
from datafetch.model import Event, Prepro
from datafetch.store.files import atomic_file, atomic_path
from datafetch.store.room import free_space
from datafetch.talk import hdf5
from datafetch.talk.records import Record, Records
from datafetch.talk.words import Corpus, Vocabulary, shuffled, split_of, tokens

_TELL_EVERY = 0.2  # seconds
_AT_ONCE = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was made, and of how much."""

    images: int
    captions: int
    words: int  # of the vocabulary, UNK included
    notes: tuple[str, ...]

    @property
    def words_told(self) -> str:
        counted = f"{self.images:,} pictures, {self.captions:,} captions, {self.words:,} words"
        return "; ".join((counted, *self.notes))


def prepare(
    document: Path,
    pictures: Path,
    to_json: Path,
    to_h5: Path,
    rules: Prepro,
    tell: Callable[[Event], None],
    go_on: Callable[[], None],
) -> Prepared:
    """Write both files, durably, the JSON last; each is whole or absent. The same input gives the same bytes.

    The rules are those of prepro.py, which stops at a picture without a caption, a caption without a word and a picture
    that is not there: here these are left out, before the pictures are shuffled, and counted. Memory does not grow with
    the pictures. Raises BadList for a document that is none or leaves no picture, NoRoom when the files cannot fit,
    and what `go_on` does, which is called again and again.
    """
    records = Records(document, go_on)
    kept, notes = _kept(records, pictures)
    if not kept:
        raise BadList(f"{document.name} names no picture with a caption in {pictures}")
    order = shuffled(kept)
    corpus = Corpus()
    for at in order:
        corpus.add([words for caption in records[at].captions if (words := tokens(caption))])
    vocabulary = corpus.vocabulary(rules.word_count_threshold)
    _check_room(to_h5, hdf5.bytes_needed(corpus, rules.max_length))
    paths = (pictures / records[at].file_path for at in order)
    with atomic_path(to_h5) as temporary:
        progress = _Progress(to_h5.name, len(order), tell)
        hdf5.write(temporary, corpus, vocabulary, rules.max_length, paths, progress)
    with atomic_file(to_json) as out:
        for piece in _json(records, order, vocabulary, rules):
            out.write(piece)
    if rules.num_val + rules.num_test >= len(order):
        notes = (*notes, f"no picture is left for train: {len(order):,} in all")
    return Prepared(len(order), len(corpus.lengths), len(vocabulary.words), notes)


def sha256_of(path: Path, go_on: Callable[[], None]) -> str:
    """Of a file that may have gigabytes: `go_on` is called meanwhile, too."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while data := file.read(_AT_ONCE):
            go_on()
            digest.update(data)
    return digest.hexdigest()


def _kept(records: Records, pictures: Path) -> tuple[list[int], tuple[str, ...]]:
    """The places of the records that can be trained on, and what was left out."""
    kept: list[int] = []
    absent = silent = empty = 0
    for at in range(len(records)):
        record = records[at]
        said = sum(bool(tokens(caption)) for caption in record.captions)
        if not (pictures / record.file_path).is_file():
            absent += 1
        elif not said:
            silent += 1
        else:
            empty += len(record.captions) - said
            kept.append(at)
    told = (
        (absent, "pictures are not here, and are left out"),
        (silent, "pictures have no caption with a word, and are left out"),
        (empty, "captions hold no word, and are left out"),
    )
    return kept, tuple(f"{number:,} {text}" for number, text in told if number)


def _check_room(path: Path, needed: int) -> None:
    free, _ = free_space(path.parent)
    if needed > free:
        raise NoRoom(f"{path.name} takes {needed:,} bytes, and {free:,} are free at {path.parent}")


def _json(records: Records, order: Sequence[int], vocabulary: Vocabulary, rules: Prepro) -> Iterator[bytes]:
    words = {str(number): word for number, word in enumerate(vocabulary.words, 1)}
    yield b'{"ix_to_word": ' + json.dumps(words, ensure_ascii=False).encode() + b', "images": ['
    for place, at in enumerate(order):
        split = split_of(place, rules.num_val, rules.num_test)
        yield (b",\n" if place else b"\n") + msgspec.json.encode(_image(records[at], split))
    yield b"\n]}\n"


def _image(record: Record, split: str) -> dict[str, str | int]:
    told: dict[str, str | int] = {"split": split, "file_path": record.file_path}
    return told if record.id is None else told | {"id": record.id}


class _Progress:
    """Tells now and then how many pictures are written."""

    def __init__(self, name: str, total: int, tell: Callable[[Event], None]) -> None:
        self._name, self._total, self._tell = name, total, tell
        self._last = time.monotonic()
        tell(Event("extract", name, total=total))

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self._last >= _TELL_EVERY or done == self._total:
            self._last = now
            self._tell(Event("extracting", self._name, done=done, total=self._total))
