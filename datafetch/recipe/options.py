"""The options a recipe offers, from the `choose` of its artifacts and what `choices` says about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from datafetch.model import Artifact, Option
from datafetch.recipe.document import ChoiceEntry
from datafetch.recipe.issues import listed, suggest
from datafetch.recipe.site import Site

FLAG = "true"  # the value of an option that takes none


def values_of(artifacts: tuple[Artifact, ...]) -> dict[str, tuple[str, ...]]:
    """Option -> its values, both in the order in which artifacts first name them."""
    found: dict[str, dict[str, None]] = {}
    for artifact in artifacts:
        for option, value in artifact.choose:
            found.setdefault(option, {})[value] = None
    return {option: tuple(values) for option, values in found.items()}


def options(
    said: Mapping[str, ChoiceEntry], artifacts: tuple[Artifact, ...], site: Site
) -> tuple[Option, ...]:
    """The options in the order of `choices`, then those it does not mention.

    What no artifact of this recipe chooses is left out: another recipe of the family may.
    """
    used = values_of(artifacts)
    order = [name for name in said if name in used] + [name for name in used if name not in said]
    return tuple(
        _option(name, used[name], said.get(name, ChoiceEntry()), site.at(name, label=f"choice {name}"))
        for name in order
    )


def check_used(said: Iterable[str], offered: Sequence[tuple[Option, ...]], site: Site) -> None:
    """Every choice must be an option of one recipe of the family at least."""
    used = tuple(dict.fromkeys(option.name for options in offered for option in options))
    for name in said:
        if name not in used:
            site.at(name, label=f"choice {name}").add(
                f"no artifact chooses it; {suggest(name, used, 'options')}"
            )


def _option(name: str, used: tuple[str, ...], said: ChoiceEntry, site: Site) -> Option:
    help_text = site.at("help").fill(said.help).strip()
    if FLAG in used:
        if len(used) > 1:
            others = listed(tuple(value for value in used if value != FLAG))
            site.add(f"expected a flag or values, found artifacts that choose true and {others}")
        if said.default is not None or said.values is not None:
            site.add("expected neither default nor values, for the artifacts make it a flag")
        if said.alternatives:
            site.at("alternatives").add("expected values to take one of, found a flag")
        if said.several:
            site.at("several").add("expected values to pick from, found a flag")
        return Option(name, (), help_text)
    values = used
    if said.values is not None:
        values = tuple(said.values)
        if sorted(values) != sorted(used):
            site.at("values").add(f"expected what the artifacts choose, {listed(used, 'and')}")
    default = said.default
    picked = default.split(",") if default is not None and said.several else [default]
    if default is not None and not set(picked) <= set(used):
        site.at("default").add(f'expected one of {listed(used)}, found "{default}"')
    if said.alternatives and default is None:
        site.at("alternatives").add("expected a default as well: the way that is taken unasked")
    if said.alternatives and said.several:
        site.at("several").add("expected alternatives, of which one is taken, or several; found both")
    return Option(name, values, help_text, default, said.alternatives, said.several)
