"""The page: facts in, one HTML document out. Pure; without scripts, and without anything loaded from elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from datafetch.console.text import number, plural, size
from datafetch.model import Outcome, Recipe
from datafetch.show.charts import bar, over_runs, share, words
from datafetch.show.facts import Facts, Lost, Turned
from datafetch.show.html import Html, link, tag, text
from datafetch.show.sheets import classes, image, section, sheet, sizes
from datafetch.show.style import CSS
from datafetch.store.history import Past

HOSTS = 25  # with a line each
RUNS = 40  # drawn; the table tells the latest TOLD
TOLD = 12
# Whatever a name or address holds: the browser is told to run nothing and to load nothing.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

MEANINGS = {
    Outcome.OK: "verified, and in the tree",
    Outcome.MISSING: "gone upstream, or lost here",
    Outcome.FAILED: "could not be fetched so far",
    Outcome.REJECTED: "came, but is not what was asked for",
    Outcome.SKIPPED: "left out on purpose",
}


def page(facts: Facts) -> str:
    """The whole document."""
    parts = (
        _whole(facts),
        sheet(facts),
        classes(facts),
        sizes(facts.sizes),
        _hosts(facts),
        _reasons(facts.lost),
        _over_time(facts.runs),
        _turned(facts.turned),
        _documents(facts),
        _rights(facts.recipe),
    )
    body = (
        tag("header", tag("h1", facts.name), tag("p", facts.title, class_="lead")),
        tag("main", *parts),
        tag("footer", tag("p", f"made by datafetch on {facts.made_at}")),
    )
    head = (
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{facts.name}: {facts.status}"),
        tag("style", Html(CSS)),
    )
    return f"<!doctype html>\n{tag('html', tag('head', *head), tag('body', *body), lang='en')}\n"


def _table(heads: Sequence[str], rows: Iterable[Html], numbers: Sequence[int]) -> Html:
    cells = [
        tag("th", head, scope="col", **({"class_": "n"} if at in numbers else {}))
        for at, head in enumerate(heads)
    ]
    table = tag("table", tag("thead", tag("tr", *cells)), tag("tbody", *rows))
    return tag("div", table, class_="scroll")


def _whole(facts: Facts) -> Html:
    """How much of it is here, in one number and one bar."""
    counts = Counter({o: facts.counts.get(o, 0) for o in Outcome})
    wanted = counts.total() - counts[Outcome.SKIPPED]
    keys = [
        tag("li", tag("i", class_=str(o)), tag("b", number(counts[o])), f" {o} ", _soft(MEANINGS[o]))
        for o in Outcome
        if counts[o]
    ]
    known = [
        ("last run", facts.status),
        ("on disk", size(facts.bytes)),
        ("pictures", number(sum(part.files for part in facts.parts))),
        ("classes", number(sum(bool(each.name) for each in facts.classes))),
        ("licence", facts.recipe.licence or "unknown"),
        ("tree digest", facts.tree_digest[:16]),
    ]
    pairs = [tag("div", tag("dt", name), tag("dd", said)) for name, said in known if said and said != "0"]
    said = f"{number(counts[Outcome.OK])} of {number(wanted)} items are here"
    return section(
        "What is here",
        tag("div", tag("strong", share(counts[Outcome.OK], wanted)), _soft(said), class_="share"),
        bar(counts, "bar tall"),
        tag("ul", *keys, class_="key"),
        tag("dl", *pairs),
    )


def _soft(said: str) -> Html:
    return tag("span", said, class_="soft")


def _hosts(facts: Facts) -> Html:
    """Link rot: of each host, what it still gave."""
    if not facts.hosts:
        return Html()
    shown, others = facts.hosts[:HOSTS], facts.hosts[HOSTS:]
    rows = [_host(host, counts) for host, counts in shown]
    if others:
        rest = sum((counts for _, counts in others), Counter[Outcome]())
        rows.append(_host(plural(len(others), "other host"), rest))
    lead = tag("p", "What each host still gives of what the lists ask of it.", class_="soft")
    return section("Hosts", lead, _table(("host", "outcomes", "ok", "items"), rows, (2, 3)), long=True)


def _host(host: str, counts: Mapping[Outcome, int]) -> Html:
    total = sum(counts.values())
    return tag(
        "tr",
        tag("th", host, scope="row"),
        tag("td", bar(counts), class_="wide", title=words(counts)),
        tag("td", share(counts.get(Outcome.OK, 0), total), class_="n"),
        tag("td", number(total), class_="n"),
    )


def _reasons(lost: Sequence[Lost]) -> Html:
    """Why rows have no file, and whether they are asked for again."""
    if not lost:
        return Html()
    rows = [
        tag(
            "tr",
            tag("th", each.why, scope="row"),
            tag("td", tag("i", class_=f"dot {each.outcome}"), str(each.outcome)),
            tag("td", number(each.rows), class_="n"),
            tag("td", _again(each)),
        )
        for each in lost
    ]
    return section(
        "What is not here, and why", _table(("reason", "outcome", "rows", "asked again"), rows, (2,))
    )


def _again(lost: Lost) -> str:
    if lost.outcome is Outcome.SKIPPED:
        return "never"
    due = (
        ["by the next run" if lost.due == lost.rows else f"{number(lost.due)} by the next run"]
        if lost.due
        else []
    )
    return ", ".join([*due, *(["later"] if lost.later else [])]) or "only with --retry-gone"


def _over_time(runs: Sequence[Past]) -> Html:
    if not runs:
        return Html()
    rows = [
        tag(
            "tr",
            tag("th", run.at.replace("T", " ").replace("Z", " UTC"), scope="row"),
            tag("td", run.status),
            *(tag("td", number(run.counts.get(outcome, 0)), class_="n") for outcome in Outcome),
            tag("td", size(run.transferred), class_="n"),
        )
        for run in reversed(runs[-TOLD:])
    ]
    heads = ("run", "ended", *(str(outcome) for outcome in Outcome), "fetched")
    lead = tag("p", "Runs that changed something, the oldest on the left.", class_="soft")
    table = _table(heads, rows, range(2, len(heads)))
    drawn = (lead, over_runs(runs[-RUNS:])) if len(runs) > 1 else ()
    return section("Over runs", *drawn, table)


def _turned(turned: Sequence[Turned]) -> Html:
    """Bodies that hosts sent and that are not in the tree."""
    if not turned:
        return Html()
    shown = [
        tag(
            "figure",
            image(each.jpeg, f"a body turned away: {each.why}")
            if each.jpeg
            else tag("pre", each.begins or " "),
            tag("figcaption", each.why),
        )
        for each in turned
    ]
    lead = tag("p", "What hosts sent in place of pictures: none of it is in the tree.", class_="soft")
    return section("Turned away", lead, tag("div", *shown, class_="turned"))


def _documents(facts: Facts) -> Html:
    """Files that are no pictures: a stray one in a class folder would be seen here."""
    if not facts.documents:
        return Html()
    rows = [
        tag("tr", tag("th", path, scope="row"), tag("td", size(held), class_="n"))
        for path, held in facts.documents
    ]
    left = facts.other_files - len(rows)
    more = (tag("p", f"and {plural(left, 'more file')}", class_="soft"),) if left else ()
    return section("Other files", _table(("path", "size"), rows, (1,)), *more)


def _rights(recipe: Recipe) -> Html:
    """Whose it is, and what one may do with it, as far as the recipe knows."""
    terms = recipe.terms
    known: list[tuple[str, Html]] = [
        ("licence", text(recipe.licence or "unknown")),
        ("terms", text(terms.text if terms else "")),
        ("terms in full", link(terms.link, terms.link) if terms and terms.link else Html()),
        ("home", link(recipe.home, recipe.home)),
        ("upstream", text(str(recipe.status))),
        ("note", text(recipe.note)),
    ]
    pairs = [tag("div", tag("dt", name), tag("dd", said)) for name, said in known if said]
    cited = (tag("h3", "To cite"), tag("pre", recipe.citation.strip())) if recipe.citation.strip() else ()
    return section("Licence and citation", tag("dl", *pairs, class_="rights"), *cited)
