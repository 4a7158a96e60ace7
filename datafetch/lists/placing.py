"""Where the pictures of a list stand: by the layout, and by what they turned out to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from datafetch.images.extensions import Extensions, wanted
from datafetch.layout.placer import placer
from datafetch.model import Artifact, Rule, UrlList
from datafetch.store.home import Home


def extensions(home: Home, artifact: Artifact) -> Extensions | None:
    """What is remembered of a list's endings; None for one whose names say them."""
    source = artifact.source
    return Extensions(home.batches(artifact.name)) if isinstance(source, UrlList) and wanted(source) else None


def placing(artifact: Artifact, rules: Sequence[Rule], known: Extensions | None) -> Callable[[str], str]:
    """The path of the manifest for a path inside the artifact; it follows what `known` learns."""
    place = placer(artifact, rules)
    return place if known is None else lambda path: known.named(place(path))
