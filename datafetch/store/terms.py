"""The ledger of terms that were accepted: which text, when and by whom; one line for each, never taken back.

It lies with the dataset's state, for what is accepted there is what stands beside it. The text itself is kept, so that
the ledger can show years later what was agreed to, and its digest, so that other terms are noticed.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import time

import msgspec

from datafetch.model import Recipe, Terms
from datafetch.store.home import Home
from datafetch.store.journal import Journal, read
from datafetch.store.machine import host

BY_OPTION, BY_ANSWER = "by --accept-terms", "by yes, asked on a terminal"


class Accepted(msgspec.Struct, frozen=True):
    """One line of the ledger."""

    dataset: str
    digest: str  # SHA-256, see `digest`
    text: str
    link: str
    at: str  # UTC, ISO 8601, seconds
    user: str
    host: str
    how: str
    version: str  # of datafetch


def digest(terms: Terms) -> str:
    """SHA-256 of the text, a line feed, the link and a line feed, in UTF-8."""
    return hashlib.sha256(f"{terms.text}\n{terms.link}\n".encode()).hexdigest()


def ledger(home: Home) -> tuple[Accepted, ...]:
    """What was accepted, oldest first."""
    return read(home.terms, Accepted).rows


def accepted(home: Home, terms: Terms) -> Accepted | None:
    """The last line about these very terms; None when nobody has accepted them as they are now."""
    wanted = digest(terms)
    return next((line for line in reversed(ledger(home)) if line.digest == wanted), None)


def accept(home: Home, recipe: Recipe, how: str, version: str) -> None:
    """Write down, durably, that its terms are accepted, if they are to be; once is enough."""
    terms = recipe.terms
    if terms is None or not terms.accept or accepted(home, terms) is not None:
        return
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = Accepted(recipe.name, digest(terms), terms.text, terms.link, at, user(), host(), how, version)
    with Journal(home.terms) as rows:
        rows.append(line)


def user() -> str:
    """Who runs this, or the number of who it is where that has no name, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
