"""Windows over the sequences of users: some items of history, and the one that followed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from datafetch.annotate.preference.words import Words


@dataclass(frozen=True, slots=True)
class Hit:
    """An item that a user chose; `score` where the table has one."""

    item: str
    score: int | None = None


Sample = tuple[str, int]  # user, and where in the sequence of the user the window begins


@dataclass(frozen=True, slots=True)
class Records:
    """How samples become records; each is made when it is written, for all of them at once would fill memory."""

    sequences: Mapping[str, Sequence[Hit]]
    paths: Mapping[str, str]  # item -> image_path
    history: int
    user_key: str
    style_key: str
    captions: Words = field(default_factory=Words)
    styles: Words = field(default_factory=Words)
    means: Mapping[str, float] | None = None  # None: items have no scores

    def record(self, sample: Sample) -> dict[str, object]:
        """The keys and types of the benchmark, in its order."""
        user, at = sample
        sequence = self.sequences[user]
        *before, target = sequence[at : at + self.history + 1]
        return {
            self.user_key: user,
            "history_item_ids": [hit.item for hit in before],
            "history_items_info": [self._info(hit) for hit in before],
            "target_item_id": target.item,
            "target_item_info": self._info(target),
            self.style_key: self.styles.of.get(user, ""),
            "num_interactions": self.history,
            "window_position": at,
            "total_sequence_length": len(sequence),
        }

    def _info(self, hit: Hit) -> dict[str, object]:
        info: dict[str, object] = {
            "item_id": hit.item,
            "caption": self.captions.of.get(hit.item, ""),
            "image_path": self.paths[hit.item],
        }
        if self.means is not None:
            info |= {"score": hit.score, "aesthetic_score": self.means.get(hit.item, 0.0)}
        return info


def windows(
    sequences: Mapping[str, Sequence[Hit]], history: int, there: Collection[str], dropped: Counter[str]
) -> dict[str, list[Sample]]:
    """User -> samples, users and windows in the order of the sequences; a window that lacks one of its pictures
    is dropped.
    """
    found: dict[str, list[Sample]] = {}
    for user, sequence in sequences.items():
        has = [hit.item in there for hit in sequence]
        starts = range(len(sequence) - history)
        whole = [at for at in starts if all(has[at : at + history + 1])]
        dropped["window that lacks a picture"] += len(starts) - len(whole)
        found[user] = [(user, at) for at in whole]
    return found


def touched(sequences: Mapping[str, Sequence[Hit]]) -> set[str]:
    """Every item of these sequences."""
    return {hit.item for sequence in sequences.values() for hit in sequence}
