"""The screens of the commands that look: facts in, lines of text out."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from datafetch.console.text import cut, duration, fields, number, plural, size, table
from datafetch.model import Artifact, Bundled, Derived, Http, Manual, Own, Recipe, Shards, State, UrlList
from datafetch.plan.budget import Budget
from datafetch.plan.order import Order
from datafetch.report import Report

_WORTH_SAYING = 1_000_000  # bytes that are here already; journals and the like are not
NOTHING: Mapping[str, Mapping[str, object]] = {}


def how(recipe: Recipe) -> str:
    """How a dataset is obtained: the kinds of its sources, each named once."""
    if recipe.members:
        return f"group of {len(recipe.members)}"
    kinds = dict.fromkeys(_kind(artifact) for artifact in recipe.artifacts)
    return ", ".join(kinds)


def known_size(recipe: Recipe) -> int | None:
    """Bytes of all files of the recipe; None unless every one is known."""
    sizes = [_size_of(artifact) for artifact in recipe.artifacts]
    return None if None in sizes else sum(s for s in sizes if s is not None)


def info_screen(
    recipe: Recipe, width: int | None, told: Mapping[str, Mapping[str, object]] = NOTHING
) -> list[str]:
    terms = recipe.terms
    pairs = [
        ("status", recipe.status + (f": {recipe.note}" if recipe.note else "")),
        ("home", recipe.home),
        ("licence", recipe.licence or "unknown"),
        ("terms", f"{terms.text} {terms.link}".strip() if terms else ""),
        ("disk", f"{size(recipe.needs)} by upstream's word" if recipe.needs else ""),
        ("builds", " ".join(f"{folder}/" for folder in recipe.folders)),
    ]
    lines = [f"{recipe.name}: {recipe.title}", "", *fields(pairs, width)]
    if recipe.options or recipe.groups:
        lines += ["", "choices", *table(_choice_rows(recipe), width=width)]
    if recipe.members:
        lines += ["", "members", *(f"  {name}" for name in recipe.members)]
    else:
        lines += ["", *_file_lines(recipe, width)]
    if recipe.counts:
        lines += ["", "expected", *table([(f"  {glob}", count) for glob, count in recipe.counts])]
    for artifact in recipe.artifacts:
        if isinstance(artifact.source, Derived) and artifact.name in told:
            rows = summary_rows(told[artifact.name], dict(artifact.source.published))
            lines += ["", *table([(f"made: {artifact.name}", "HERE", "UPSTREAM"), *rows], right=(1, 2))]
    if recipe.citation:
        lines += ["", "citation", *(f"  {line}" for line in recipe.citation.strip().splitlines())]
    return lines


def summary_rows(summary: Mapping[str, object], published: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """What was counted, here and upstream; a map of numbers is a line for each."""
    rows = []
    for what, value in summary.items():
        if isinstance(value, Mapping):
            rows += [(f"  {what}: {each}", _counted(number), "") for each, number in value.items()]
        else:
            shown = str(value) if what == "seed" else _counted(value)
            rows.append((f"  {what}", shown, _counted(published.get(what, ""))))
    return rows


def _counted(value: object) -> str:
    text = str(value)
    return number(int(text)) if text.isdigit() else text


def _choice_rows(recipe: Recipe) -> list[tuple[str, str]]:
    rows = []
    for offered in recipe.options:
        rows.append((f"  --{offered.name}", offered.help))
        if offered.values:
            rows.append(("", " | ".join(offered.values)))
    if recipe.groups:
        rows.append(("  --only", "restrict to these groups"))
        rows.append(("", " | ".join(recipe.groups)))
    return rows


def _file_lines(recipe: Recipe, width: int | None) -> list[str]:
    """Two lines a file: what it is, and where; then what there is to know about it."""
    rows = [(f"  {a.name}", size(_size_of(a)), _checksum_words(a), a.status) for a in recipe.artifacts]
    heads = table([("files", "SIZE", "CHECKSUM", "STATUS"), *rows], right=(1,))
    lines = heads[:1]
    for artifact, head in zip(recipe.artifacts, heads[1:], strict=True):
        lines += [head, *(f"    {line}" for line in _addresses(artifact))]
        lines += textwrap.wrap(
            artifact.note, (width or 110) - 4, initial_indent="    ", subsequent_indent="    "
        )
    return lines


def plan_screen(recipe: Recipe, budget: Budget, free: int, width: int | None) -> list[str]:
    header = ("FILE", "SIZE", "TO FETCH", "STATE")
    rows = [
        (line.name, size(line.size), "-" if line.state is State.BUILT else size(line.todo), line.state)
        for line in budget.lines
    ]
    lines = [cut(line, width) for line in table([header, *rows], right=(1, 2))]
    notes = [f"{line.name}: {line.note}" for line in budget.lines if line.note]
    if budget.order is Order.NARROW:
        notes.append(f"{recipe.name}: {_narrow_words(budget)}")
    return [*lines, "", *notes, budget_line(recipe.name, budget, free)]


def budget_line(name: str, budget: Budget, free: int) -> str:
    """The plan in one line."""
    pending = [line for line in budget.lines if line.state is not State.BUILT]
    if not pending:
        return f"{name}: nothing to do, all of it is here"
    more = f" and {plural(budget.unknown, 'file')} of unknown size" if budget.unknown else ""
    if budget.unknown == len(pending):
        return (
            f"{name}: {plural(len(pending), 'file')} to get, none of known size ({size(free)} of disk free)"
        )
    least = "" if budget.sure else "at least "
    here = budget.peak - budget.disk
    peak = f"; {size(budget.peak)} at its peak with what is here" if here >= _WORTH_SAYING else ""
    files = f", {number(budget.files)} files" if budget.files else ""
    return (
        f"{name}: {size(budget.fetch)}{more} to fetch, {least}{size(budget.disk)} of disk needed{files}, "
        f"{size(free)} free{peak}"
    )


def _narrow_words(budget: Budget) -> str:
    """Why one archive is got at a time, or that not even this fits."""
    if not budget.fits:
        return "it does not fit, not even one archive at a time"
    if budget.wide > budget.peak:
        return f"one archive at a time, because room is short: all at once may take {size(budget.wide)}"
    return "one archive at a time, because room is short"


def report_line(report: Report) -> str:
    """The result of a run in one line, for stdout."""
    counts = report.counts
    said = [f"{report.dataset}: {report.status}", plural(counts["ok"], "file"), size(report.on_disk)]
    said += [f"{number(counts[o])} {o}" for o in ("missing", "failed", "rejected", "skipped") if counts[o]]
    said.append(f"{size(report.transferred)} fetched in {duration(report.seconds)}")
    if report.tree_digest:
        said.append(f"tree {report.tree_digest[:16]}")
    return ", ".join(said)


def _checksum_words(artifact: Artifact) -> str:
    if isinstance(artifact.source, Shards) and not artifact.checksums:
        of_parts = {c.algorithm for shard in artifact.source.shards for c in shard.checksums}
        if of_parts and all(shard.checksums for shard in artifact.source.shards):
            return f"{' '.join(sorted(of_parts))} of each part"
    return " ".join(f"{c.algorithm}:{c.digest[:12]}…" for c in artifact.checksums) or "unknown"


def _addresses(artifact: Artifact) -> list[str]:
    match artifact.source:
        case Http(urls=urls, manual=instead):
            return [urls[0], *(f"mirror {url}" for url in urls[1:]), *_by_hand(instead)]
        case Shards(shards=shards):
            return [f"{shards[0].urls[0]} and {len(shards) - 1} more parts"]
        case UrlList(file=file, mending=True):
            return [f"only what does not decode of {file}"]
        case UrlList(file=file):
            return [f"one address a row, in {file}"]
        case Manual() as manual:
            return _by_hand(manual)
        case Bundled(path=path):
            return [f"ships with the recipe: {path.rpartition('/')[2]}"]
        case Own(where=where):
            return [f"your own files: {where}"]
        case Derived(inputs=inputs):
            held = dict.fromkeys(path.split("/")[0] for _, paths in inputs for path in paths)
            return [f"made here, of {', '.join(held)}"]


def _by_hand(manual: Manual | None) -> list[str]:
    """Where a person goes, and what is to be brought from there: the names that --from DIR is searched for."""
    if manual is None:
        return []
    said = [f"by hand: {p.link}" + (f" (code {p.code})" if p.code else "") for p in manual.places]
    if manual.expect:
        names = ", ".join(glob.replace("|", " or ") for glob, _ in manual.expect)
        said.append(f"bring with --from DIR: {names}")
    if manual.packed:
        said.append(f"or an archive that holds it: {', '.join(manual.packed)}")
    return said


def _kind(artifact: Artifact) -> str:
    match artifact.source:
        case Http():
            return "direct"
        case Shards() if artifact.rows:
            return "direct"  # tables: each is a file of its own
        case Shards():
            return "shards"
        case UrlList(mending=True):
            return "direct"  # nothing, unless something of an archive has to be mended
        case UrlList():
            return "URL list"
        case Manual():
            return "manual"
        case Bundled():
            return "bundled"
        case Own():
            return "own files"
        case Derived():
            return "made here"


def _size_of(artifact: Artifact) -> int | None:
    if isinstance(artifact.source, Shards):
        sizes = [shard.size for shard in artifact.source.shards]
        return None if None in sizes else sum(s for s in sizes if s is not None)
    if isinstance(artifact.source, UrlList) and artifact.source.mending:
        return 0
    return artifact.size
