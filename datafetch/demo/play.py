"""What `datafetch demo` does: the true code path over a loopback server that misbehaves, and the story of
it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from datafetch.demo import data
from datafetch.demo.server import Answer, FaultServer, Thing, corrupt, drop_after, first, status, web_page
from datafetch.demo.story import story, tree
from datafetch.errors import Interrupted
from datafetch.model import Choice, Event, Settings
from datafetch.recipe import registry
from datafetch.report import Report
from datafetch.run import get


@dataclass(frozen=True, slots=True)
class Played:
    report: Report
    lines: tuple[str, ...]  # what to print, 80 columns at most


def play(root: Path, emit: Callable[[Event], None] = lambda event: None) -> Played:
    """Gets the whole demo into `root` as a user would, then once more, and tells what happened.

    The report is that of the first run. Raises what `run.get` raises, such as Locked for a folder in use.
    """
    recipe = registry.load("demo")
    events: list[Event] = []
    lock = threading.Lock()

    def keep(event: Event) -> None:
        with lock:
            events.append(event)
        emit(event)

    with FaultServer(answers(data.upstream()).get) as server:
        settings = Settings(root=str(root.absolute()), jobs=8, mirrors=(server.url,), mirror_only=True)
        everything = Choice(everything=True)
        report = get(recipe, everything, settings, keep)
        if report.exit_code > 128:
            raise Interrupted("interrupted", hint="datafetch demo starts anew")
        asked = len(server.seen)
        again = get(recipe, everything, settings)
        asked_again = len(server.seen) - asked
    lines = (
        *story(events),
        "",
        *tree(root, recipe.folders),
        "",
        *_summary(report, asked),
        f"a second run asked {asked_again} times and took {1000 * again.seconds:.0f} ms",
    )
    return Played(report, lines)


def answers(files: Mapping[str, bytes]) -> dict[str, Answer]:
    """What the server answers by path: the demo's files, as a mirror serves them, and what goes wrong at
    first.
    """
    things = {f"/{address}": Thing(body) for address, body in files.items()}
    flawed: dict[str, Callable[[Thing], Answer]] = {
        f"/{data.HOST}/demo.zip": lambda thing: first(1, drop_after(60_000, thing), thing),
        f"/{data.HOST}/demo_negatives.zip": lambda thing: first(1, status(503, Retry_After=1), thing),
        f"/{data.HOST}/demo_dreambooth_cfg_5.zip": lambda thing: first(1, corrupt(thing), thing),
        f"/{data.HOST}/demo_dense.zip.ae": lambda thing: first(1, corrupt(thing), thing),
        f"/{data.address(3)}": lambda thing: first(1, web_page(), thing),
        f"/{data.address(20)}": lambda thing: first(1, drop_after(900, thing), thing),
    }
    gone = {f"/{data.address(data.GONE)}": status(410)}
    return {**things, **{path: fault(things[path]) for path, fault in flawed.items()}, **gone}


def _summary(report: Report, asked: int) -> tuple[str, ...]:
    ok, total = report.counts["ok"], report.counts["total"]
    return (
        f"{report.status}: {ok} of {total} files after {asked} requests in {report.seconds:.1f} s",
        f"tree digest {report.tree_digest}",
    )
