"""`<name>_info.json` beside the splits, which some loaders take their list of classes from."""

from __future__ import annotations

import os
from collections.abc import Iterable

import msgspec

from datafetch.foldnames import fold
from datafetch.loaders.folder import listed
from datafetch.loaders.found import Findings
from datafetch.loaders.rules import Kind

ENDING = "_info.json"
MOST = 64 << 20  # bytes of such a file; real ones take kilobytes


class _Info(msgspec.Struct):
    classes: list[str] = []


def compare_info(root: str, classes: Iterable[str], found: Findings) -> None:
    """The classes that stand in a split against those that each info file names; none is no finding."""
    here = set(classes)
    for name, size in listed(root, "", Findings(0)).files:
        if not name.endswith(ENDING):
            continue
        if size > MOST:
            found.add(Kind.INFO_BROKEN, name, f"{size:,} bytes")
            continue
        try:
            with open(os.path.join(root, name), "rb") as file:
                named = msgspec.json.decode(file.read(MOST), type=_Info).classes
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            found.add(Kind.INFO_BROKEN, name, str(error))
            continue
        folded = {fold(one): one for one in here}
        for one in named:
            if one not in here:
                other = folded.get(fold(one), "")
                found.add(Kind.INFO, name, f"{one}, its folder is spelt {other}" if other else one)
        for one in sorted(here.difference(named)) if named else ():
            found.add(Kind.NOT_LISTED, one, f"not in {name}")
