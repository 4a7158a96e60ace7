"""Samples from folders of pictures: a topic stands for a user, its history and the target are drawn by lot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from datafetch.annotate.preference.words import Words

EACH = 3  # samples of a topic


@dataclass(frozen=True, slots=True)
class Drawn:
    topic: str
    index: int
    history: tuple[str, ...]  # file names in the topic
    target_topic: str
    target: str


def draw(pictures: Mapping[str, Sequence[str]], history: int, seed: int) -> dict[str, list[Drawn]]:
    """Topic -> its samples: `history` of its pictures and one of another topic. Topics with fewer are left out; the
    order of both topics and pictures counts.
    """
    lot = Random(seed)
    topics = [topic for topic, names in pictures.items() if len(names) >= history]
    found: dict[str, list[Drawn]] = {}
    for topic in topics:
        others = [other for other in topics if other != topic]
        for index in range(EACH if others else 0):
            before = tuple(lot.sample(pictures[topic], history))
            other = lot.choice(others)
            found.setdefault(topic, []).append(
                Drawn(topic, index, before, other, lot.choice(pictures[other]))
            )
    return found


@dataclass(frozen=True, slots=True)
class TopicRecords:
    """How those samples become records."""

    paths: Mapping[str, Mapping[str, str]]  # topic -> file name -> image_path
    captions: Words = field(default_factory=Words)

    def record(self, sample: Drawn) -> dict[str, object]:
        """The keys and types of the benchmark, in its order."""
        before = [self._info(sample.topic, name) for name in sample.history]
        target = self._info(sample.target_topic, sample.target)
        return {
            "user_id": sample.topic,
            "history_item_ids": [info["item_id"] for info in before],
            "history_items_info": before,
            "target_item_id": target["item_id"],
            "target_item_info": target,
            "num_interactions": len(before),
            "sample_index": sample.index,
        }

    def _info(self, topic: str, name: str) -> dict[str, str]:
        item = f"{topic}/{name}"
        caption = self.captions.of.get(item, "")
        return {"item_id": item, "caption": caption, "image_path": self.paths[topic][name]}
