"""What is wrong with a recipe: issues are collected while it is read and raised once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from datafetch.errors import Issue, RecipeError

MOST = 100  # issues of one file that are told; a stranger's may have a million, and each takes time


class Bad(ValueError):
    """A value that breaks the language; the message says what was expected and what was found."""


class Issues:
    """The issues of one file, in the order they were found, each once."""

    __slots__ = ("_found", "file")

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: dict[Issue, None] = {}

    def add(self, line: int, where: str, message: str) -> None:
        """Take note of an issue; what an untrusted recipe brings to move a cursor or fill a screen is cut.

        Raises RecipeError at once when there are too many.
        """
        self._found[Issue(self.file, line, printable(where, 200), printable(message, 600))] = None
        if len(self._found) > MOST:
            self.raise_any()

    @property
    def all(self) -> tuple[Issue, ...]:
        return tuple(self._found)

    def raise_any(self) -> None:
        """Raises RecipeError when there is an issue, with all of them in the order of their lines."""
        if self._found:
            raise RecipeError(tuple(sorted(self._found, key=lambda issue: issue.line)))


def printable(text: str, longest: int = 80) -> str:
    """Text for a message: what would move a cursor is escaped, what is long is cut."""
    shown = text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return shown if len(shown) <= longest else shown[: longest - 3] + "..."


def nearest(word: str, words: Iterable[str]) -> str:
    """The word most like this one, or nothing when none is like it."""
    from difflib import get_close_matches  # 4 ms that only an error needs

    known = list(words)
    folded = {name.casefold(): name for name in known}
    found = get_close_matches(word.casefold(), folded, n=1, cutoff=0.5)
    return folded[found[0]] if found else ""


def suggest(word: str, words: Sequence[str], noun: str) -> str:
    """`nearest is "url"`, or the list of what there is when nothing is near."""
    near = nearest(word, words)
    if near:
        return f'nearest is "{near}"'
    return f"the {noun} are {', '.join(words)}" if words else f"there are no {noun}"


def listed(words: Sequence[str], last: str = "or") -> str:
    """`4, 5 or 7.5`"""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
