"""Environment variables that name where providers are. A wrong one concerns only those who need what it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from datafetch.errors import TransferFailed, UsageError
from datafetch.transfer.addresses import clean_url


@dataclass(frozen=True, slots=True)
class Variable:
    """What a variable says, empty when it is not set; `wrong` says what is the matter with it, empty for nothing."""

    name: str = ""
    text: str = ""
    wrong: str = ""

    def check(self) -> None:
        """Raises UsageError, which names the variable and does not show what it says, when that cannot be used."""
        if self.wrong:
            raise UsageError(f"{self.name}: {self.wrong}", hint=f"mend {self.name}, or unset it")


def first(environment: Mapping[str, str], *names: str) -> Variable:
    """The first of these that is set to more than blanks."""
    said = ((name, environment.get(name, "").strip()) for name in names)
    return next((Variable(name, text) for name, text in said if text), Variable())


def endpoint(environment: Mapping[str, str], *names: str) -> Variable:
    """The same, of an address below which others are made: clean, without a slash at its end; empty if wrong."""
    found = first(environment, *names)
    if not found.text:
        return found
    try:
        url = clean_url(found.text)
    except TransferFailed as error:
        return Variable(found.name, wrong=str(error))
    if "?" in url:
        return Variable(found.name, wrong="an address with a query has none below it")
    return Variable(found.name, url.rstrip("/"))


def visible(environment: Mapping[str, str], name: str) -> Variable:
    """The same, of what goes into a header as it is."""
    found = first(environment, name)
    if found.text.isascii() and found.text.isprintable():
        return found
    return Variable(
        name, wrong="it holds more than visible ASCII, as a copy from a text with typographic quotes does"
    )
