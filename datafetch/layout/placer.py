"""Where the items of a list go, one at a time: a list is never held as a whole. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from datafetch.layout.ready import compile_rule, fill, match
from datafetch.model import Artifact, Rule


def placer(artifact: Artifact, rules: Sequence[Rule]) -> Callable[[str], str]:
    """Where the layout puts an item of a list: by the first rule that fits, else below the artifact's own name."""
    ready = [way for index, rule in enumerate(rules) for way in compile_rule(rule, index, artifact)]

    def target(path: str) -> str:
        for way in ready:
            found = match(way, path)
            if found is not None:
                return f"{artifact.folder}/{fill(way, found.captures)}"
        return f"{artifact.folder}/{artifact.name}/{path}"

    return target
