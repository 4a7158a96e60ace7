"""How rows are dealt to processes: the moments between a wait, a row that is given away and a process that dies."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from datafetch.images.ask import Asker, Death, Errand, Lost
from datafetch.images.barren import LINES, LONG, Barren
from datafetch.images.items import Item
from datafetch.images.spread import Spread
from datafetch.images.workers import Load, Workers
from datafetch.model import Why
from datafetch.transfer.courtesy import Courtesy
from datafetch.transfer.hosts import Hosts
from datafetch.transfer.wanted import Ways


@dataclass(eq=False)
class Process:
    """One that takes what it is given and never answers."""

    room: int = 9
    load: Load = field(default_factory=Load)
    wire: Any = field(default_factory=lambda: SimpleNamespace(send=lambda message: None))


class Given(Workers):
    """One process, and what it was given."""

    def __init__(self) -> None:
        self.processes = [cast(Any, Process())]
        self.errands: list[Errand] = []

    def grow(self) -> None: ...

    def check(self) -> None: ...

    def give(self, process: object, host: int, errand: Errand, never: str) -> None:
        self.errands.append(errand)


def test_a_host_whose_rows_went_in_the_last_moments_of_its_wait_is_let_go_whole() -> None:
    """Its timer was left behind and looked at it once more: KeyError, and the whole list was given up; had another row
    come for the host meanwhile, the queue with that row was deleted.
    """
    asyncio.run(_deal())


async def _deal() -> None:
    hosts, workers, done = Hosts(4), Given(), list[Lost]()
    ways = cast(Ways, SimpleNamespace(mirrors=(), mirror_only=False))
    then = cast(Any, lambda item, lost: done.append(lost))
    spread = Spread(Asker("list", ways), workers, Courtesy(hosts, 4), None, then, lambda: None)

    def put(number: int) -> None:
        spread.put(Item(number, f"{number}", (f"https://h.example/{number}",)), f"{number}")

    hosts.slow("h.example", 0.7)
    put(1)  # waits, with a timer for the last half second
    await asyncio.sleep(0.3)
    assert not workers.errands
    put(2)  # the wait is nearly over: both are given away
    await asyncio.sleep(0.05)
    spread.check()
    assert len(workers.errands) == 2
    how = Death("it died", decoding=True, suspect=True, guilty=True)
    spread.died(workers.processes[0], [(errand, how) for errand in workers.errands])
    await asyncio.sleep(0.3)  # the timer would have come by now
    spread.check()
    assert len(done) == 2 and spread.open == 0
    put(3)
    await asyncio.sleep(0.05)
    spread.check()
    assert len(workers.errands) == 3


def test_rows_of_a_host_that_is_given_up_end_or_go_to_their_next_address() -> None:
    """300 rows of a host that answered 503 to everything were asked once a minute, four times each: 20 hours."""
    asyncio.run(_give_up())


async def _give_up() -> None:
    workers, done = Given(), list[Lost]()
    ways = cast(Ways, SimpleNamespace(mirrors=(), mirror_only=False))
    then = cast(Any, lambda item, lost: done.append(lost))
    spread = Spread(Asker("list", ways), workers, Courtesy(Hosts(4), 4), None, then, lambda: None)
    barren = spread._barren["down.example"] = Barren()
    for row in range(LINES + 1):
        barren.silent(row, Why.CONNECTION, asyncio.get_running_loop().time() - (LONG if row == 0 else 0))
    spread.put(Item(1, "1", ("https://down.example/1",)), "1")
    spread.put(
        Item(2, "2", ("https://down.example/2", "https://down.example/b", "https://up.example/2")), "2"
    )
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [(lost.why, lost.url) for lost in done] == [(Why.CONNECTION, "https://down.example/1")]
    assert [errand.address for errand in workers.errands] == ["https://up.example/2"]


def test_a_host_that_a_mirror_stands_for_holds_up_no_other() -> None:
    """All that a mirror stands for was one host: one that refused had 2,000 rows of eight others wait."""
    asyncio.run(_mirrored())


async def _mirrored() -> None:
    hosts, workers = Hosts(4), Given()
    ways = cast(Ways, SimpleNamespace(mirrors=("http://mirror.example",), mirror_only=True))
    spread = Spread(Asker("list", ways), workers, Courtesy(hosts, 4), None, cast(Any, None), lambda: None)
    hosts.slow("mirror.example for slow.example", 60.0)
    spread.put(Item(1, "1", ("https://slow.example/1",)), "1")
    spread.put(Item(2, "2", ("https://quick.example/2",)), "2")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [errand.address for errand in workers.errands] == ["http://mirror.example/quick.example/2"]
    spread.halt()
