"""captions: the hosted captions of im2text made to fit the pictures that are there.

Upstream wrote the paths of its author's own machine, in no order, with records whose picture never came.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Collection, Iterator, Sequence

import msgspec

from datafetch.annotate.made import Made
from datafetch.errors import BadList

_PICTURE = "im2text/im2text_{:012d}.jpg"
_IS_PICTURE = re.compile(r"im2text/im2text_\d{12}\.jpg")
_DIGITS = 12


class _Record(msgspec.Struct, frozen=True):
    """What every record must have; whatever else it has is kept."""

    captions: list[str]
    id: str | int
    file_path: str


def captions(records: Sequence[msgspec.Raw], files: Collection[str]) -> Made:
    """The records of the pictures in `files`, sorted by id, each id once, with paths relative to the dataset.

    Of two records with one id the first counts. BadList, with its number, for a record that is none.
    """
    ids = array("Q", _ids(records))
    order = sorted(range(len(ids)), key=ids.__getitem__)
    distinct = [at for turn, at in enumerate(order) if not turn or ids[at] != ids[order[turn - 1]]]
    kept = [at for at in distinct if _PICTURE.format(ids[at]) in files]
    pictures = sum(_IS_PICTURE.fullmatch(file) is not None for file in files)
    said = (
        (len(ids) - len(distinct), "records have an id that came before, and are left out"),
        (len(distinct) - len(kept), "records have no picture, and are left out"),
        (pictures - len(kept), "pictures have no record"),
    )
    notes = tuple(f"{number:,} {text}" for number, text in said if number)
    return Made(_rewritten(records, ids, kept), len(kept), notes)


def _ids(records: Sequence[msgspec.Raw]) -> Iterator[int]:
    decode = msgspec.json.Decoder(_Record).decode
    for number, raw in enumerate(records, 1):
        try:
            said = str(decode(raw).id)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadList(f"record {number:,} is no caption: {error}") from error
        if not (said.isascii() and said.isdigit() and len(said) <= _DIGITS):
            raise BadList(f"record {number:,}: expected an id of {_DIGITS} digits, found {said[:40]!r}")
        yield int(said)


def _rewritten(records: Sequence[msgspec.Raw], ids: Sequence[int], kept: Sequence[int]) -> Iterator[bytes]:
    for at in kept:
        record = msgspec.json.decode(records[at], type=dict[str, object])
        record["id"] = f"{ids[at]:012d}"
        record["file_path"] = _PICTURE.format(ids[at])
        yield msgspec.json.encode(record)
