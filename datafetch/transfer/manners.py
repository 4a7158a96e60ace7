"""How hard one host may be asked, learned from its answers: how many at once, and how many a second; pure.

Two limits are learned side by side, because hosts set two kinds.

*Places* (how many at once) follow TCP: start with two and double each round trip while latency is flat (slow
start), then one more per round trip; halve when a request is refused that was not a probe, or when the median
latency has doubled (Jain 1989, Brakmo & Peterson's Vegas 1994: a delay gradient; medians, so that noise does not
count). When halving does not help, the host is slower by itself, and its new latency becomes the measure.

*Rate* (how many a second) is without bound until a refusal shows one. Then it is half of what was accepted, and
rises by steps to just below the rate that was last refused (as CUBIC does, RFC 9438). Between two refusals a
token bucket hands out what it refills, so what was accepted over a long such while is the host's own rate,
whatever burst it allows; that is the rate after a refusal.

A refusal is laid to the places when requests with so many in flight are mostly refused, else to the rate.

Above what was last refused lies a probe. Probes are paid from a budget: one only when all refusals of the run
come to less than 0.7 % of its requests, ever rarer while they fail, ever bolder while they do not: so refusals
stay below one in a hundred, and a limit that is lifted is noticed. What a host says in Retry-After and in
RateLimit fields is obeyed before all that. Refusals that do not depend on the rate teach nothing (`doubt`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from datafetch.transfer.doubt import Doubt
from datafetch.transfer.probing import Probing
from datafetch.transfer.quota import Quota
from datafetch.transfer.signs import Heard, Latency, Levels, Sent, Span

AGAIN = 0.8  # of what was learned: where the next run starts
START = 2  # places of a host that nothing is known of
BELOW = 0.96  # of the rate last refused: what is held
STEP = 0.05  # by which the rate rises up to there
FAR, FAR_STEP = 0.7, 0.1  # by which it rises while it is that far below
INTERVAL = 0.5  # seconds between steps, or ten requests
LEAST_KEPT = 0.4  # of a rate that was refused
FEW = 16  # accepted since the last refusal: then the rate is plainly too high
SOME = 6  # accepted over several such spans: enough to tell the rate
SLOWEST = 1 / 30  # requests a second, at the least
WORTH_KEEPING = 1.0  # requests a second
DENSE, CATCH_UP = 100.0, 0.02  # requests a second above which steps are short


def following(due: float, now: float, pace: float) -> float:
    """When the request after one that is sent now, and was due then, is due.

    A loop that wakes late may catch up: half a step, or more where steps are shorter than it sleeps.
    """
    late = CATCH_UP if pace > DENSE else min(CATCH_UP, 0.5 / pace)
    return max(due, now - late) + 1 / pace


@dataclass(frozen=True, slots=True)
class Learned:
    """What is worth knowing in the next run; `rate` None: no limit was met."""

    places: int
    rate: float | None = None


class Manners:
    """One host's. The clock is the caller's: `now` in seconds, never falling.

    Call `wait` until it is 0, then `sent`, then exactly once `answered` or `dropped` for what `sent` gave.
    """

    def __init__(self, most: int, now: float, known: Learned | None = None, longest: float = 60.0) -> None:
        self._most = max(1, most)
        self._longest = longest  # seconds of the longest single pause
        fresh = known is None
        known = known or Learned(START)
        self.places = min(self._most, START if fresh else max(1, int(AGAIN * known.places)))
        self.rate = None if known.rate is None else max(SLOWEST, AGAIN * known.rate)
        self.busy = 0
        self._starting = fresh  # slow start
        self._ceiling: int | None = None  # places at which nothing is refused, one more and it is
        self._bounded = known.rate is not None  # whether a refusal was ever laid to the rate
        self._top = known.rate  # the rate last refused
        self._next = now  # when the pace allows the next request
        self._not_before = now
        self._told = -inf  # when the last refusal was acted upon; what was sent before is part of it
        self._alone = False  # one at a time, until one is served
        self._laid_to_rate = False  # the last refusal
        self._ended = Span(now, seconds=1.0)  # what `_since_told` was then
        self._short = Span(now)  # short spans that followed each other
        self._quota: Quota | None = None
        self._quota_until = -inf
        self._since_told = Span(now)
        self._lately = Span(now)  # of the present interval of the rate
        self._round = 0  # answers since places last grew
        self._probing = Probing()
        self._doubt = Doubt()
        self._pause = 0.0
        self._paused_for = 0.0  # within the present span
        self._levels = Levels(self._most)
        self._latency = Latency()

    # --- Asking -------------------------------------------------------------------------------------------------

    def wait(self, now: float) -> float:
        """Seconds until one more may be sent: 0 is now, inf is not before an answer has come."""
        return inf if self.busy >= self.at_once else max(0.0, self.due(now) - now)

    def pace(self, now: float) -> float | None:
        """Requests a second that may be sent now: what was learned, and no more than the host says is left."""
        told = self._quota.pace(self._quota_until - now) if self._quota and now < self._quota_until else None
        if told is None or self.rate is None:
            return self.rate if told is None else told
        return min(told, self.rate)

    def sent(self, now: float) -> Sent:
        self.busy += 1
        pace = self.pace(now)
        if pace is not None:
            self._next = following(self._next, now, pace)
        return Sent(now, self.busy)

    @property
    def at_once(self) -> int:
        """Places as things stand."""
        return 1 if self._alone else self.places

    def due(self, now: float) -> float:
        """When the next may be sent, as far as it is known here who asked."""
        return self._not_before if self.pace(now) is None else max(self._not_before, self._next)

    def sent_elsewhere(self, at: float) -> None:
        """Another process sent a request, by its own count of places: the next is due after it here, too."""
        if (pace := self.pace(at)) is not None:
            self._next = max(self._next, at + 1 / pace)

    # --- Learning -----------------------------------------------------------------------------------------------

    def dropped(self) -> None:
        """A request ended without any answer, or was never sent."""
        self.busy -= 1

    def answered(
        self,
        sent: Sent,
        now: float,
        heard: Heard,
        *,
        took: float | None = None,
        retry_after: float | None = None,
        quota: Quota | None = None,
    ) -> None:
        """`learn` from an answer to what `sent` gave."""
        self.busy -= 1
        self.learn(sent, now, heard, took=took, retry_after=retry_after, quota=quota)

    def learn(
        self,
        sent: Sent,
        now: float,
        heard: Heard,
        *,
        took: float | None = None,
        retry_after: float | None = None,
        quota: Quota | None = None,
    ) -> None:
        """Learn from an answer that came at `now`, whoever sent the request; `took`: seconds until its head, when
        that is better known.
        """
        self._probing.count(heard is Heard.REFUSED)
        if quota is not None:
            self._obey(quota, now)
        if retry_after is not None:
            self._stop(now, retry_after)
        if heard is Heard.REFUSED:
            if self._doubt.on:
                self._doubt.ignored()
            elif sent.at > self._told:
                self._narrow(sent, now, retry_after)
            return
        self._levels.accepted(sent.among)
        if sent.at > self._told:  # else it tells of the while before the refusal
            self._since_told.accepted += 1
            self._lately.accepted += 1
            self._alone = False
            self._doubt.accepted(self.rate)
        if heard is Heard.OK and self._latency.risen(now - sent.at if took is None else took, self.places):
            self.places = max(1, self.places // 2)
            self._starting, self._round = False, 0
        self._widen(sent, now)
        self._quicken(now)

    def learned(self) -> Learned:
        """For the next run. A rate below `WORTH_KEEPING` is not told from a host that was down, which must not be
        asked once a minute for a week because of it.
        """
        return Learned(self.places, self.rate if self.rate is None else max(self.rate, WORTH_KEEPING))

    def _obey(self, quota: Quota, now: float) -> None:
        self._quota, self._quota_until = quota, now + min(quota.reset, self._longest)
        if quota.remaining <= 0:
            self._stop(now, quota.reset)

    def _stop(self, now: float, seconds: float) -> None:
        seconds = min(seconds, self._longest)
        self._not_before = max(self._not_before, now + seconds)
        self._pause = self._paused_for = max(seconds, 0.0)

    def _narrow(self, sent: Sent, now: float, retry_after: float | None) -> None:
        """The first refusal of something sent since the last one was heard of."""
        if self.rate is None:
            # The present interval, not the average since slow start began.
            self.rate = self._top = 1 / max(now - self._lately.since, 0.05) * max(self._lately.accepted, 1)
        again = not self._since_told.accepted
        if not again and retry_after is None and (rate := self._doubt.refused(self.rate)) is not None:
            self._believe_no_limit(rate, now)
            return
        if again:
            self._since_told.barred = True
            self._refused_again(sent)
        else:
            self._ended, self._since_told = self._since_told, Span(now)
            paused = 0.0 if self._ended.barred else min(self._paused_for, now - self._ended.since)
            self._ended.seconds = max(now - self._ended.since - paused, 1e-3)
            self._paused_for = 0.0
            self._add_up(self._ended)
            self._laid_to_rate = not self._levels.crowded(sent.among)
            if self._laid_to_rate:
                self._slow()
            else:
                self._crowd(sent)
        if retry_after is None and self._laid_to_rate:
            self._stop(now, max(2 * self._pause, 0.1) if again else min(1.0, 2 / self.rate))
        self._alone = again or self._laid_to_rate
        self._probing.refused()
        self._starting, self._round = False, 0
        self._told = now
        self._lately = Span(max(now, self._not_before))
        self._next = max(self._next, now)  # nothing is caught up

    def _believe_no_limit(self, rate: float, now: float) -> None:
        """What was learned of limits is forgotten, down to a rate at which most was served."""
        self.rate = self._top = rate
        self._ceiling, self._alone, self._starting, self._round = None, False, True, 0
        self._told = now
        self._lately = self._since_told = Span(now)

    def _add_up(self, ended: Span) -> None:
        """Short spans in a row tell together what a long one does."""
        if ended.accepted >= FEW or self._told == -inf:  # before the first refusal a burst was used up
            self._short = Span(ended.since)
            return
        self._short.accepted += ended.accepted
        self._short.seconds += ended.seconds

    def _refused_again(self, sent: Sent) -> None:
        """Refused with nothing served in between: no new pace was tried, all of a while is refused."""
        if sent.among > 1:
            self._crowd(sent)
        elif not self._laid_to_rate:
            # Alone, and refused: it was not the crowd.
            self._laid_to_rate, self._ceiling = True, None
            self._slow()

    def _crowd(self, sent: Sent) -> None:
        """Fewer places: one less than were refused; half, when that was not to be foreseen."""
        assert self.rate is not None
        probing = self._ceiling is not None and sent.among > self._ceiling
        self._ceiling = sent.among - 1
        self.places = self._ceiling if probing else max(1, min(self.places, sent.among) // 2)
        # A host that counts by the second with no burst looks like this, too: it is served by a slower pace.
        usual = self._latency.usual
        enough = 1.3 * self._ceiling / usual if usual else self.rate
        self._top = self.rate
        if self._bounded:
            self.rate = min(self.rate, max(0.9 * self.rate, enough))
        else:
            self.rate = self._top = max(self.rate, enough)
            self._bounded = usual > 0

    def _slow(self) -> None:
        """A lower rate: as accepted since the last refusal, if that was long enough to tell."""
        assert self.rate is not None
        ended = self._ended
        seen = ended.accepted / ended.seconds
        self._top = self.rate
        if not self._bounded:
            rate = 0.5 * self.rate
        elif ended.accepted < FEW:
            rate = 0.75 * self.rate
            if self._short.accepted >= SOME:
                rate = min(rate, max(2 * self._short.accepted / self._short.seconds, 0.05 * self.rate))
        elif ended.barred:
            rate = min(seen, 0.95 * self.rate)  # all of a window was used, and then the rest of it refused
            self._top = min(self._top, 2 * seen)
        else:
            rate = min(max(seen, LEAST_KEPT * self.rate), 0.95 * self.rate)
            if ended.accepted > 4 * FEW:
                self._top = min(self._top, 1.08 * seen)
        self.rate = max(rate, SLOWEST)
        self._bounded = True

    def _widen(self, sent: Sent, now: float) -> None:
        """One place more, when all were used and nothing speaks against it."""
        if sent.among < self.places or self.places >= self._most or not self._latency.flat:
            return
        if self._starting:
            self.places += 1
            return
        self._round += 1
        if self._round < self.places:
            return
        self._round = 0
        if self._ceiling is not None and self.places >= self._ceiling:
            self._ceiling = self.places  # a probe that went well, or none
            if not self._probing.allowed(now - self._told, self._pause):
                return
            self._probing.begin()
        self.places += 1

    def _quicken(self, now: float) -> None:
        """The next step of the rate, once an interval is over in which it was used."""
        seconds = now - self._lately.since
        if seconds < max(INTERVAL, 10 / (self.rate or inf)):
            return
        if self.rate is None or self._top is None:
            self._lately = Span(now)
            return
        used = self._lately.accepted >= 0.8 * self.rate * seconds
        self._lately = Span(now)
        if not used:
            return
        goal = BELOW * self._top
        if self.rate < goal:
            far = self.rate < FAR * self._top
            self.rate = min(goal, self.rate * (1 + (FAR_STEP if far else STEP)))
        elif self._probing.allowed(now - self._told, self._pause):
            self.rate *= 1 + self._probing.step()
            self._top = max(self._top, self.rate)
