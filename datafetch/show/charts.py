"""Bars of outcomes, each with its words beside it: nothing is told by colour alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from datafetch.console.text import number
from datafetch.model import Outcome
from datafetch.show.html import Html, joined, tag
from datafetch.store.history import Past

WIDE, HIGH = 1000, 120  # units of a drawing
COLUMN = 90  # at most, with the gap behind it


def bar(counts: Mapping[Outcome, int], kind: str = "bar", of: int = 0) -> Html:
    """One line of outcomes in their shares; `of` is what a whole line stands for, if more than their sum."""
    total = sum(counts.values())
    parts = [
        tag("i", class_=str(outcome), style=f"flex:{counts[outcome]}")
        for outcome in Outcome
        if counts.get(outcome)
    ]
    rest = max(of - total, 0)
    if rest:
        parts.append(tag("i", style=f"flex:{rest}"))
    return tag("div", *parts, class_=kind, role="img", aria_label=words(counts))


def words(counts: Mapping[Outcome, int]) -> str:
    """ "1,200 ok, 3 missing"."""
    return ", ".join(f"{number(counts[o])} {o}" for o in Outcome if counts.get(o)) or "nothing"


def share(part: int, whole: int) -> str:
    """A percentage that is 100 only when nothing is left, and 0 only when there is nothing."""
    if part in (0, whole):
        return "100%" if part else "0%"
    return f"{min(max(100 * part / whole, 0.1), 99.9):.1f}%"


def over_runs(runs: Sequence[Past]) -> Html:
    """A column for each run, the oldest on the left, as high as its items: outcomes from the bottom up."""
    top = max((run.counts.get("total", 0) for run in runs), default=0) or 1
    column = min(COLUMN, WIDE / max(len(runs), 1))
    columns = [tag("rect", x="0", y=f"{HIGH}", width=f"{WIDE}", height="1", class_="track")]
    for at, run in enumerate(runs):
        floor = float(HIGH)
        for outcome in Outcome:
            high = HIGH * run.counts.get(outcome, 0) / top
            floor -= high
            if high:
                columns.append(
                    tag(
                        "rect",
                        x=f"{at * column:.2f}",
                        y=f"{floor:.2f}",
                        width=f"{column * 0.8:.2f}",
                        height=f"{high:.2f}",
                        class_=str(outcome),
                    )
                )
    label = f"{number(len(runs))} runs; the table below has their numbers"
    return tag("svg", joined(*columns), viewBox=f"0 0 {WIDE} {HIGH + 1}", role="img", aria_label=label)
