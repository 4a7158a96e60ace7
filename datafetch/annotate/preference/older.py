"""The records of the scripts before: other keys, other splits.

Lots are drawn with everything that the tables hold, as those scripts do; only then is left out what has no picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import TypeVar

from datafetch.annotate.preference.splits import Splits
from datafetch.annotate.preference.windows import Hit
from datafetch.annotate.preference.words import Words

Record = dict[str, object]
T = TypeVar("T")


def rated(
    sequences: Mapping[str, Sequence[Hit]], names: Mapping[str, tuple[str, str]], seed: int
) -> Splits[Record]:
    """Each user's ratings shuffled and cut at 70, 85 and 100 per cent; fewer than five all train. Item -> its file
    name and image_path in `names`; a rating of another item, and a part without one of these, is left out.
    """
    lot = Random(seed)
    train: list[Record] = []
    val: list[Record] = []
    test: list[Record] = []
    for user, sequence in sequences.items():
        hits = list(sequence)
        if len(hits) < 5:
            parts = [(train, hits)]
        else:
            lot.shuffle(hits)
            first, second = int(len(hits) * 0.7), int(len(hits) * (0.7 + 0.15))
            parts = [(train, hits[:first]), (val, hits[first:second]), (test, hits[second:])]
        for split, part in parts:
            if there := [
                {
                    "item_id": names[hit.item][0],
                    "score": float(hit.score or 0),
                    "image_path": names[hit.item][1],
                }
                for hit in part
                if hit.item in names
            ]:
                split.append(_rated(user, there))
    return Splits(train, val, test)


def _rated(user: str, hits: Sequence[Mapping[str, object]]) -> Record:
    return {"user_id": user, "interaction_sequence": list(hits), "num_interactions": len(hits)}


def clicked(
    sequences: Mapping[str, Sequence[Hit]],
    paths: Mapping[str, str],
    captions: Words,
    styles: Words,
    seed: int,
) -> Splits[Record]:
    """One record for each user: all items but the last, and the last but one, which stays in the history, as target.

    Users of fewer than two items with a picture have none.
    """

    def info(item: str) -> Record:
        return {"item_id": item, "caption": captions.of.get(item, ""), "image_path": paths[item]}

    records: list[Record | None] = []
    for user, sequence in sequences.items():
        items = [hit.item for hit in sequence if hit.item in paths]
        records.append(
            None
            if len(items) < 2
            else {
                "user_id": user,
                "history_item_ids": items[:-1],
                "history_items_info": [info(item) for item in items[:-1]],
                "target_item_id": items[-2],
                "target_item_info": info(items[-2]),
                "user_style": styles.of.get(user, ""),
                "num_interactions": len(items) - 1,
            }
        )
    shares = _shares(records, seed)
    train, val, test = ([one for one in split if one is not None] for _, split in shares.items())
    return Splits(train, val, test)


def themed(
    paths: Mapping[str, Mapping[str, str]], notes: Mapping[str, object], captions: Words, seed: int
) -> Splits[Record]:
    """One record for each topic: all its pictures, and one of another topic; `notes` are the annotations by item."""
    lot = Random(seed)
    topics = list(paths)
    records: list[Record] = []
    for topic in topics:
        others = [other for other in topics if other != topic]
        if not others:
            continue
        theirs = lot.choice(others)
        name = lot.choice(list(paths[theirs]))
        target = f"{theirs}/{name}"
        ids = [f"{topic}/{one}" for one in paths[topic]]
        records.append(
            {
                "history_topic": topic,
                "history_item_ids": ids,
                "history_items_info": [
                    {
                        "item_id": item,
                        "annotation": notes.get(item, {}),
                        "caption": captions.of.get(item, ""),
                        "image_path": path,
                    }
                    for item, path in zip(ids, paths[topic].values(), strict=True)
                ],
                "target_item_id": target,
                "target_annotation": notes.get(target, {}),
                "target_caption": captions.of.get(target, ""),
                "target_image_path": paths[theirs][name],
            }
        )
    return _shares(records, seed)


def _shares(records: list[T], seed: int) -> Splits[T]:
    """Shuffled, and cut at 80, 85 and 100 per cent."""
    Random(seed).shuffle(records)
    first = int(len(records) * 0.8)
    second = first + int(len(records) * 0.05)
    return Splits(records[:first], records[first:second], records[second:])
