"""Whether upstream still has what is here: asked once a run, told in notes, never a reason to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from datafetch.errors import DatafetchError
from datafetch.model import Artifact, Event, Settings, Standing
from datafetch.obtain.standing import CHANGED, GONE, UNCHANGED, standings
from datafetch.stops import deadline, signals
from datafetch.store.home import Home

WHAT_TO_DO = "what is here stays as it is; the new version can be built into another folder with -o"


def look_upstream(
    home: Home,
    artifacts: Sequence[Artifact],
    settings: Settings,
    tell: Callable[[Event], None],
    seconds: float | None,
) -> tuple[Standing, ...]:
    """How upstream stands to each file of `artifacts`, which are built here. Raises Interrupted at a signal, and
    TimeLimit after so many seconds.
    """

    async def ask() -> tuple[Standing, ...]:
        reasons: list[DatafetchError] = []
        task = asyncio.ensure_future(standings(home, artifacts, settings, tell))

        def stop(reason: DatafetchError) -> None:
            if not reasons:
                reasons.append(reason)
                task.cancel()

        with signals(stop), deadline(stop, seconds):
            await asyncio.wait((task,))
        if reasons:
            raise reasons[0]
        return task.result()

    found = asyncio.run(ask())
    for one in found:
        if one.state != UNCHANGED:
            tell(Event("note", one.name, url=one.url, text=told(one)))
    same = sum(one.state == UNCHANGED for one in found)
    if same:
        files = "1 file" if same == 1 else f"{same:,} files"
        tell(Event("note", home.dataset, text=f"{home.dataset}: {files} unchanged upstream"))
    elif not found:
        text = f"{home.dataset}: nothing that is here has an address to be asked at"
        tell(Event("note", home.dataset, text=text))
    return found


def worth_telling(one: Standing) -> bool:
    """Whether it is for a person to know who wants to hear of nothing that is well."""
    return one.state in (CHANGED, GONE)


def told(one: Standing) -> str:
    """One line for a person, with what to do."""
    if one.state == CHANGED:
        return f"{one.name}: changed upstream: {one.text}; {WHAT_TO_DO}"
    if one.state == GONE:
        return f"{one.name}: gone upstream ({one.text}): keep what is here, it may be the last copy you get"
    return f"{one.name}: whether it changed upstream is not known: {one.text}"
