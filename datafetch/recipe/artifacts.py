"""One entry under `artifacts`, at one row of its matrix, to an Artifact; and what must hold between them."""

from __future__ import annotations

from fnmatch import fnmatchcase

from datafetch.model import Artifact, Derived, Status, UrlList
from datafetch.recipe import lists, sources, values
from datafetch.recipe.checksums import Known
from datafetch.recipe.derived import unheld
from datafetch.recipe.document import ArtifactEntry
from datafetch.recipe.issues import Bad, printable, suggest
from datafetch.recipe.rows import rows
from datafetch.recipe.site import Site

STATE_ENDINGS = (".part", ".shards", ".jsonl")  # what follows an artifact's name in the state folder


def artifact(
    entry: ArtifactEntry, site: Site, recipe: str, known: Known, default: list[str]
) -> tuple[Artifact, Site] | None:
    """The artifact of an entry, and its spot; None, with issues, when name, source or folder are no use."""
    name = site.at("name").filled(values.artifact_name, entry.name)
    if name is None:
        return None
    site = Site(site.document, site.issues, site.path, f"artifact {name}", site.names)
    source = sources.source(entry, site, known)
    folder = site.at("folder").filled(values.folder_name, entry.folder or recipe, recipe)
    choose = []
    for option, value in entry.choose.items():
        at = site.at("choose", option)
        if value is False:
            at.add("expected true or a value, found false; an artifact without it is chosen without the flag")
        picked = "true" if value is True else at.filled(values.option_value, str(value))
        if at.take(values.option_name, option) and picked is not None:
            choose.append((option, picked))
    skip = [site.at("skip", i).filled(_glob, text) for i, text in enumerate(entry.skip)]
    sums = sources.checksums(entry, source, site, known)
    size = site.at("size").take(values.size, entry.size)
    status = site.at("status").filled(values.status, entry.status)
    group = site.at("group").filled(values.option_value, entry.group) if entry.group else ""
    note = site.at("note").fill(entry.note).strip()
    table = rows(entry, site)
    if source is None or folder is None:
        return None
    wanted = not default or any(fnmatchcase(name, pattern) for pattern in default)
    made = Artifact(
        name=name,
        source=source,
        folder=folder,
        unpack=entry.unpack or bool(table),
        nested=entry.nested,
        encoding=site.at("encoding").filled(values.encoding, entry.encoding) or "" if entry.encoding else "",
        size=size,
        checksums=sums,
        group=group or "",
        choose=tuple(choose),
        status=status or Status.LIVE,
        note=note,
        skip=tuple(pattern for pattern in skip if pattern is not None),
        default=wanted,
        rows=table,
        sort=lists.sortings(entry, site),
    )
    return made, site


def _glob(text: str) -> str:
    if not text or text.startswith("/") or ".." in text.split("/"):
        raise Bad(f'expected a pattern such as "*_rej", found "{printable(text)}"')
    return values.plain(text)


def check_together(artifacts: list[tuple[Artifact, Site]], site: Site) -> None:
    """What must hold between the artifacts of one recipe: names differ, and none that is named is absent."""
    if site.document.entry.members:
        if artifacts:
            site.at("artifacts").add("expected none: a group has members and nothing of its own")
        return
    if not artifacts and not site.issues.all:
        site.at("artifacts").add("expected at least one artifact, found none")
    _check_names(artifacts)
    if site.issues.all:
        return  # an artifact that is at fault is not among these, so it would be missed below
    names = tuple(each.name for each, _ in artifacts)
    for each, at in artifacts:
        match each.source:
            case UrlList(file=file) if not any(_within(file, name) for name in names):
                message = f'expected a path that begins with an artifact, found "{file}"'
                others = tuple(name for name in names if name != each.name)
                at.at("url_list", "file").add(
                    f"{message}; {suggest(file.split('/')[0], others, 'artifacts')}"
                )
            case UrlList(file=file, mending=True) if not any(
                other.name == file and other.unpack for other, _ in artifacts
            ):
                at.at("url_list", "file").add(
                    f'expected, with read: damaged, the name of an archive that is unpacked, found "{file}"'
                )
            case Derived() as source if wrong := unheld(source, names):
                at.at("derived", "from").add(wrong)
        for turn, sorting in enumerate(each.sort):
            for key, file in zip(("file", "join"), sorting.files, strict=False):
                if not any(_within(file, name) for name in names if name != each.name):
                    at.at("sort", turn, key).add(
                        f'expected a path that begins with another artifact, found "{file}"'
                    )
    for pattern in site.document.entry.default:
        if not any(fnmatchcase(name, pattern) for name in names):
            near = suggest(pattern, names, "artifacts")
            site.at("default").add(f'"{pattern}" matches no artifact; {near}')


def _check_names(artifacts: list[tuple[Artifact, Site]]) -> None:
    seen: dict[str, Site] = {}
    for each, at in artifacts:
        first = seen.setdefault(each.name.casefold(), at)
        if first is not at:
            at.at("name").add(f'two artifacts with the name "{each.name}", the first in line {first.line}')
    for each, _ in artifacts:
        for ending in STATE_ENDINGS:
            if near := seen.get(each.name.casefold() + ending):
                near.at("name").add(f'too near to "{each.name}", whose state files may end in {ending}')


def _within(file: str, name: str) -> bool:
    return file == name or file.startswith(f"{name}/")
