"""Which artifacts are unpacked in one pass, while they arrive."""

from __future__ import annotations

from collections.abc import Sequence

from datafetch.layout.place import place_each
from datafetch.model import Artifact, Rule, Settings, Shards, Subset

AT_ONCE = 2  # shards on disk: the one that is unpacked and the one that follows
_NAMES = (".tar.gz", ".tgz")


def streams(
    artifact: Artifact, rules: Sequence[Rule], settings: Settings, picks: Sequence[Subset] = ()
) -> bool:
    """Whether an artifact is unpacked while it arrives.

    Others are fetched whole first: archives that are read from their end (zip) or whose checksum is of the whole;
    names that are placed or chosen by looking at all of them (`<root>`, --names sequential, --max-per-class);
    shards that are to be kept.
    """
    return (
        isinstance(artifact.source, Shards)
        and artifact.unpack
        and not artifact.nested
        and artifact.name.endswith(_NAMES)
        and not artifact.checksums
        and settings.names == "keep"
        and not settings.keep_archives
        and place_each(artifact, rules, picks) is not None
    )
