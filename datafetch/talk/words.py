"""Captions to numbers by the rules of NeuralTalk2's prepro.py. Pure."""

from __future__ import annotations

import random
import string
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SEED = 123
UNKNOWN = "UNK"
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def tokens(caption: str) -> list[str]:
    """Its words in lower case, ASCII punctuation taken out wherever it stands."""
    return caption.lower().translate(_NO_PUNCTUATION).split()


def shuffled(places: Iterable[int]) -> list[int]:
    """The order in which pictures are numbered, drawn as `random.seed(123); random.shuffle(…)` of Python 3 draws it."""
    order = list(places)
    random.Random(SEED).shuffle(order)
    return order


def split_of(place: int, num_val: int, num_test: int) -> str:
    """The set of the picture at this place of that order: first those of val, then of test, then of train."""
    if place < num_val:
        return "val"
    return "test" if place < num_val + num_test else "train"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words in the order of their numbers, from 1, and what each counted word became."""

    words: tuple[str, ...]
    number_of: array[int]  # word as first counted -> its number, or that of UNK


class Corpus:
    """All words of all captions, numbered in the order in which they were first seen: 4 bytes a word."""

    def __init__(self) -> None:
        self.said = array("I")  # the words of all captions, one after the other
        self.lengths = array("I")  # words of each caption
        self.captions_of = array("I")  # captions of each picture
        self._seen: dict[str, int] = {}
        self._counts = array("Q")

    def add(self, captions: Sequence[Sequence[str]]) -> None:
        """One more picture, with the words of its captions."""
        for words in captions:
            for word in words:
                at = self._seen.setdefault(word, len(self._seen))
                if at == len(self._counts):
                    self._counts.append(0)
                self._counts[at] += 1
                self.said.append(at)
            self.lengths.append(len(words))
        self.captions_of.append(len(captions))

    def vocabulary(self, threshold: int) -> Vocabulary:
        """The words that occur more often than `threshold`, as they were first seen; UNK last, if any other does."""
        words = [word for word, at in self._seen.items() if self._counts[at] > threshold]
        if len(words) < len(self._seen):
            words.append(UNKNOWN)
        numbers = array("I", bytes(4 * len(self._seen)))
        known = 0
        for at, count in enumerate(self._counts):
            known += count > threshold
            numbers[at] = known if count > threshold else len(words)
        return Vocabulary(tuple(words), numbers)
