"""Who asks a host: the processes at their posts there, and how its places are shared among them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from datafetch.images.ask import Errand
from datafetch.images.wire import Answered, Terms
from datafetch.images.workers import Load, Process
from datafetch.transfer.courtesy import Terms as OfHost
from datafetch.transfer.gait import Grant, asks_for_less

MANY, LONG = 8, 64  # places of a host, and rows that wait for it, from which on several processes ask it
SOON = 0.5  # seconds for which rows of a host with a pace are given away

NONE = Grant(0)


@dataclass(eq=False, slots=True)
class Post:
    """One process at one host."""

    process: Process
    grant: Grant = NONE  # what it was told last
    granted: float = 0.0  # when
    using: int = 0  # places that it may still use: more than granted, until it is known to have heard of that
    load: Load = field(default_factory=Load)
    halts: int = 0  # answers for which it holds
    closed: bool = False  # what it has comes back or to its end

    @property
    def taken(self) -> int:
        """Places that are lost to others."""
        return self.using if self.load.asking else 0

    @property
    def room(self) -> int:
        """Rows that it can be given."""
        if self.closed or not self.grant.places:
            return 0
        most = self.load.room(self.grant.places)
        if self.grant.pace is None:
            return most
        return min(most, 1 + int(self.grant.pace * SOON) - self.load.asking)

    def heard(self, answered: Answered) -> None:
        """What an answer tells of the process: whether it knows of its grant, and whether it holds now."""
        among = answered.among - self.grant.others
        if self.using > self.grant.places and answered.at > self.granted and among <= self.grant.places:
            self.using = self.grant.places
        self.halts += asks_for_less(answered.told)


@dataclass(eq=False, slots=True)
class Host:
    """One host: the errands that wait for it, and the posts from which it is asked."""

    name: str
    number: int
    waiting: deque[Errand] = field(default_factory=deque)
    posts: dict[Process, Post] = field(default_factory=dict)
    hungry: bool = False  # it waits to be looked at
    timer: asyncio.TimerHandle | None = None

    def staff(self, terms: OfHost, processes: Sequence[Process]) -> None:
        """Sees to it that as many processes ask as should."""
        staff = self._open()
        one = terms.pace is not None or terms.places < 2
        if one and len(staff) > 1:
            keep = max(staff, key=lambda post: post.load.asking)
            for post in staff:
                if post is not keep:
                    self.recall(post)
            return
        crowd = terms.places >= MANY and len(self.waiting) >= LONG
        full = all(post.process.room <= 0 for post in staff)
        if not staff or (not one and len(staff) < terms.places and (crowd or full)):
            others = [p for p in processes if p not in self.posts and p.room > 0]
            if others:
                process = max(others, key=lambda p: p.room)
                self.posts[process] = Post(process)

    def tell(self, terms: OfHost, now: float) -> None:
        """Shares the places among the processes, and lets them know."""
        taken = sum(post.taken for post in self.posts.values())
        staff = self._open()
        for at, post in enumerate(staff):
            fair = terms.places // len(staff) + (at < terms.places % len(staff))
            places = min(fair, terms.places - (taken - post.taken))
            if places < 1:
                if not post.grant.places:
                    continue  # the others must hear of it first
                places = 1
            grant = Grant(places, terms.pace, terms.not_before, terms.places - places, post.halts)
            if grant != post.grant:
                before = post.taken
                post.using = max(places, post.taken)
                post.granted = now
                post.grant = grant
                taken += post.taken - before
                post.process.wire.send(Terms(self.number, grant))

    def recall(self, post: Post) -> None:
        """Lets a process ask no more here; what it has not asked comes back."""
        if post.grant.places:
            post.process.wire.send(Terms(self.number, NONE))
        post.closed = True
        self.relieve(post)

    def recall_all(self) -> None:
        for post in tuple(self.posts.values()):
            self.recall(post)

    def relieve(self, post: Post) -> None:
        """A post that is closed goes with the last row that it had."""
        if post.closed and not post.load.asking:
            self.posts.pop(post.process, None)

    def _open(self) -> list[Post]:
        return [post for post in self.posts.values() if not post.closed]
