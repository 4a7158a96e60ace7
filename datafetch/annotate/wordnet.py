"""The noun database of WordNet, `data.noun`: the words and the gloss of a synset, found by its number."""

from __future__ import annotations

import re
from typing import BinaryIO, NamedTuple

from datafetch.errors import BadList

LONGEST_LINE = 1 << 20
_WNID = re.compile(r"n?(\d{8})")


class Synset(NamedTuple):
    words: tuple[str, ...]
    gloss: str


NOTHING = Synset((), "")


class Nouns:
    """An open `data.noun`. The number of a synset is the byte at which its line begins, so nothing is held."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._last = ("", NOTHING)  # pictures of one synset come together

    def look_up(self, wnid: str) -> Synset:
        """The synset called `n01440764` or `01440764`; NOTHING for one that is not there.

        Raises BadList when the file is no such database.
        """
        if self._last[0] != wnid:
            self._last = (wnid, self._read(wnid))
        return self._last[1]

    def _read(self, wnid: str) -> Synset:
        found = _WNID.fullmatch(wnid)
        if found is None:
            return NOTHING
        self._file.seek(int(found[1]))
        line = self._file.readline(LONGEST_LINE)
        if line.startswith(found[1].encode() + b" "):
            return parse(line.decode("utf-8", "replace"))
        self._demand_database()
        return NOTHING

    def _demand_database(self) -> None:
        """The first line that is no heading, which begins with a blank, is a synset that stands at its number."""
        self._file.seek(0)
        at = 0
        for line in self._file:
            if not line.startswith(b" "):
                if line[:9] == b"%08d " % at:
                    return
                break
            at += len(line)
        raise BadList("data.noun: expected WordNet's database, whose lines begin with their own place in it")


def parse(line: str) -> Synset:
    """Words and gloss of a line: `01440764 05 n 02 tench 0 Tinca_tinca 0 … | gloss`. Raises BadList."""
    data, _, gloss = line.partition("|")
    cells = data.split()
    try:
        count = int(cells[3], 16)
        words = tuple(cells[at].replace("_", " ") for at in range(4, 4 + 2 * count, 2))
    except (ValueError, IndexError) as error:
        raise BadList(f"data.noun: {line[:60].strip()!r} is no synset") from error
    return Synset(words, gloss.strip())
