"""A document to the recipes it stands for: names filled, matrices multiplied, every value checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from datafetch.model import Artifact, Finish, Recipe, Rule, Status, Terms, UrlList
from datafetch.recipe import checksums, matrix, template, values
from datafetch.recipe.artifacts import artifact, check_together
from datafetch.recipe.checksums import Known
from datafetch.recipe.document import RecipeEntry
from datafetch.recipe.issues import Issues, listed
from datafetch.recipe.options import check_used, options
from datafetch.recipe.parse import Document, parse
from datafetch.recipe.site import Site

# Those of the station `annotate`, which no recipe needs to load.
MAKERS = ("captions",)
ENTRY_MAKERS = ("sbu", "wordnet")  # of a list of files
WITH_ANOTHER = ("wordnet",)  # of them those that read another document
GATHERERS = ("neuraltalk2",)  # from several documents
_CAPTURED = re.compile(r"<([^<>]+)>")
MAX_ENTRIES = 2_000  # artifacts in a file; more is a slip of the pen, not a dataset

Matrix = Mapping[str, Sequence[str | Mapping[str, str]]]
Beside = Callable[[str], bytes]  # the content of a file beside the recipe; raises Bad


@dataclass(frozen=True, slots=True)
class Expanded:
    """A recipe and the lines it was written in."""

    recipe: Recipe
    line: int
    artifact_lines: tuple[int, ...]  # of each artifact
    rule_lines: tuple[int, ...]  # of each rule of the layout
    known: Known  # what its checksum files say
    counted: frozenset[str]  # keys of `counts` that are about this recipe


def read(data: bytes, file: str, beside: Beside) -> tuple[Expanded, ...]:
    """The recipes in the bytes of a file. Raises RecipeError with every issue found."""
    issues = Issues(file)
    document = parse(data, issues)
    found = expand(document, issues, beside) if document is not None else ()
    issues.raise_any()
    return found


def expand(document: Document, issues: Issues, beside: Beside) -> tuple[Expanded, ...]:
    """The recipes of a document. With issues among them the result is incomplete and not to be used."""
    top = Site(document, issues)
    entry = document.entry
    rows = top.at("matrix").take(matrix.rows, entry.matrix, {}) or ()
    known = _known(entry, top, beside)
    most = MAX_ENTRIES // max(len(rows), 1)
    found = tuple(one for row in rows if (one := _recipe(entry, row, top, known, most)) is not None)
    names = [one.recipe.name for one in found]
    for name in dict.fromkeys(name for index, name in enumerate(names) if name in names[:index]):
        if not top.at("matrix").broken:
            top.at("name").add(f'two recipes with the name "{name}"; the matrix variable belongs into it')
    if not issues.all:
        check_used(entry.choices, [one.recipe.options for one in found], top.at("choices"))
    folders = tuple(folder for one in found for folder in one.recipe.folders)
    for glob in entry.counts:
        if not issues.all and not any(glob in one.counted for one in found):
            top.at("counts", glob).add(f"expected a path that begins with {listed(folders)}")
    return found


def _known(entry: RecipeEntry, top: Site, beside: Beside) -> Known:
    """What the checksum files of a recipe say."""
    site = top.at("checksums")
    files = [entry.checksums] if isinstance(entry.checksums, str) else entry.checksums
    found = []
    for file in files:
        known = site.take(lambda name: checksums.read(name, beside(values.relative_path(name))), file)
        if known is not None:
            found.append(known)
    return checksums.merge(tuple(found))


def _recipe(
    entry: RecipeEntry, row: Mapping[str, str], top: Site, known: Known, most: int
) -> Expanded | None:
    names, wrong = template.resolve(entry.let, row)
    for let, message in wrong.items():
        top.at("let", let).add(message)
    site = top.at(names={**dict.fromkeys(wrong, ""), **names})
    name = site.at("name").filled(values.recipe_name, entry.name)
    if name is None:
        return None
    spread = _spread([(a.name, a.matrix) for a in entry.artifacts], "artifacts", "artifact", site, most)
    built = [artifact(entry.artifacts[index], at, name, known, entry.default) for index, at in spread]
    artifacts = [one for one in built if one is not None]
    check_together(artifacts, site)
    made = tuple(artifact for artifact, _ in artifacts)
    counts = _counts(entry, site, tuple(dict.fromkeys(artifact.folder for artifact in made)))
    finish = _finish(entry, site, made)
    made = tuple(_after(artifact, made, [each for each, _, _ in finish]) for artifact in made)
    rules = [*_rules(entry, site, most), *((rule, at) for _, rule, at in finish if rule is not None)]
    terms = None
    if entry.terms is not None:
        at = site.at("terms")
        link = at.at("link").filled(values.url, entry.terms.link) if entry.terms.link else ""
        terms = Terms(at.at("text").fill(entry.terms.text), link or "", entry.terms.accept)
    recipe = Recipe(
        name=name,
        title=site.at("title").filled(values.plain, entry.title) or name,
        artifacts=made,
        layout=tuple(rule for rule, _ in rules),
        finish=tuple(each for each, _, _ in finish),
        options=options(entry.choices, made, site.at("choices")),
        status=site.at("status").filled(values.status, entry.status) or Status.LIVE,
        note=site.at("note").fill(entry.note).strip(),
        home=(site.at("home").filled(values.url, entry.home) or "") if entry.home else "",
        licence=site.at("licence").fill(entry.licence).strip(),
        terms=terms,
        citation=_citation(entry.citation, site),
        counts=tuple(counts.values()),
        needs=site.at("needs").take(values.needs, entry.needs),
        min_complete=site.at("min_complete").take(values.percent, entry.min_complete) or 0.0,
        file=site.issues.file,
        members=tuple(
            member
            for index, one in enumerate(entry.members)
            if (member := site.at("members", index).filled(values.recipe_name, one)) is not None
        ),
    )
    return Expanded(
        recipe=recipe,
        line=site.line,
        artifact_lines=tuple(at.line for _, at in artifacts),
        rule_lines=tuple(at.line for _, at in rules),
        known=known,
        counted=frozenset(counts),
    )


def _citation(text: str, site: Site) -> str:
    """As written, for the braces are BibTeX's; but `{name}` alone is a name."""
    alone = text.strip()
    is_one_name = alone.startswith("{") and alone.endswith("}") and template.is_name(alone[1:-1])
    return site.at("citation").fill(alone) if is_one_name else alone


def _spread(
    entries: Sequence[tuple[str, Matrix]], key: str, noun: str, site: Site, most: int
) -> list[tuple[int, Site]]:
    """Entries, given as name and matrix, multiplied: the index of the entry, and the spot of each row."""
    found: list[tuple[int, Site]] = []
    for index, (name, written) in enumerate(entries):
        at = site.at(key, index, label=f"{noun} {name or index + 1}")
        rows = at.at("matrix").take(matrix.rows, written, site.names) or ()
        found += [(index, at.at(names=row)) for row in rows]
        if len(found) > most:
            site.at(key).add(f"expected at most {MAX_ENTRIES:,} in all of a file, found more")
            return []
    return found


def _rules(entry: RecipeEntry, site: Site, most: int) -> list[tuple[Rule, Site]]:
    """The rules of the layout, each once; one whose entry is at fault already is left out."""
    made: dict[Rule, Site] = {}
    for index, at in _spread(
        [("", rule.matrix) for rule in entry.layout], "layout", "layout rule", site, most
    ):
        rule = entry.layout[index]
        given = [rule.sources] if isinstance(rule.sources, str) else rule.sources
        if not given:
            at.at("from").add("expected a pattern, found an empty list")
        if not at.broken:
            patterns = tuple(at.at("from").fill(pattern) for pattern in given)
            made.setdefault(Rule(patterns, at.at("to").fill(rule.to)), at)
    return list(made.items())


def _finish(
    entry: RecipeEntry, site: Site, artifacts: Sequence[Artifact]
) -> list[tuple[Finish, Rule | None, Site]]:
    """Each document that is made, and the rule that puts there what it is made from; of a list there is none."""
    made: list[tuple[Finish, Rule | None, Site]] = []
    lists = {a.name: a.source.file for a in artifacts if isinstance(a.source, UrlList)}
    for index, one in enumerate(entry.finish):
        at = site.at("finish", index, label=f"finish {index + 1}")
        make = at.at("make").filled(values.one_of, one.make, (*MAKERS, *ENTRY_MAKERS, *GATHERERS), "makers")
        given = [one.source] if isinstance(one.source, str) else one.source
        sources = tuple(at.at("from").fill(source) for source in given)
        to = at.at("to").filled(values.relative_path, one.to)
        prepro = at.at("prepro").filled(values.option_value, one.prepro) if one.prepro else ""
        pictures = tuple(at.at("pictures").filled(values.relative_path, each) or "" for each in one.pictures)
        _check_finish(make, sources, pictures, lists, artifacts, at)
        beside = at.at("with").filled(values.relative_path, one.beside) if one.beside else ""
        if bool(beside) != (make in WITH_ANOTHER):
            at.at("with").add(f"expected, and with {listed(WITH_ANOTHER)} only, the path of a document")
        elif beside and not any(beside.startswith(f"{artifact.name}/") for artifact in artifacts):
            at.at("with").add(f'expected a path that begins with an artifact, found "{beside}"')
        apart = set(_CAPTURED.findall(to or ""))
        if not apart <= set(_CAPTURED.findall(lists.get(sources[0], "") if sources else "")):
            # Else the rows of one document would not stand together, and all would have to be held.
            at.at("to").add("expected captures of the list's own `file` only")
        if make is None or to is None or prepro is None or at.broken or not sources:
            continue
        if make in ENTRY_MAKERS:
            made.append((Finish(make, to, sources[0], beside or "", prepro=prepro), None, at))
        elif make in GATHERERS:
            made.append((Finish(make, to, sources=sources, pictures=pictures, prepro=prepro), None, at))
        else:
            made.append((Finish(make, to, prepro=prepro), Rule(sources, to), at))
    return made


def _check_finish(
    make: str | None,
    sources: Sequence[str],
    pictures: Sequence[str],
    lists: Mapping[str, str],
    artifacts: Sequence[Artifact],
    at: Site,
) -> None:
    if make in ENTRY_MAKERS and sources[:1] and sources[0] not in lists:
        at.at("from").add(f'expected the name of a list, found "{sources[0]}"')
    if make not in GATHERERS and len(sources) != 1:
        at.at("from").add(f"expected one path, found {len(sources)}")
    if make in GATHERERS:
        if not sources or len(pictures) != len(sources):
            at.at("pictures").add("expected a folder for each path of `from`")
        for source in sources:
            if not any(source.startswith(f"{artifact.name}/") for artifact in artifacts):
                at.at("from").add(f'expected a path that begins with an artifact, found "{source}"')
    elif pictures:
        at.at("pictures").add(f"goes with {listed(GATHERERS)}")


def _after(artifact: Artifact, artifacts: Sequence[Artifact], finish: Sequence[Finish]) -> Artifact:
    """The artifact, with the names of those whose files it is sorted by or its documents are made with."""
    files = [file for sorting in artifact.sort for file in sorting.files]
    files += [each.beside for each in finish if each.list == artifact.name and each.beside]
    names = [
        max(
            (a.name for a in artifacts if file == a.name or file.startswith(f"{a.name}/")),
            key=len,
            default="",
        )
        for file in files
    ]
    return (
        replace(artifact, after=tuple(name for name in dict.fromkeys(names) if name)) if files else artifact
    )


def _counts(entry: RecipeEntry, site: Site, folders: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Glob as written -> filled glob and count, where its first segment is a folder of this recipe.

    So in a family each recipe finds its own.
    """
    found = {}
    for glob, number in entry.counts.items():
        at = site.at("counts", glob)
        path = at.filled(values.relative_path, glob)
        wanted = at.take(values.count, number)
        if path is not None and wanted is not None and path.split("/")[0] in folders:
            found[glob] = (path, wanted)
    return found
