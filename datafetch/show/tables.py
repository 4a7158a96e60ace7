"""What the drawn page tells in lines: reasons, hosts, runs, what was turned away, other files, licence."""

from __future__ import annotations

from collections.abc import Iterator

from datafetch.console.text import number, size
from datafetch.model import Outcome
from datafetch.show.canvas import INK, INNER, OUTCOMES, SOFT, TRACK, Block, headed, square, wrapped
from datafetch.show.charts import share, words
from datafetch.show.facts import Facts

ROWS = 10  # of each
THUMB = 150


def _lost(facts: Facts) -> Block | None:
    if not facts.lost:
        return None
    block = headed("What is not here, and why", "", 30 * ROWS)
    for each in facts.lost[:ROWS]:
        block.pen.rounded_rectangle((0, block.y + 4, 13, block.y + 17), 3, fill=OUTCOMES[each.outcome])
        block.text(24, block.y, f"{each.why} ({each.outcome})", 16, room=500)
        block.text(560, block.y, number(each.rows), 16)
        block.y += 28
    return block


def _hosts(facts: Facts) -> Block | None:
    if not facts.hosts:
        return None
    block = headed("Hosts", "What each host still gives of what the lists ask of it", 30 * ROWS)
    for host, counts in facts.hosts[:ROWS]:
        block.text(0, block.y, host, 16, room=480)
        parts = [(counts.get(outcome, 0), OUTCOMES[outcome]) for outcome in Outcome]
        block.bar(500, block.y + 4, 560, 12, parts, counts.total())
        block.text(
            1080, block.y, f"{share(counts[Outcome.OK], counts.total())} of {number(counts.total())}", 16
        )
        block.y += 28
    return block


def _runs(facts: Facts) -> Block | None:
    if not facts.runs:
        return None
    block = headed("Over runs", "", 30 * ROWS)
    for run in reversed(facts.runs[-ROWS:]):
        counts = {outcome: run.counts.get(outcome, 0) for outcome in Outcome}
        block.text(0, block.y, run.at.replace("T", " ").replace("Z", " UTC"), 16, room=250)
        block.text(260, block.y, run.status, 16, room=110)
        parts = [(counts[outcome], OUTCOMES[outcome]) for outcome in Outcome]
        block.bar(380, block.y + 4, 340, 12, parts, sum(counts.values()))
        block.text(740, block.y, f"{words(counts)}; {size(run.transferred)} fetched", 16, room=INNER - 740)
        block.y += 28
    return block


def _turned(facts: Facts) -> Block | None:
    if not facts.turned:
        return None
    lead = "What hosts sent in place of pictures: none of it is in the tree"
    block = headed("Turned away", lead, (THUMB + 40) * 4)
    each_row = INNER // (THUMB + 14)
    shown = facts.turned[: 4 * each_row]
    for at, each in enumerate(shown):
        x, y = at % each_row * (THUMB + 14), block.y + at // each_row * (THUMB + 36)
        block.pen.rectangle((x, y, x + THUMB, y + THUMB), fill=TRACK)
        if each.jpeg:
            block.image.paste(square(each.jpeg, THUMB), (x, y))
        for line, said in enumerate(wrapped(each.begins, 20, 8) if not each.jpeg else ()):
            block.text(x + 8, y + 6 + 17 * line, said, 12, INK, THUMB - 12)
        block.text(x, y + THUMB + 4, each.why, 14, SOFT, THUMB)
    block.y += -(-len(shown) // each_row) * (THUMB + 36)
    return block


def _documents(facts: Facts) -> Block | None:
    if not facts.documents:
        return None
    block = headed("Other files", "", 24 * len(facts.documents) + 40)
    for path, held in facts.documents:
        block.text(0, block.y, path, 15, room=900)
        block.text(940, block.y, size(held), 15, SOFT)
        block.y += 24
    if left := facts.other_files - len(facts.documents):
        block.text(0, block.y, f"and {number(left)} more", 15, SOFT)
        block.y += 24
    return block


def _rights(facts: Facts) -> Block:
    lines = list(_rights_lines(facts))
    block = headed("Licence and citation", "", 26 * len(lines) + 20)
    for label, said in lines:
        block.text(0, block.y, label, 15, SOFT)
        block.text(130, block.y, said, 15, INK, INNER - 130)
        block.y += 24
    return block


def _rights_lines(facts: Facts) -> Iterator[tuple[str, str]]:
    recipe = facts.recipe
    terms = f"{recipe.terms.text} {recipe.terms.link}" if recipe.terms else ""
    for label, said in (
        ("licence", recipe.licence or "unknown"),
        ("terms", terms),
        ("home", recipe.home),
        ("upstream", str(recipe.status)),
        ("note", recipe.note),
        ("to cite", recipe.citation),
    ):
        for at, line in enumerate(wrapped(said, 135, 16) if said else ()):
            yield ("" if at else label), line


TABLES = (_hosts, _lost, _runs, _turned, _documents, _rights)
