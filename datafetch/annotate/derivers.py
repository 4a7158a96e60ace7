"""The makers of derived documents, by the names that recipes use."""

from __future__ import annotations

from collections.abc import Mapping

from datafetch.annotate.derived import DerivedMaker
from datafetch.annotate.preference.making import clicks, drawn, ratings, themes

DERIVERS: Mapping[str, DerivedMaker] = {
    "ratings": ratings,
    "drawn": drawn,
    "clicks": clicks,
    "themes": themes,
}
