"""The loop: steps side by side, looked at again after each, and never for ever."""

from __future__ import annotations

import asyncio
import gc

import pytest

from datafetch.errors import NoRoom
from datafetch.model import Plan, Step, Verb
from datafetch.run.settle import TRIES, settle

A, B = Step(Verb.GET, "a"), Step(Verb.GET, "b")


def run(look, act, at_once=lambda verb: 4) -> None:  # type: ignore[no-untyped-def]
    asyncio.run(asyncio.wait_for(settle(look, act, at_once), timeout=5))


def test_it_stops_when_nothing_is_left() -> None:
    left = [A, B]

    async def act(step: Step) -> None:
        left.remove(step)

    run(lambda: Plan(tuple(left)), act)
    assert not left


def test_a_step_that_changes_nothing_is_left_alone_after_some_tries() -> None:
    done: list[Step] = []

    async def act(step: Step) -> None:
        done.append(step)

    run(lambda: Plan((A,)), act)
    assert done == [A] * TRIES


def test_what_becomes_possible_starts_before_the_rest_has_ended() -> None:
    seen: list[str] = []
    freed = asyncio.Event()
    plan = [A, B]

    async def act(step: Step) -> None:
        seen.append(f"{step.verb} {step.name}")
        if step == A:
            plan.remove(A)
            plan.append(Step(Verb.EXTRACT, "a"))
        elif step == B:
            await freed.wait()
            plan.remove(B)
        else:
            plan.remove(step)
            freed.set()

    run(lambda: Plan(tuple(plan)), act)
    assert seen == ["get a", "get b", "extract a"]


def test_no_more_run_at_once_than_allowed() -> None:
    steps = [Step(Verb.GET, str(i)) for i in range(9)]
    running = most = 0

    async def act(step: Step) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        steps.remove(step)

    run(lambda: Plan(tuple(steps)), act, lambda verb: 3)
    assert most == 3


def test_an_error_ends_the_others_before_it_is_raised() -> None:
    ended: list[str] = []

    async def act(step: Step) -> None:
        if step == B:
            raise NoRoom("no space left")
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(step.name)

    with pytest.raises(NoRoom):
        run(lambda: Plan((A, B)), act)
    assert ended == ["a"]


def test_errors_of_the_same_moment_are_all_looked_at() -> None:
    """Of two transfers that a limit stopped at once, one was reported by a traceback on stderr."""
    forgotten: list[object] = []

    async def act(step: Step) -> None:
        raise NoRoom("no space left")

    async def loop() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, about: forgotten.append(about))
        with pytest.raises(NoRoom):
            await settle(lambda: Plan((A, B)), act, lambda verb: 4)
        gc.collect()

    asyncio.run(loop())
    assert forgotten == []
