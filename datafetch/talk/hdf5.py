"""The HDF5 file of NeuralTalk2: images, labels, and the labels of each image. The one module that imports h5py."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from datafetch.errors import Damaged
from datafetch.images.check import Limits
from datafetch.images.resized import planes
from datafetch.model import Why
from datafetch.store.faults import user_errors
from datafetch.talk.words import Corpus, Vocabulary

SIDE = 256
BYTES_OF_IMAGE = 3 * SIDE * SIDE
_CAPTIONS_AT_ONCE = 10_000
_AHEAD = 2  # pictures waiting for each thread
_LIMITS = Limits()


def bytes_needed(corpus: Corpus, max_length: int) -> int:
    """What the file will take, but for a few kB of its own."""
    images, captions = len(corpus.captions_of), len(corpus.lengths)
    return images * (BYTES_OF_IMAGE + 8) + captions * 4 * (max_length + 1)


def write(
    path: Path,
    corpus: Corpus,
    vocabulary: Vocabulary,
    max_length: int,
    pictures: Iterable[Path],
    told: Callable[[int], None],
) -> None:
    """Write the file at `path`: the same bytes for the same pictures and captions. Memory is that of the corpus.

    Raises Damaged for a picture that does not decode.
    """
    import h5py

    with user_errors(path), h5py.File(path, "w") as file:
        _write_labels(file, corpus, vocabulary, max_length)
        images = len(corpus.captions_of)
        target = file.create_dataset("images", (images, 3, SIDE, SIDE), dtype="uint8")
        for at, image in enumerate(_resized(pictures)):
            target[at] = _array(image)
            told(at + 1)


def _write_labels(file: Any, corpus: Corpus, vocabulary: Vocabulary, max_length: int) -> None:
    import numpy

    captions, images = len(corpus.lengths), len(corpus.captions_of)
    number_of = numpy.array(vocabulary.number_of, dtype="uint32")
    lengths = numpy.array(corpus.lengths, dtype="uint32")
    labels = file.create_dataset("labels", (captions, max_length), dtype="uint32")
    at = 0
    for start in range(0, captions, _CAPTIONS_AT_ONCE):
        batch = lengths[start : start + _CAPTIONS_AT_ONCE]
        rows = numpy.zeros((len(batch), max_length), dtype="uint32")
        for row, length in enumerate(batch.tolist()):
            kept = corpus.said[at : at + min(length, max_length)]
            rows[row, : len(kept)] = number_of[numpy.array(kept, dtype="uint32")]
            at += length
        labels[start : start + len(batch)] = rows
    ends = numpy.cumsum(numpy.array(corpus.captions_of, dtype="uint32"), dtype="uint32")
    starts = numpy.ones(images, dtype="uint32")  # both count from 1, as Lua does, and the end is included
    starts[1:] += ends[:-1]
    file.create_dataset("label_start_ix", data=starts)
    file.create_dataset("label_end_ix", data=ends)
    file.create_dataset("label_length", data=numpy.minimum(lengths, max_length))


def _array(image: bytes) -> Any:
    import numpy

    return numpy.frombuffer(image, dtype="uint8").reshape(3, SIDE, SIDE)


def _resized(pictures: Iterable[Path]) -> Iterator[bytes]:
    """Each picture in its turn; threads decode ahead, for Pillow does so without the lock of the interpreter."""
    cores = os.cpu_count() or 1
    ahead: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        for picture in pictures:
            ahead.append(pool.submit(_picture, picture))
            if len(ahead) > cores * _AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _picture(path: Path) -> bytes:
    with user_errors(path):
        found = planes(path.read_bytes(), SIDE, _LIMITS)
    if isinstance(found, Why):
        raise Damaged(
            f"{path} does not decode ({found})", hint="datafetch verify NAME --repair mends what is damaged"
        )
    return found
