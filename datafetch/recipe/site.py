"""Where something stands in a recipe: its line, its name for a message, and the names that hold there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

from datafetch.recipe import template
from datafetch.recipe.issues import Bad, Issues
from datafetch.recipe.parse import Document, Path, where
from datafetch.recipe.template import Names

T = TypeVar("T")
V = TypeVar("V")
P = ParamSpec("P")


class Site(NamedTuple):  # thousands are made, and a frozen dataclass takes three times as long
    """A spot in a document. What goes wrong there is added to the issues, and a blank stands in."""

    document: Document
    issues: Issues
    path: Path = ()
    label: str = ""
    names: Names = MappingProxyType({})

    def at(self, *steps: str | int, label: str = "", names: Mapping[str, str] | None = None) -> Site:
        """A spot further in; `label` opens an entry that has a name of its own."""
        held = self.names if names is None else names
        return Site(self.document, self.issues, (*self.path, *steps), label or self.label, held)

    def each(self, given: str | list[str]) -> list[tuple[Site, str]]:
        """Each text of a key that takes one or several, with its spot: the key itself when no list is written."""
        texts = [given] if isinstance(given, str) else given
        is_list = (*self.path, 0) in self.document.lines
        return [(self.at(index) if is_list else self, text) for index, text in enumerate(texts)]

    @property
    def line(self) -> int:
        return self.document.line(self.path)

    @property
    def broken(self) -> bool:
        """Whether this spot has an issue from parsing: what follows from it would only confuse."""
        return self.document.judged(self.path)

    def add(self, message: str) -> None:
        self.issues.add(self.line, where(self.label, self.path), message)

    def fill(self, text: str) -> str:
        """The text with its `{names}` filled; empty with an issue when that fails."""
        return self.take(template.fill, text, self.names) or ""

    def take(
        self, make: Callable[Concatenate[V, P], T], value: V, *args: P.args, **kwargs: P.kwargs
    ) -> T | None:
        """What `make` makes of a value, or None with its complaint added."""
        try:
            return make(value, *args, **kwargs)
        except Bad as bad:
            if not self.broken:
                self.add(str(bad))
            return None

    def filled(
        self, make: Callable[Concatenate[str, P], T], text: str, *args: P.args, **kwargs: P.kwargs
    ) -> T | None:
        """What `make` makes of the filled text; None with one issue when either fails."""
        text_or_none = self.take(template.fill, text, self.names)
        return None if text_or_none is None else self.take(make, text_or_none, *args, **kwargs)
