"""The order of work that takes least disk: one archive at a time, the largest first; pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum

from datafetch.model import Artifact, Plan, Seen, State, Step, Verb
from datafetch.plan.difference import needs


class Order(StrEnum):
    """How much is under way at a time."""

    WIDE = "wide"  # several transfers, and the archive that came first is unpacked meanwhile
    NARROW = "narrow"  # an archive is fetched, unpacked and freed before the next is asked for


def ranked(
    wanted: Sequence[Artifact], seen: Mapping[str, Seen], archives: Mapping[str, int | None]
) -> tuple[str, ...]:
    """The names of what is wanted, in the order in which it is got when room is short.

    An archive takes room only until it is unpacked, on top of all trees before it: so the largest is first, when
    those are few, and what is no archive is last. One of unknown size may be the largest. What a killed run has
    begun takes room already and goes before; so does what others need to be unpacked.
    """

    def key(artifact: Artifact) -> tuple[bool, float]:
        size = archives[artifact.name]
        begun = seen.get(artifact.name, Seen()).state is State.PARTIAL
        return not begun, float("-inf") if size is None else -size

    names: dict[str, None] = {}

    def add(artifact: Artifact, above: tuple[str, ...]) -> None:
        if artifact.name in names or artifact.name in above:
            return
        needed = needs(artifact, wanted)
        for other in wanted:
            if other.name in needed:
                add(other, (*above, artifact.name))
        names[artifact.name] = None

    for artifact in sorted(wanted, key=key):
        add(artifact, ())
    return tuple(names)


def narrowed(plan: Plan, ranks: Sequence[str], running: Collection[Step] = ()) -> Plan:
    """Of a plan the folders to build, which takes no room, and one step more: that under way, or an archive to
    unpack, or the first to get.
    """
    builds = tuple(step for step in plan.steps if step.verb is Verb.BUILD)
    others = [step for step in plan.steps if step.verb is not Verb.BUILD]
    if under_way := [step for step in others if step in running]:
        return Plan((*builds, *under_way))
    if any(step.verb is not Verb.BUILD for step in running):  # it has done its work, and is about to end
        return Plan(builds)
    first = min(others, key=_place_in(ranks), default=None)
    return Plan(builds if first is None else (*builds, first))


def _place_in(ranks: Sequence[str]) -> Callable[[Step], tuple[bool, int]]:
    return lambda step: (step.verb is not Verb.EXTRACT, ranks.index(step.name))
