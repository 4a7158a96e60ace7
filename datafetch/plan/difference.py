"""The plan: what the recipe wants, less what is there."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from datafetch.model import Artifact, Derived, Inventory, Plan, Seen, State, Step, UrlList, Verb


def difference(wanted: Sequence[Artifact], seen: Inventory, given_up: Collection[str] = ()) -> Plan:
    """What can be done now to bring the inventory nearer to the wanted artifacts; empty when nothing can.

    state of an artifact    step
    absent, partial         get it (a URL list: once the artifact that holds the list is in the staging folder,
                            and no list before it that names files alike is still to be got; a derived one: once
                            all that it is made of is staged or built)
    fetched                 extract it
    staged                  build its folder, once every wanted artifact of that folder is staged or built
    built                   none

    Artifacts in `given_up` failed for good in this run: they get no step, nor does their folder.
    """
    steps = []
    for artifact in wanted:
        if artifact.name in given_up:
            continue
        now = seen.get(artifact.name, Seen())
        match now.state:
            case State.ABSENT | State.PARTIAL if (
                _list_is_here(artifact, seen)
                and _inputs_are_here(artifact, wanted, seen)
                and not _waits(artifact, wanted, seen, given_up)
            ):
                steps.append(Step(Verb.GET, artifact.name, now.lost))
            case State.FETCHED:
                steps.append(Step(Verb.EXTRACT, artifact.name, now.lost))
    steps.extend(Step(Verb.BUILD, folder) for folder in _ready_folders(wanted, seen, given_up))
    return Plan(tuple(steps))


def with_holders(wanted: Sequence[Artifact], artifacts: Sequence[Artifact]) -> tuple[Artifact, ...]:
    """The wanted artifacts, in the recipe's order, and those that hold the lists of wanted URL lists."""
    names = {artifact.name for artifact in wanted}
    for artifact in wanted:
        owner = holder(artifact.source, artifacts) if isinstance(artifact.source, UrlList) else None
        if owner is not None:
            names.add(owner.name)
    return tuple(artifact for artifact in artifacts if artifact.name in names)


def holder(source: UrlList, artifacts: Sequence[Artifact]) -> Artifact | None:
    """The artifact that holds the list."""
    return holder_of(source.file, artifacts)


def holder_of(path: str, artifacts: Sequence[Artifact]) -> Artifact | None:
    """The artifact that a path of a recipe begins with: that of the longest name."""
    owners = [a for a in artifacts if path == a.name or path.startswith(a.name + "/")]
    return max(owners, key=lambda a: len(a.name), default=None)


def made_of(source: Derived, wanted: Sequence[Artifact]) -> tuple[Artifact, ...]:
    """Of the wanted artifacts those that a derived one is made of."""
    found = (holder_of(path, wanted) for _, paths in source.inputs for path in paths)
    return tuple(dict.fromkeys(owner for owner in found if owner is not None))


def _list_is_here(artifact: Artifact, seen: Inventory) -> bool:
    if not isinstance(artifact.source, UrlList):
        return True
    file = artifact.source.file
    return any(
        now.state in (State.STAGED, State.BUILT)
        for name, now in seen.items()
        if file == name or file.startswith(name + "/")
    )


def _inputs_are_here(artifact: Artifact, wanted: Sequence[Artifact], seen: Inventory) -> bool:
    if not isinstance(artifact.source, Derived):
        return True
    needed = made_of(artifact.source, wanted)
    return all(seen.get(a.name, Seen()).state in (State.STAGED, State.BUILT) for a in needed)


def _waits(
    artifact: Artifact, wanted: Sequence[Artifact], seen: Inventory, given_up: Collection[str]
) -> bool:
    """Whether a list before this one may still bring files of the same names: those are fetched once."""
    before = wanted[: wanted.index(artifact)]
    return any(
        artifact.shares_names(other)
        and other.name not in given_up
        and seen.get(other.name, Seen()).state in (State.ABSENT, State.PARTIAL)
        for other in before
    )


def _ready_folders(wanted: Sequence[Artifact], seen: Inventory, given_up: Collection[str]) -> list[str]:
    states: dict[str, set[State]] = {}
    for artifact in wanted:
        states.setdefault(artifact.folder, set()).add(seen.get(artifact.name, Seen()).state)
    spoilt = {artifact.folder for artifact in wanted if artifact.name in given_up}
    return [
        folder
        for folder, found in states.items()
        if folder not in spoilt and State.STAGED in found and found <= {State.STAGED, State.BUILT}
    ]
