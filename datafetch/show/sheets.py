"""The parts of the page that are looked at: contact sheets, how full classes are, how large pictures are."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from datafetch.console.text import number, plural, size
from datafetch.images.thumbnail import LAID
from datafetch.show.charts import columns, share, spots
from datafetch.show.facts import Facts
from datafetch.show.folders import OTHERS, Part
from datafetch.show.html import Html, tag
from datafetch.show.opened import Class, Row, Shown
from datafetch.show.sizes import Sizes, plot, profile

LISTED = 60  # classes with a bar of their own
PARTS = 12  # with columns of their own
HUES = 6  # parts told apart by colour; the others share the last
COLUMNS = 120
COMMON = 6  # sizes told
KINDS = {1: "alone", 2: "pair"}  # of a sheet, by the number of parts
UNNAMED = "without a class"


def section(title: str, *children: str, long: bool = False) -> Html:
    kind = {"class_": "long"} if long else {}
    return tag("section", tag("h2", title), *children, **kind)


def soft(said: str) -> Html:
    return tag("p", said, class_="soft")


# --- Contact sheets ------------------------------------------------------------------------------------------


def sheet(facts: Facts) -> Html:
    """A few pictures of each class in each part, masks laid over them."""
    shown = [each for each in facts.classes if each.rows]
    if not shown:
        return Html()
    alone = len(facts.parts) == 1
    cards = [_card(each, alone) for each in shown]
    return section(
        "Pictures",
        soft(told_of_sheet(facts)),
        tag("div", *cards, class_=f"sheet {KINDS.get(len(facts.parts), '')}".strip()),
        long=True,
    )


def told_of_sheet(facts: Facts) -> str:
    shown = sum(bool(each.rows) for each in facts.classes)
    said = ["A few of each class, picked by digest: the same on every machine."]
    if shown < len(facts.classes):
        said.append(f"{number(shown)} of {number(len(facts.classes))} classes, evenly over their names.")
    marks = {picture.mask for each in facts.classes for row in each.rows for picture in row.pictures}
    if LAID in marks:
        said.append("Pink, with a white rim: where its mask is above 0.")
    if marks - {LAID, ""}:
        said.append(f"Dashed: {', '.join(sorted(marks - {LAID, ''}))}.")
    if facts.unopened:
        said.append(f"{plural(facts.unopened, 'picture')} not opened, for want of time.")
    return " ".join(said)


def _card(of: Class, alone: bool) -> Html:
    rows = [_row(row, alone) for row in of.rows]
    return tag("article", tag("h3", of.name or UNNAMED), tag("div", *rows, class_="strips"))


def _row(row: Row, alone: bool) -> Html:
    of = row.strip
    said = [plural(of.files, "picture"), *([plural(of.masks, "mask")] if of.masks else [])]
    if alone:
        said.append(size(of.size))
    label = tag(
        "p", *(() if alone else (tag("b", of.part), " ")), tag("span", " · ".join(said), class_="soft")
    )
    pictures = [_picture(each, row) for each in row.pictures]
    return tag("div", label, tag("div", *pictures, class_="row"), class_="strip")


def _picture(of: Shown, row: Row) -> Html:
    where = "/".join(filter(None, (row.strip.part, row.strip.name)))
    said = f"{of.name}, from {where}" + (f", with {of.mask}" if of.mask else "")
    return image(of.jpeg, said, lacks=of.mask not in ("", LAID))


def image(jpeg: bytes, alt: str, lacks: bool = False) -> Html:
    data = base64.b64encode(jpeg).decode()
    kind = {"class_": "lacks"} if lacks else {}
    return tag("img", src=f"data:image/jpeg;base64,{data}", alt=alt, title=alt, loading="lazy", **kind)


# --- Classes -------------------------------------------------------------------------------------------------


def classes(facts: Facts) -> Html:
    """How many pictures each class has: over a part as columns, class by class as bars."""
    if not facts.classes:
        return Html()
    hues = {part.name: f"p{min(at, HUES - 1)}" for at, part in enumerate(facts.parts)}
    parts = [_part(part, hues[part.name]) for part in facts.parts[:PARTS]]
    more = len(facts.parts) - len(parts)
    listed = fullest(facts.classes)
    top = listed[0].total if listed else 1
    bars = [_bar(each, hues, top) for each in listed]
    left = len(facts.classes) - len(bars)
    said = [
        f"Every class over all of them, the fullest first{f'; {number(left)} more are not listed' if left else ''}."
    ]
    return section(
        "Classes",
        tag("div", *parts, class_="parts"),
        *([soft(f"{plural(more, 'more part')} not drawn.")] if more else []),
        *([soft(said[0]), tag("ol", *bars, class_="bars")] if len(facts.classes) > 1 else []),
        long=True,
    )


def fullest(of: Sequence[Class]) -> list[Class]:
    """The classes with a bar of their own."""
    return sorted(of, key=lambda each: (-each.total, each.name))[:LISTED]


def _part(part: Part, hue: str) -> Html:
    drawn = (
        columns(profile(part.counts, COLUMNS), f"pictures of each class of {part.name}, the fullest first")
        if len(part.counts) > 1
        else Html()
    )
    head = tag("h3", tag("i", class_=f"dot {hue}"), tag("span", part.name))
    return tag("article", head, soft(told_of_part(part)), drawn, class_=hue)


def told_of_part(part: Part) -> str:
    """ "300 pictures, 5.2 MB, 300 masks; 100 classes of 3 each"."""
    said = [plural(part.files, "picture"), size(part.size)]
    if part.masks:
        said.append(plural(part.masks, "mask"))
    many, most, least = len(part.counts), part.counts[0], part.counts[-1]
    if many == 1 and part.name != OTHERS:
        return ", ".join(said)
    each = f"{number(most)} each" if most == least else f"{number(least)} to {number(most)}"
    middle = "" if most == least else f", median {number(part.counts[many // 2])}"
    return f"{', '.join(said)}; {plural(many, 'class') if many == 1 else f'{number(many)} classes'} of {each}{middle}"


def _bar(of: Class, hues: Mapping[str, str], top: int) -> Html:
    parts = [
        tag("i", class_=hues[part], style=f"flex:{of.files[part]}") for part in hues if of.files.get(part)
    ]
    if top > of.total:
        parts.append(tag("i", style=f"flex:{top - of.total}"))
    said = ", ".join(f"{number(of.files[part])} in {part}" for part in hues if of.files.get(part))
    name = of.name or UNNAMED
    return tag(
        "li",
        tag("span", name, class_="name", title=name),
        tag("div", *parts, class_="bar", role="img", aria_label=said, title=said),
        tag("span", number(of.total), class_="n"),
    )


# --- Sizes ---------------------------------------------------------------------------------------------------


def sizes(of: Sizes) -> Html:
    """Width by height: where the spots are, and the most common in numbers."""
    if not of.counts:
        return Html()
    rows = [
        tag(
            "li",
            tag("span", f"{width:,} × {height:,}", class_="name"),
            tag("div", tag("i", class_="fill", style=f"flex:{count}"), *_rest(of, count), class_="bar"),
            tag("span", share(count, of.looked_at), class_="n"),
        )
        for (width, height), count in of.common[:COMMON]
    ]
    rest = len(of.counts) - len(rows)
    side = tag(
        "div",
        tag("ol", *rows, class_="bars"),
        *([soft(f"and {plural(rest, 'other size')}")] if rest else []),
        tag("p", shapes(of)),
    )
    label = "widths and heights of the pictures; the most common stand beside it in numbers"
    return section(
        "Picture sizes",
        soft(told_of_sizes(of)),
        # A single size needs no drawing.
        tag("div", spots(plot(of.counts), label), side, class_="beside") if len(of.counts) > 1 else side,
    )


def _rest(of: Sizes, count: int) -> tuple[Html, ...]:
    return (tag("i", style=f"flex:{of.looked_at - count}"),) if of.looked_at > count else ()


def told_of_sizes(of: Sizes) -> str:
    if of.looked_at == of.pictures:
        return f"Width × height in pixels, as stored, of all {plural(of.pictures, 'picture')}."
    return (
        f"Width × height in pixels, as stored, of {number(of.looked_at)} of {plural(of.pictures, 'picture')}: "
        "a sample by digest."
    )


def shapes(of: Sizes) -> str:
    """ "61.0% landscape, 39.0% portrait"."""
    return ", ".join(f"{share(count, of.looked_at)} {name}" for name, count in of.shapes().items() if count)
