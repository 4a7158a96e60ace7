"""The page as one PNG, for where no browser is: the same facts, drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from datafetch.console.text import number, size
from datafetch.images.thumbnail import LAID
from datafetch.model import Outcome
from datafetch.show.canvas import CARD, INNER, LINE, OUTCOMES, SOFT, Block, headed, square, stacked
from datafetch.show.charts import BROADEST, share, words
from datafetch.show.facts import Facts
from datafetch.show.folders import Part
from datafetch.show.opened import Class, Row
from datafetch.show.sheets import (
    COMMON,
    PARTS,
    UNNAMED,
    fullest,
    shapes,
    told_of_part,
    told_of_sheet,
    told_of_sizes,
)
from datafetch.show.sizes import plot, profile
from datafetch.show.tables import TABLES

HUES = ("#3566b8", "#d1813b", "#2e9c8f", "#9a6fb8", "#c2a52c", "#8a909c")
THUMB, GAP, THREE = 98, 6, 3
STRIP = (INNER - 2 * 24) // THREE
SHEET = 6_000  # pixels of height for pictures
LISTED = 45  # classes with a bar


def drawing(facts: Facts) -> bytes:
    """A PNG; only what there is something to tell of gets a card."""
    makers: Sequence[Callable[[Facts], Block | None]] = (_whole, _sheet, _classes, _sizes, *TABLES)
    return stacked([block.cut() for make in makers if (block := make(facts)) is not None])


def _whole(facts: Facts) -> Block:
    block = Block(360)
    block.text(0, 0, facts.name, 52)
    block.text(0, 66, facts.title, 20, SOFT)
    counts = {outcome: facts.counts.get(outcome, 0) for outcome in Outcome}
    total = sum(counts.values())
    wanted = total - counts[Outcome.SKIPPED]
    end = block.text(0, 112, share(counts[Outcome.OK], wanted), 60)
    said = f"{number(counts[Outcome.OK])} of {number(wanted)} items are here: {words(counts)}"
    block.text(end + 18, 146, said, 18, SOFT, INNER - end - 18)
    block.bar(0, 192, INNER, 22, [(counts[outcome], OUTCOMES[outcome]) for outcome in Outcome], total)
    known = [
        ("last run", facts.status),
        ("on disk", size(facts.bytes)),
        ("pictures", number(sum(part.files for part in facts.parts))),
        ("classes", number(sum(bool(each.name) for each in facts.classes))),
        ("licence", facts.recipe.licence or "unknown"),
        ("tree digest", facts.tree_digest[:16]),
        ("made", facts.made_at),
    ]
    step = INNER // len(known)
    for at, (name, said) in enumerate(known):
        block.text(at * step, 236, name, 15, SOFT)
        block.text(at * step, 258, said, 16, room=step - 6)
    block.y = 284
    return block


def _sheet(facts: Facts) -> Block | None:
    shown = [each for each in facts.classes if each.rows]
    if not shown:
        return None
    room, drawn = SHEET, 0
    for each in shown:
        room -= _height(each)
        drawn += room >= 0
    block = headed("Pictures", told_of_sheet(facts), SHEET)
    for each in shown[: max(drawn, 1)]:
        block.pen.line((0, block.y, INNER, block.y), fill=LINE)
        block.text(0, block.y + 10, each.name or UNNAMED, 18)
        for at, row in enumerate(each.rows):
            _row(block, at % THREE * (STRIP + 24), block.y + 38 + at // THREE * (THUMB + 34), row)
        block.y += _height(each)
    if left := len(shown) - drawn:
        block.text(0, block.y, f"{number(left)} more are on the page, datafetch show {facts.name}", 15, SOFT)
        block.y += 24
    return block


def _height(of: Class) -> int:
    return 38 + (len(of.rows) + THREE - 1) // THREE * (THUMB + 34)


def _row(block: Block, x: int, y: int, row: Row) -> None:
    masks = f", {number(row.strip.masks)} masks" if row.strip.masks else ""
    block.text(x, y, f"{row.strip.part}: {number(row.strip.files)}{masks}", 14, SOFT, STRIP)
    for at, shown in enumerate(row.pictures[: STRIP // (THUMB + GAP)]):
        left = x + at * (THUMB + GAP)
        block.image.paste(square(shown.jpeg, THUMB), (left, y + 22))
        if shown.mask not in ("", LAID):
            box = (left, y + 22, left + THUMB - 1, y + 21 + THUMB)
            block.pen.rectangle(box, outline=OUTCOMES[Outcome.MISSING], width=3)


def _classes(facts: Facts) -> Block | None:
    if not facts.classes:
        return None
    hues = {part.name: HUES[min(at, len(HUES) - 1)] for at, part in enumerate(facts.parts)}
    parts = facts.parts[:PARTS]
    listed = fullest(facts.classes)[:LISTED] if len(facts.classes) > 1 else []
    block = headed("Classes", "", 150 * len(parts) + 26 * len(listed) + 80)
    for at, part in enumerate(parts):
        _part(block, at % THREE * (STRIP + 24), block.y + at // THREE * 142, part, hues[part.name])
    block.y += (len(parts) + THREE - 1) // THREE * 142
    left = len(facts.classes) - len(listed)
    if listed:
        more = f"; {number(left)} more are not listed" if left else ""
        block.text(0, block.y, f"Every class over all of them, the fullest first{more}", 15, SOFT)
        block.y += 30
    high = (len(listed) + THREE - 1) // THREE
    for at, each in enumerate(listed):
        _bar(block, at // high * (STRIP + 24), block.y + at % high * 25, each, listed[0].total, hues)
    block.y += high * 25
    return block


def _part(block: Block, x: int, y: int, part: Part, hue: str) -> None:
    block.pen.rounded_rectangle((x, y + 4, x + 13, y + 17), 3, fill=hue)
    block.text(x + 22, y, part.name, 17, room=STRIP - 22)
    told, _, spread = told_of_part(part).partition("; ")
    block.text(x, y + 24, told, 14, SOFT, STRIP)
    block.text(x, y + 42, spread, 14, SOFT, STRIP)
    heights = profile(part.counts, 120) if len(part.counts) > 1 else []
    step = min(STRIP / max(len(heights), 1), STRIP * BROADEST)
    for at, height in enumerate(heights):
        top = y + 122 - max(round(56 * height), 1)
        left, right = round(x + at * step), round(x + (at + 0.82) * step)
        block.pen.rectangle((left, top, max(right, left), y + 122), fill=hue)


def _bar(block: Block, x: int, y: int, of: Class, top: int, hues: dict[str, str]) -> None:
    name = STRIP * 11 // 24
    block.text(x, y, of.name or UNNAMED, 14, room=name - 10)
    parts = [(of.files.get(part, 0), hue) for part, hue in hues.items()]
    block.bar(x + name, y + 4, STRIP - name - 62, 10, parts, top)
    block.text(x + STRIP - 52, y, number(of.total), 14)


def _sizes(facts: Facts) -> Block | None:
    of = facts.sizes
    if not of.counts:
        return None
    block = headed("Picture sizes", told_of_sizes(of).replace("×", "x"), 430)
    left = 520 if len(of.counts) > 1 else 0
    if left:
        _spots(block, facts)
    y = block.y + (40 if left else 0)
    for (wide, high), count in of.common[:COMMON]:
        block.text(left, y, f"{wide:,} x {high:,}", 16)
        block.bar(left + 160, y + 4, 480, 11, [(count, HUES[0])], of.looked_at)
        block.text(left + 660, y, share(count, of.looked_at), 16)
        y += 30
    rest = len(of.counts) - COMMON
    block.text(left, y + 6, shapes(of) + (f"; {number(rest)} more sizes" if rest > 0 else ""), 16, SOFT)
    block.y += 390 if left else 60
    return block


def _spots(block: Block, facts: Facts) -> None:
    side, left, top = 330, 70, block.y + 10
    drawn = plot(facts.sizes.counts)
    for at, said in drawn.ticks:
        x, y = left + at * side, top + side * (1 - at)
        block.pen.line((x, top, x, top + side), fill=LINE)
        block.pen.line((left, y, left + side, y), fill=LINE)
        block.text(round(x) - 14, top + side + 6, said, 13, SOFT)
        block.text(6, round(y) - 8, said, 13, SOFT)
    block.pen.line((left, top + side, left + side, top), fill=SOFT)
    for x, y, part in drawn.spots:
        r, cx, cy = max(18 * part**0.5, 2), left + x * side, top + side * (1 - y)
        block.pen.ellipse((cx - r, cy - r, cx + r, cy + r), fill=HUES[0], outline=CARD)
    block.text(left + side - 38, top + side + 26, "width", 14)
    block.text(left + 6, top - 4, "height", 14)
