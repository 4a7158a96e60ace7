"""One item over HTTP: its addresses in turn, with the retries of `transfer.retry`, until a body passes or none is
left. Nothing is asked here: what came of each try goes in, what follows from it comes out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import msgspec

from datafetch.images.items import Item
from datafetch.images.ledger import outcome_of
from datafetch.images.wire import Ended
from datafetch.model import Event, Outcome, Why
from datafetch.transfer.addresses import mirrored, origin, safe_url, shown_host
from datafetch.transfer.retry import Patience, Tries, backoff, decide, wait_for
from datafetch.transfer.wanted import Ways

# A list has many rows and a later run asks again, so one row is not insisted on as a whole archive is.
PATIENCE = Patience(tries=4, tries_before_next=2)
SLOW = frozenset((Why.TIMEOUT, Why.TOO_SLOW))  # a try of these takes half a minute or more
SLOW_TRIES = 2
DEATHS = 3  # worker processes that one item may take with it


class Found(msgspec.Struct, frozen=True):
    """A body that passed every check and stands in the staging folder, not yet durable."""

    url: str  # the list's address that it belongs to, not a mirror's
    size: int
    sha256: str
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """An item that no address gave."""

    why: Why
    url: str  # free of secrets
    text: str
    unnameable: bool = False  # no file can have the path that its row wants

    @property
    def outcome(self) -> Outcome:
        """The state that its row ends in."""
        return Outcome.REJECTED if self.unnameable else outcome_of(self.why)


@dataclass(frozen=True, slots=True)
class Again:
    """The address that stands in the errand is to be asked after so many seconds."""

    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Death:
    """The process that was at an item is gone."""

    how: str
    decoding: bool  # the item, at that moment
    suspect: bool  # it may be the reason
    guilty: bool  # it is


@dataclass(eq=False, slots=True)
class Errand:
    """An item on its way. All that it may cost is bounded: bytes, time, tries, processes."""

    item: Item
    path: str  # below the staging folder
    asked: tuple[tuple[str, str], ...]  # in order: an address, and the one of the list that it stands for
    at: int = 0  # the one that is asked
    tries: Tries = field(default_factory=Tries)  # of that one
    deaths: int = 0
    lost: list[Lost] = field(default_factory=list)  # of those before

    @property
    def address(self) -> str:
        return self.asked[self.at][0]

    @property
    def url(self) -> str:
        return self.asked[self.at][1]

    @property
    def host(self) -> str:
        """Whose manners hold. A mirror stands for many hosts, and one that it keeps back holds up no other."""
        asked = shown_host(self.address)
        return asked if self.address == self.url else f"{asked} for {shown_host(self.url)}"

    @property
    def last(self) -> bool:
        """Whether no other address stands for the same one of the list."""
        return self.at + 1 == len(self.asked) or self.asked[self.at + 1][1] != self.url


@dataclass(frozen=True, slots=True)
class Asker:
    """Decides for the items of one list."""

    name: str  # of the artifact, for the events
    ways: Ways
    patience: Patience = PATIENCE

    @property
    def slow(self) -> Patience:
        """What is left of patience where each try costs long: hundreds of such rows would hold a run for hours."""
        usual = self.patience
        tries = min(usual.tries, SLOW_TRIES)
        return replace(usual, tries=tries, tries_before_next=min(usual.tries_before_next, tries))

    def errand(self, item: Item, path: str) -> Errand:
        ways = self.ways
        if not ways.mirrors:
            return Errand(item, path, tuple((url, url) for url in item.urls))
        pairs: list[tuple[str, str]] = []
        for url in item.urls:
            pairs += [(mirrored(url, mirror), url) for mirror in ways.mirrors]
            if not ways.mirror_only:
                pairs.append((url, url))
        return Errand(item, path, tuple(pairs))

    def never(self, errand: Errand) -> str:
        """An origin that no redirect may lead to, or empty."""
        return origin(errand.url) if self.ways.mirror_only and self.ways.mirrors else ""

    def forbidden(self, errand: Errand) -> Lost | Again:
        """What follows when robots.txt keeps its address from being asked."""
        url = errand.url
        return self._lost(errand, Why.OPTED_OUT, f"{shown_host(url)}: robots.txt forbids it")

    def given_up(self, errand: Errand, why: Why) -> Lost | Again:
        """What follows when the host of its address has served nobody for a long while."""
        return self._lost(
            errand, why, f"{shown_host(errand.address)}: it serves nothing; left for a later run"
        )

    def died(self, errand: Errand, death: Death) -> Lost | Again:
        """What follows when the process that was at it is gone."""
        errand.deaths += death.suspect
        if not death.guilty and errand.deaths < DEATHS:
            return Again()
        why = Why.NOT_AN_IMAGE if death.decoding else Why.UNKNOWN
        return self._lost(errand, why, f"{shown_host(errand.address)}: {death.how}")

    def ended(self, errand: Errand, ended: Ended) -> Found | Lost | Again:
        """What follows from a try."""
        if ended.unnameable:
            text = f"no file can be called {errand.path}"
            return Lost(Why.UNKNOWN, safe_url(errand.url), text, unnameable=True)
        if not ended.why:
            return Found(errand.url, ended.received, ended.sha256, ended.width, ended.height)
        why = Why(ended.why)
        count = errand.tries.after(why, advanced=False)
        verdict = decide(why, count, last=errand.last, patience=self.slow if why in SLOW else self.patience)
        wait = 0.0
        if verdict.wait or verdict.host_wide:
            own = backoff(count, self.ways.chance(), self.patience)
            wait = wait_for(ended.wait, own, self.patience)
        answered = ended.answered is not None  # then the manners of the host know how long to wait
        if verdict.host_wide and not answered:
            self.ways.hosts.slow(errand.host, wait)
        if not verdict.again:
            return self._lost(errand, why, ended.text)
        soon = f"again in {wait:.0f} s" if wait >= 0.5 else "again at once"
        text = f"{ended.text}; {soon}"
        self.ways.emit(Event("retry", self.name, count=count, why=ended.why, url=ended.url, text=text))
        return Again(0.0 if verdict.host_wide else wait)

    def _lost(self, errand: Errand, why: Why, text: str) -> Lost | Again:
        """The next address; or, of what was lost, what may mend counts first."""
        errand.lost.append(Lost(why, safe_url(errand.url), text))
        if errand.at + 1 < len(errand.asked):
            errand.at += 1
            errand.tries = Tries()
            return Again()
        return next((each for each in errand.lost if each.outcome is not Outcome.MISSING), errand.lost[0])
