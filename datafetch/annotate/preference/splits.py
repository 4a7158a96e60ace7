"""Train, val and test: users by lot, from a seed.

As upstream's scripts do, but for two things. They go through sets of ids when they collect train and draw test, so
that their result depends on the hash seed of the process: here ids are sorted first. And a user who gave samples to
val has none in train or test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")

VAL = 15  # samples
TEST = 2000  # samples at most
TRAIN_SHARE, TEST_SHARE = 0.8, 0.15  # of users; val is counted in samples


@dataclass(frozen=True, slots=True)
class Splits(Generic[T]):
    train: Sequence[T]
    val: Sequence[T]
    test: Sequence[T]

    def items(self) -> tuple[tuple[str, Sequence[T]], ...]:
        return ("train", self.train), ("val", self.val), ("test", self.test)


def by_user(samples: Mapping[str, Sequence[T]], seed: int) -> Splits[T]:
    """Users shuffled; the first fill val, which is cut to 15; of the rest the last 15 of 95 are for test, of whose
    samples 2000 are drawn with a quota for each; all others train. The order of the users in `samples` counts.
    """
    lot = Random(seed)
    users = [user for user, own in samples.items() if own]
    lot.shuffle(users)
    taken, val = _validation(users, samples)
    rest = users[taken:]
    last = max(1, int(len(rest) * TEST_SHARE / (TRAIN_SHARE + TEST_SHARE)))
    testing, training = sorted(rest[-last:]), sorted(rest[:-last])
    return Splits(_all(training, samples), val, _drawn(testing, samples, lot))


def by_topic(samples: Mapping[str, Sequence[T]], seed: int) -> Splits[T]:
    """Topics sorted and shuffled; the first fill val; of the rest 80 of 95 train and the others are for test."""
    topics = sorted(topic for topic, own in samples.items() if own)
    Random(seed).shuffle(topics)
    taken, val = _validation(topics, samples)
    rest = topics[taken:]
    first = int(len(rest) * (TRAIN_SHARE / (TRAIN_SHARE + TEST_SHARE)))
    return Splits(_all(sorted(rest[:first]), samples), val, _all(sorted(rest[first:]), samples))


def _validation(users: Sequence[str], samples: Mapping[str, Sequence[T]]) -> tuple[int, list[T]]:
    """How many of the users give samples to val, and those samples."""
    val: list[T] = []
    for turn, user in enumerate(users):
        if len(val) >= VAL:
            return turn, val[:VAL]
        val.extend(samples[user])
    return len(users), val[:VAL]


def _all(users: Sequence[str], samples: Mapping[str, Sequence[T]]) -> list[T]:
    return [sample for user in users for sample in samples[user]]


def _drawn(users: Sequence[str], samples: Mapping[str, Sequence[T]], lot: Random) -> list[T]:
    if sum(len(samples[user]) for user in users) <= TEST:
        return _all(users, samples)
    quota = max(1, int(TEST / len(users)) + 1)
    found = [one for user in users for one in lot.sample(samples[user], min(len(samples[user]), quota))]
    if len(found) > TEST:
        lot.shuffle(found)
    return found[:TEST]
