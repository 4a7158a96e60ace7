"""The plan: what the recipe wants, less what is there."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from datafetch.model import Artifact, Derived, Inventory, Plan, Seen, State, Step, UrlList, Verb


def difference(wanted: Sequence[Artifact], seen: Inventory, given_up: Collection[str] = ()) -> Plan:
    """What can be done now to bring the inventory nearer to the wanted artifacts; empty when nothing can.

    state of an artifact    step
    absent, partial         get it (a URL list: once the artifact that holds the list is here, and those that
                            `after` names, and no list before it that names files alike is still to be got; a
                            derived one: once all that it is made of is here)
    fetched                 extract it, once those that `after` names are here
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
            case State.ABSENT | State.PARTIAL if _can_be_got(artifact, wanted, seen, given_up):
                steps.append(Step(Verb.GET, artifact.name, now.lost))
            case State.FETCHED if _all_here(artifact, wanted, seen, given_up):
                steps.append(Step(Verb.EXTRACT, artifact.name, now.lost))
    steps.extend(Step(Verb.BUILD, folder) for folder in _ready_folders(wanted, seen, given_up))
    return Plan(tuple(steps))


def with_holders(wanted: Sequence[Artifact], artifacts: Sequence[Artifact]) -> tuple[Artifact, ...]:
    """The wanted artifacts, in the recipe's order, and those that hold the lists of wanted URL lists."""
    names: set[str] = set()
    more = {artifact.name for artifact in wanted}
    while more := more - names:
        names |= more
        added = [artifact for artifact in artifacts if artifact.name in more]
        more = {name for artifact in added for name in artifact.after}
        for artifact in added:
            owner = holder(artifact.source.file, artifacts) if isinstance(artifact.source, UrlList) else None
            more |= {owner.name} if owner is not None else set()
    return tuple(artifact for artifact in artifacts if artifact.name in names)


def holder(file: str, artifacts: Sequence[Artifact]) -> Artifact | None:
    """The artifact that holds the file: the longest name that its path begins with."""
    owners = [a for a in artifacts if file == a.name or file.startswith(a.name + "/")]
    return max(owners, key=lambda a: len(a.name), default=None)


def made_of(source: Derived, artifacts: Sequence[Artifact]) -> tuple[Artifact, ...]:
    """Of these artifacts those that a derived one is made of."""
    found = (holder(path, artifacts) for _, paths in source.inputs for path in paths)
    return tuple(dict.fromkeys(owner for owner in found if owner is not None))


def needs(artifact: Artifact, wanted: Sequence[Artifact]) -> tuple[str, ...]:
    """The artifacts whose files are read to ask for the items of a list, to unpack, or to derive."""
    match artifact.source:
        case UrlList(file=file):
            owner = holder(file, wanted)
            return (*artifact.after, owner.name) if owner is not None else artifact.after
        case Derived() as source:
            return (*artifact.after, *(owner.name for owner in made_of(source, wanted)))
        case _:
            return artifact.after


def _all_here(
    artifact: Artifact, wanted: Sequence[Artifact], seen: Inventory, given_up: Collection[str]
) -> bool:
    """Whether the files that this artifact needs are here, and stay where they are while it reads them.

    Those staged for a folder of their own are about to be moved into it; it is built first, unless it never is.
    """
    needed = needs(artifact, wanted)
    for other in wanted:
        if other.name not in needed:
            continue
        state = seen.get(other.name, Seen()).state
        mates = [each.name for each in wanted if each.folder == other.folder]
        stays = other.folder == artifact.folder or any(name in given_up for name in mates)
        if state is not State.BUILT and not (state is State.STAGED and stays):
            return False
    return True


def _can_be_got(
    artifact: Artifact, wanted: Sequence[Artifact], seen: Inventory, given_up: Collection[str]
) -> bool:
    if isinstance(artifact.source, UrlList):
        return _all_here(artifact, wanted, seen, given_up) and not _waits(artifact, wanted, seen, given_up)
    free = not artifact.several and not isinstance(artifact.source, Derived)
    return free or _all_here(artifact, wanted, seen, given_up)


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
