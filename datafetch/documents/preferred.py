"""Records of what people prefer, of both schemas, held against the pictures they name: several for each record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from datafetch.documents.forms import Buffer
from datafetch.model import Derived, FileRecord, Recipe


class _Item(msgspec.Struct):
    image_path: str = ""


class _Record(msgspec.Struct):
    history_items_info: tuple[_Item, ...] = ()
    target_item_info: _Item | None = None
    interaction_sequence: tuple[_Item, ...] = ()  # these two of the older schema
    target_image_path: str = ""

    def paths(self) -> Iterator[str]:
        for item in (*self.history_items_info, *self.interaction_sequence):
            yield item.image_path
        if self.target_item_info is not None:
            yield self.target_item_info.image_path
        if self.target_image_path:
            yield self.target_image_path


def documents(recipe: Recipe, records: Iterable[FileRecord]) -> Iterator[tuple[str, str]]:
    """The published JSONs that are derived of pictures, and the folder that their paths begin in."""
    makers = {
        artifact.name: artifact.folder
        for artifact in recipe.artifacts
        if isinstance(artifact.source, Derived) and "pictures" in dict(artifact.source.inputs)
    }
    for record in records:
        if record.artifact in makers and record.path.endswith(".json"):
            yield record.path, makers[record.artifact]


def lacking(data: Buffer, folder: str, root: str, here: Callable[[str], bool]) -> bytes:
    """A byte for each record: 1 where one of its pictures is not `here`, asked by the path below the output
    directory `root`. Raises what msgspec does for what is no list of such records.
    """
    decode, base = msgspec.json.Decoder(_Record).decode, f"{root}/"
    gone = bytearray()
    for raw in msgspec.json.decode(data, type=list[msgspec.Raw]):
        own = decode(raw).paths()
        below = (path.removeprefix(base) if path.startswith("/") else f"{folder}/{path}" for path in own)
        gone.append(not all(map(here, below)))
    return bytes(gone)
