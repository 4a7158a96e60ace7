"""Errands spread over hosts and processes: each host has a queue, so that a slow one holds up nobody else's.

What one host may be asked together is shared among the processes that ask it: one of them, or several when the host
has no pace and one process is not enough. A process is given a few more rows than it may ask at once, so that it never
waits for us; the faster they come back, the more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from datafetch.errors import TransferLimit
from datafetch.images.ask import Again, Asker, Death, Errand, Found, Lost
from datafetch.images.barren import Barren
from datafetch.images.items import Item
from datafetch.images.posts import SOON, Host
from datafetch.images.wire import Answered, Ended
from datafetch.images.workers import Load, Process, Workers
from datafetch.model import Why
from datafetch.transfer.courtesy import Courtesy
from datafetch.transfer.robots import Robots
from datafetch.transfer.signs import Heard, Sent


class Spread:
    """`then` is called with each item and what became of it. `go_on` raises when no more may be begun."""

    def __init__(
        self,
        asker: Asker,
        workers: Workers,
        courtesy: Courtesy,
        robots: Robots | None,  # None: what they forbid is taken, too
        then: Callable[[Item, Found | Lost], None],
        go_on: Callable[[], None],
    ) -> None:
        self._asker, self._workers, self._courtesy, self._robots = asker, workers, courtesy, robots
        self._then, self._go_on = then, go_on
        self._loop = asyncio.get_running_loop()
        self._hosts: dict[str, Host] = {}
        self._barren: dict[str, Barren] = {}  # by host; kept while it has no rows
        self._of: dict[Errand, Host] = {}  # of those that a process has
        self._number = 0
        self._hungry: deque[Host] = deque()
        self._dealing = False
        self._alone: deque[Errand] = deque()  # those that may have killed a process are asked one at a time
        self._suspect: Errand | None = None
        self._waits: dict[Errand, asyncio.TimerHandle] = {}
        self._error: BaseException | None = None
        self._moved = asyncio.Event()
        self._touched: set[Load] = set()  # by the frame that is being read
        self._halted = False
        self.open = 0  # items that are not settled
        workers.listener = self

    # --- What the list does ---------------------------------------------------------------------------------

    def put(self, item: Item, path: str) -> None:
        self.open += 1
        self._route(self._asker.errand(item, path))

    async def below(self, most: int) -> None:
        """Returns once at most so many items are not settled. Raises what went wrong."""
        self.check()
        while self.open > most:
            self._moved.clear()
            await self._moved.wait()
            self.check()

    def check(self) -> None:
        """Raises what went wrong."""
        if self._error is not None:
            raise self._error

    async def rest(self, seconds: float) -> None:
        """Begins nothing more, and waits for what is under way, but no longer than that."""
        self.halt()
        until = self._loop.time() + seconds
        while self._of and (left := until - self._loop.time()) > 0:
            self._moved.clear()
            try:
                await asyncio.wait_for(self._moved.wait(), left)
            except TimeoutError:
                return

    def halt(self) -> None:
        """Begins nothing more, and takes back what was not asked."""
        self._halted = True
        for timer in self._waits.values():
            timer.cancel()
        for host in self._hosts.values():
            if host.timer is not None:
                host.timer.cancel()
            host.recall_all()

    # --- What the processes say -----------------------------------------------------------------------------

    def answered(self, process: Process, errand: Errand, answered: Answered | None) -> None:
        host = self._of[errand]
        post = host.posts[process]
        for load in (process.load, post.load):
            load.answered()
        self._touched.add(post.load)
        self._look_at(host)
        host.relieve(post)
        if answered is None:
            return
        post.heard(answered)
        if answered.told.heard is Heard.REFUSED:
            self._barren.setdefault(host.name, Barren()).refused(self._loop.time())
        elif (barren := self._barren.get(host.name)) is not None:
            barren.served()
        self._courtesy.heard(host.name, Sent(answered.at, answered.among), answered.told)

    def ended(self, process: Process, errand: Errand, ended: Ended) -> None:
        host = self._of.pop(errand)
        if ended.why and ended.answered is None:
            barren = self._barren.setdefault(host.name, Barren())
            barren.silent(errand.item.number, Why(ended.why), self._loop.time())
        if ended.why == Why.LIMIT:
            try:
                self._workers.check()
            except TransferLimit as error:
                self._fail(error)
                return
        self._act(errand, self._asker.ended(errand, ended))

    def came_back(self, process: Process, errands: list[Errand]) -> None:
        for errand in reversed(errands):
            host = self._of.pop(errand)
            post = host.posts[process]
            post.load.asking -= 1
            process.load.asking -= 1
            host.relieve(post)
            host.waiting.appendleft(errand)
            self._look_at(host)

    def heard(self, process: Process) -> None:
        """Deals at once: the process may have nothing left to ask."""
        for load in (process.load, *self._touched):
            load.frame_ended()
        self._touched.clear()
        self._deal()
        self._moved.set()

    def died(self, process: Process, deaths: list[tuple[Errand, Death]]) -> None:
        for host in self._hosts.values():
            if host.posts.pop(process, None) is not None:
                self._look_at(host)
        for errand, death in deaths:
            del self._of[errand]
            self._act(errand, self._asker.died(errand, death))
        self._moved.set()

    # --- From one station of an errand to the next ----------------------------------------------------------

    def _act(self, errand: Errand, then: Found | Lost | Again) -> None:
        if errand is self._suspect:
            self._suspect = None
        if not isinstance(then, Again):
            self.open -= 1
            try:
                self._then(errand.item, then)
            except Exception as error:
                self._fail(error)
        elif then.wait:
            self._waits[errand] = self._loop.call_later(then.wait, self._waited, errand)
        elif errand.deaths:
            self._alone.append(errand)
        else:
            self._route(errand)
        if self._alone and self._suspect is None:
            self._suspect = self._alone.popleft()
            self._route(self._suspect)

    def _route(self, errand: Errand) -> None:
        """To the queue of its host, once its robots.txt is known and does not forbid it."""
        if self._robots is not None and errand.address == errand.url:
            rules = self._robots.rules(errand.url)
            if not rules.done():
                rules.add_done_callback(lambda _: self._route(errand))
                return
            try:
                allowed = rules.result().allow(errand.url)
            except BaseException as error:
                self._fail(error)
                return
            if not allowed:
                self._act(errand, self._asker.forbidden(errand))
                self._moved.set()
                return
        name = errand.host
        host = self._hosts.get(name)
        if host is None:
            self._number += 1
            host = self._hosts[name] = Host(name, self._number)
        host.waiting.append(errand)
        self._look_at(host)

    def _waited(self, errand: Errand) -> None:
        del self._waits[errand]
        self._route(errand)

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self._moved.set()

    # --- Dealing --------------------------------------------------------------------------------------------

    def _look_at(self, host: Host) -> None:
        if not host.hungry:
            host.hungry = True
            self._hungry.append(host)
        if not self._dealing:
            self._dealing = True
            self._loop.call_soon(self._deal)

    def _deal(self) -> None:
        """Gives rows away, host by host, while there is a process that can take some."""
        self._dealing = False
        if self._halted or self._error is not None:
            return
        try:
            self._go_on()
            self._workers.check()
            if self._hungry:
                self._workers.grow()
            for _ in range(len(self._hungry)):
                if not self._has_room():
                    break
                host = self._hungry.popleft()
                host.hungry = False
                if self._serve(host):
                    host.hungry = True
                    self._hungry.append(host)
        except Exception as error:
            self._fail(error)

    def _has_room(self) -> bool:
        return any(process.room > 0 for process in self._workers.processes)

    def _serve(self, host: Host) -> bool:
        """Gives away rows of a host; whether some are left that only lack a process."""
        barren = self._barren.get(host.name)
        if barren is not None and (why := barren.given_up(self._loop.time())) is not None:
            self._give_up(host, why)
        if not host.waiting:
            if not any(post.load.asking for post in host.posts.values()):
                host.recall_all()
                if host.timer is not None:  # its rows went in the last moments of a wait
                    host.timer.cancel()
                    host.timer = None
                self._hosts.pop(host.name, None)
            return False
        terms = self._courtesy.terms(host.name)
        wait = terms.not_before - self._loop.time()
        if wait <= SOON:
            host.staff(terms, self._workers.processes)
        elif host.timer is None:
            host.timer = self._loop.call_later(wait - SOON / 2, self._in_time, host)
        host.tell(terms, self._loop.time())
        if wait > SOON:
            return False
        lacking = not host.posts
        for post in host.posts.values():
            count = min(post.room, len(host.waiting))
            lacking = lacking or post.process.room < count
            for _ in range(min(count, post.process.room)):
                errand = host.waiting.popleft()
                self._of[errand] = host
                post.load.asking += 1
                post.process.load.asking += 1
                self._workers.give(post.process, host.number, errand, self._asker.never(errand))
        return lacking and bool(host.waiting)

    def _give_up(self, host: Host, why: Why) -> None:
        """The rows that wait for a host end, or go to their next address."""
        while host.waiting:  # the next address may be at the same host
            errand = host.waiting.popleft()
            self._act(errand, self._asker.given_up(errand, why))
        self._moved.set()

    def _in_time(self, host: Host) -> None:
        host.timer = None
        self._look_at(host)
