"""Named makers of JSON documents: parsed documents in, document out; pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from datafetch.annotate.captions import captions
from datafetch.annotate.made import Made
from datafetch.annotate.neuraltalk2 import Source, neuraltalk2

# A maker is given the records of a document and the paths of the files that stand beside it.
Maker = Callable[[Sequence[msgspec.Raw], Collection[str]], Made]

# One that gathers from several is given all of them.
Gatherer = Callable[[Sequence[Source], Collection[str]], Made]

MAKERS: Mapping[str, Maker] = {"captions": captions}
GATHERERS: Mapping[str, Gatherer] = {"neuraltalk2": neuraltalk2}

__all__ = ("GATHERERS", "MAKERS", "Made", "Source")
