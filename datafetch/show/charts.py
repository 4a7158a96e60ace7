"""Bars of outcomes, each with its words beside it: nothing is told by colour alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from datafetch.console.text import number
from datafetch.model import Outcome
from datafetch.show.html import Html, joined, tag
from datafetch.show.sizes import Plot
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


BROADEST = 0.07  # of the whole, for one column
SIDE, EDGE = 300, 44  # units of the drawing of sizes, and of the margin that its numbers stand in


def columns(heights: Sequence[float], label: str) -> Html:
    """A column for each height from 0 to 1; stretched to whatever room there is."""
    step = min(WIDE / max(len(heights), 1), WIDE * BROADEST)
    wide = step * (0.82 if len(heights) < 60 else 1)
    drawn = [
        tag(
            "rect",
            x=f"{at * step:.2f}",
            y=f"{HIGH * (1 - max(height, 0.015)):.2f}",
            width=f"{wide:.2f}",
            height=f"{HIGH * max(height, 0.015):.2f}",
            class_="fill",
        )
        for at, height in enumerate(heights)
    ]
    view = {"viewBox": f"0 0 {WIDE} {HIGH}", "preserveAspectRatio": "none", "class_": "columns"}
    return tag("svg", *drawn, role="img", aria_label=label, **view)


def spots(of: Plot, label: str) -> Html:
    """Widths to the right, heights upwards; the area of a spot is its share, squares lie on the line."""
    lines = [tag("path", d=f"M{EDGE} {SIDE}L{EDGE + SIDE} 0", class_="square")]
    for at, said in of.ticks:
        x, y = EDGE + at * SIDE, SIDE * (1 - at)
        lines += [
            tag("path", d=f"M{x:.1f} 0V{SIDE}M{EDGE} {y:.1f}H{EDGE + SIDE}", class_="grid"),
            tag("text", said, x=f"{x:.1f}", y=f"{SIDE + 16}", text_anchor="middle"),
            tag("text", said, x=f"{EDGE - 5}", y=f"{y + 4:.1f}", text_anchor="end"),
        ]
    drawn = [
        tag(
            "circle",
            cx=f"{EDGE + x * SIDE:.1f}",
            cy=f"{SIDE * (1 - y):.1f}",
            r=f"{max(18 * share**0.5, 1.6):.1f}",
            class_="spot",
        )
        for x, y, share in of.spots
    ]
    axes = (
        tag("text", "width", x=f"{EDGE + SIDE}", y=f"{SIDE + 30}", text_anchor="end", class_="axis"),
        tag("text", "height", x=f"{EDGE + 6}", y="12", class_="axis"),
    )
    view = f"0 -6 {SIDE + EDGE + 12} {SIDE + 42}"
    return tag("svg", *lines, *drawn, *axes, viewBox=view, class_="spots", role="img", aria_label=label)
