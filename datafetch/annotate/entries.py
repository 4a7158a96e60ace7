"""Makers of one record each, for the files of a URL list: from its row, its path and its address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a list that is there."""

    row: int  # what <row> stands for
    fields: Mapping[str, str]  # of the row
    path: str  # below the dataset's folder
    url: str


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


ENTRY_MAKERS: Mapping[str, Callable[[Entry], Mapping[str, object]]] = {"sbu": sbu}
