"""Where the items of a list go, one at a time: a list is never held as a whole. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from datafetch.layout.ready import compile_rule, fill, match
from datafetch.layout.subset import Feed, Stand, kin
from datafetch.model import Artifact, Rule, Subset


def placer(artifact: Artifact, rules: Sequence[Rule]) -> Callable[[str], str]:
    """Where the layout puts an item of a list: by the first rule that fits, else below the artifact's own name."""
    placed = _placer(artifact, rules)
    return lambda path: placed(path)[0]


def taker(artifact: Artifact, rules: Sequence[Rule], picks: Sequence[Subset]) -> Callable[[str], bool]:
    """Whether a choice takes an item of a list; to be asked once for each, in the order of the list."""
    placed, feed = _placer(artifact, rules), Feed(picks)
    return lambda path: feed.takes(kin(*placed(path)))


def _placer(artifact: Artifact, rules: Sequence[Rule]) -> Callable[[str], tuple[str, Stand]]:
    ready = [way for index, rule in enumerate(rules) for way in compile_rule(rule, index, artifact)]

    def target(path: str) -> tuple[str, Stand]:
        for way in ready:
            found = match(way, path)
            if found is not None:
                return f"{artifact.folder}/{fill(way, found.captures)}", way.stand
        return f"{artifact.folder}/{artifact.name}/{path}", Stand()

    return target
