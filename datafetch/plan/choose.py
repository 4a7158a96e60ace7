"""What of a recipe is wanted: a Choice checked against the recipe, and the artifacts it selects; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from itertools import combinations

from datafetch.errors import UnknownName, UsageError
from datafetch.model import Artifact, Choice, Recipe

Picks = dict[str, str]  # option -> value, or several as A,B


def choose(recipe: Recipe, choice: Choice) -> tuple[Artifact, ...]:
    """The artifacts that a choice selects, in the order of the recipe; never none.

        picked nothing   artifacts without `choose`, and those of the options' defaults
        an option        as well, artifacts whose every `choose` is picked; what is missing for that is filled
                         in when only one value, or the default, is possible
        everything       all artifacts but those that a picked option, or the default of alternatives, rules out
        only groups      of these only those groups; a group of which nothing is selected is taken whole

    Raises UnknownName for an option, value, group or combination that does not exist, and UsageError for
    options that do not go together or leave open what is meant.
    """
    picks = _known(recipe, choice.picked)
    filled = _complete(recipe, picks, choice.everything)
    if choice.everything:
        ways = {option.name: filled[option.name] for option in recipe.options if option.alternatives}
        selected = [artifact for artifact in recipe.artifacts if _agrees(artifact, ways | picks)]
    else:
        selected = [artifact for artifact in recipe.artifacts if _chosen(artifact, filled)]
    if choice.only:
        selected = _restrict(recipe, selected, choice.only)
        _check_used(recipe, picks, selected, choice.only)
    if not selected:
        raise UsageError(f"{recipe.name} has nothing that it gets unasked", hint=_hint(recipe))
    return tuple(selected)


def ways_given_up(recipe: Recipe, wanted: Sequence[Artifact]) -> tuple[tuple[str, Artifact], ...]:
    """The artifacts that are other ways to the folders of the wanted ones, each with the option that takes it."""
    found = []
    for option in (option for option in recipe.options if option.alternatives):
        taken = {a.folder: way for a in wanted if (way := dict(a.choose).get(option.name))}
        for artifact in recipe.artifacts:
            way = dict(artifact.choose).get(option.name)
            if way is not None and taken.get(artifact.folder, way) != way:
                found.append((f"--{option.name} {way}", artifact))
    return tuple(found)


def _chosen(artifact: Artifact, picks: Picks) -> bool:
    if not artifact.choose:
        return artifact.default
    return all(value in picks.get(option, "").split(",") for option, value in artifact.choose)


def _agrees(artifact: Artifact, picks: Picks) -> bool:
    return all(value in picks.get(option, value).split(",") for option, value in artifact.choose)


def _has(artifact: Artifact, option: str, picked: str) -> bool:
    return any((option, value) in artifact.choose for value in picked.split(","))


# --- Names and values that exist ---


def _known(recipe: Recipe, picked: Iterable[tuple[str, str]]) -> Picks:
    """The picks, each an option and a value of this recipe, and each option once."""
    options = {option.name: option for option in recipe.options}
    picks: Picks = {}
    for name, value in picked:
        if name not in options:
            known = _listed([f"--{each}" for each in options], "and")
            message = f"{recipe.name} has no option --{name}; it has {known or 'none'}"
            raise UnknownName(message, hint=_nearest(name, options, "--"))
        values = options[name].values
        if not values and value != "true":
            raise UsageError(f'--{name} is a flag and takes no value, found "{value}"')
        for one in value.split(",") if options[name].several else [value]:
            if values and one not in values:
                message = f'{recipe.name} has no --{name} "{one}"; expected {_listed(values)}'
                raise UnknownName(message, hint=_nearest(one, values, f"--{name} "))
        if options[name].several:
            picks[name] = ",".join(dict.fromkeys((*filter(None, [picks.get(name)]), *value.split(","))))
        elif picks.setdefault(name, value) != value:
            raise UsageError(f"--{name} is given twice, as {picks[name]} and as {value}")
    return picks


# --- Options that go together ---


def _complete(recipe: Recipe, picks: Picks, everything: bool) -> Picks:
    """The picks with defaults and whatever has one possible value, so that each pick selects something."""
    filled = {option.name: option.default for option in recipe.options if option.default is not None} | picks
    possible = {name: _possible(recipe, name, picks) for name in picks}
    for one, other in combinations(picks, 2):
        if not any(_agrees(a, dict(b.choose)) for a in possible[one] for b in possible[other]):
            raise _clash(recipe, one, other, picks)
    for name in () if everything else tuple(picks):
        while not any(_chosen(artifact, filled) for artifact in _possible(recipe, name, picks)):
            option, values = _missing(_possible(recipe, name, picks), picks, filled)
            if len(values) > 1:
                raise UsageError(
                    f"{_said(recipe, name, picks[name])} needs --{option} {_listed(values)}",
                    hint=_example(recipe, {**picks, option: values[0]}),
                )
            picks = {**picks, option: values[0]}
            filled |= picks
    return filled


def _possible(recipe: Recipe, name: str, picks: Picks) -> list[Artifact]:
    """The artifacts an option was picked for and nothing rules out. Raises when there are none."""
    users = [artifact for artifact in recipe.artifacts if _has(artifact, name, picks[name])]
    found = [artifact for artifact in users if _agrees(artifact, picks)]
    if found:
        return found
    for other in picks:
        if not any(_agrees(user, {other: picks[other]}) for user in users):
            raise _clash(recipe, name, other, picks)
    said = " ".join(_said(recipe, option, value) for option, value in picks.items())
    raise UnknownName(f"{recipe.name} has nothing for {said} together", hint=_hint(recipe))


def _missing(possible: Sequence[Artifact], picks: Picks, filled: Picks) -> tuple[str, tuple[str, ...]]:
    """The first option that one of these artifacts needs and nobody picked, with its possible values."""
    option = next(o for artifact in possible for o, _ in artifact.choose if o not in picks)
    values = tuple(dict.fromkeys(v for artifact in possible for o, v in artifact.choose if o == option))
    default = filled.get(option)
    return option, (default,) if default in values else values


def _clash(recipe: Recipe, one: str, other: str, picks: Picks) -> UnknownName | UsageError:
    """Why no artifact has both: one option is not for the other, or the combination does not exist."""
    order = [option.name for option in recipe.options]
    first, second = sorted((one, other), key=order.index)
    return _stranger(recipe, first, second, picks) or _absent(recipe, first, second, picks)


def _stranger(recipe: Recipe, first: str, second: str, picks: Picks) -> UsageError | None:
    """The error for two options that never meet when one of them has the value picked; None when they do."""
    for host, guest in ((first, second), (second, first)):
        takes = _companions(recipe, host, picks[host])
        if guest not in takes:
            what = _listed([f"--{option} {_listed(values)}" for option, values in takes.items()], "and")
            message = f"--{guest} does not go with {_said(recipe, host, picks[host])}"
            return UsageError(f"{message}; it takes {what or 'no other option'}")
    return None


def _absent(recipe: Recipe, first: str, second: str, picks: Picks) -> UnknownName:
    values = _companions(recipe, first, picks[first])[second]
    said = f"{_said(recipe, first, picks[first])} {_said(recipe, second, picks[second])}"
    message = f"{recipe.name} has no {said}; expected --{second} {_listed(values)}"
    return UnknownName(
        message, hint=_example(recipe, {**picks, second: (_near(picks[second], values) or values[0])})
    )


def _companions(recipe: Recipe, option: str, value: str) -> dict[str, tuple[str, ...]]:
    """The other options of the artifacts that this pick is for, with their values there."""
    found: dict[str, dict[str, None]] = {}
    for artifact in recipe.artifacts:
        if _has(artifact, option, value):
            for other, its in artifact.choose:
                if other != option:
                    found.setdefault(other, {})[its] = None
    return {other: tuple(values) for other, values in found.items()}


# --- Groups ---


def _restrict(recipe: Recipe, selected: Sequence[Artifact], only: Sequence[str]) -> list[Artifact]:
    """The selected artifacts of these groups; all of a group of which none is selected."""
    wanted: set[str] = set()
    for group in only:
        members = _members(recipe, group)
        if not members:
            message = f'{recipe.name} has no group "{group}"; expected {_listed(recipe.groups) or "none"}'
            raise UnknownName(message, hint=_nearest(group, recipe.groups, "--only "))
        wanted.update(artifact.name for artifact in selected if artifact in members)
        if wanted.isdisjoint(artifact.name for artifact in members):
            wanted.update(artifact.name for artifact in members)
    return [artifact for artifact in recipe.artifacts if artifact.name in wanted]


def _members(recipe: Recipe, group: str) -> list[Artifact]:
    """The artifacts of a group, or those whose names match the pattern that was given for one."""
    members = [artifact for artifact in recipe.artifacts if artifact.group == group]
    return members or [artifact for artifact in recipe.artifacts if fnmatchcase(artifact.name, group)]


def _check_used(recipe: Recipe, picks: Picks, selected: Sequence[Artifact], only: Sequence[str]) -> None:
    for option, value in picks.items():
        if not any(_has(artifact, option, value) for artifact in selected):
            raise UsageError(f"{_said(recipe, option, value)} does not go with --only {','.join(only)}")


# --- Words ---


def _said(recipe: Recipe, option: str, value: str) -> str:
    """An option as it is typed."""
    is_flag = any(each.name == option and not each.values for each in recipe.options)
    return f"--{option}" if is_flag else f"--{option} {value}"


def _listed(words: Iterable[str], last: str = "or") -> str:
    *others, final = [*words] or [""]
    return f"{', '.join(others)} {last} {final}" if others else final


def _near(word: str, words: Iterable[str]) -> str:
    from difflib import get_close_matches  # 4 ms that only an error needs

    return next(iter(get_close_matches(word, list(words), n=1, cutoff=0.5)), "")


def _nearest(word: str, words: Iterable[str], before: str) -> str:
    near = _near(word, words)
    return f"did you mean {before}{near}?" if near else ""


def _example(recipe: Recipe, picks: Picks) -> str:
    said = " ".join(_said(recipe, option, value) for option, value in picks.items())
    return f"for example: datafetch get {recipe.name} {said}"


def _hint(recipe: Recipe) -> str:
    return f"datafetch get {recipe.name} --help shows the choices"
