"""Makers of one record each, for the files of a URL list: from its row, its path and its address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from datafetch.annotate.wordnet import Nouns


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a list that is there."""

    row: int  # what <row> stands for
    fields: Mapping[str, str]  # of the row
    path: str  # below the dataset's folder
    url: str


def wordnet(entry: Entry, nouns: Nouns) -> dict[str, object]:
    """A record for a picture of the synset in the field `wnid`: what WordNet calls it, and what it says of it."""
    synset = nouns.look_up(entry.fields.get("wnid", ""))
    stem = entry.path.rpartition("/")[2].rpartition(".")[0]
    return {
        "captions": list(synset.words),
        "definition": synset.gloss,
        "id": stem,
        "file_path": entry.path,
        "url": entry.url,
        "image_id": stem,
    }


def sbu(entry: Entry) -> dict[str, object]:
    """A record as im2text.json has it; the id of a picture at Flickr stands before the first `_` of its name.

    Captions keep their blanks and signs: upstream's script deleted quotes, semicolons and backslashes only
    because it did not encode them.
    """
    return {
        "captions": [entry.fields.get("captions", "")],
        "id": f"{entry.row:012d}",
        "file_path": entry.path,
        "url": entry.url,
        "image_id": entry.url.rpartition("/")[2].partition("_")[0],
    }


EntryMaker = Callable[[Entry], Mapping[str, object]]
_ALONE: Mapping[str, EntryMaker] = {"sbu": sbu}


def entry_maker(name: str, beside: BinaryIO | None) -> EntryMaker:
    """The maker of this name; one that reads a further document is given that, open, as long as it works."""
    if beside is None:
        return _ALONE[name]
    return partial(wordnet, nouns=Nouns(beside))
