"""One entry under `artifacts`, at one row of its matrix, to an Artifact; and what must hold between them."""

from __future__ import annotations

from fnmatch import fnmatchcase

from datafetch.model import Artifact, Status, UrlList
from datafetch.recipe import sources, values
from datafetch.recipe.checksums import Known
from datafetch.recipe.document import ArtifactEntry
from datafetch.recipe.issues import Bad, printable, suggest
from datafetch.recipe.site import Site


def artifact(
    entry: ArtifactEntry, site: Site, recipe: str, known: Known, default: list[str]
) -> tuple[Artifact, Site] | None:
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
    if source is None or folder is None:
        return None
    wanted = not default or any(fnmatchcase(name, pattern) for pattern in default)
    artifact = Artifact(
        name=name,
        source=source,
        folder=folder,
        unpack=entry.unpack,
        size=size,
        checksums=sums,
        group=group or "",
        choose=tuple(choose),
        status=status or Status.LIVE,
        note=note,
        skip=tuple(pattern for pattern in skip if pattern is not None),
        default=wanted,
    )
    return artifact, site


def _glob(text: str) -> str:
    if not text or text.startswith("/") or ".." in text.split("/"):
        raise Bad(f'expected a pattern such as "*_rej", found "{printable(text)}"')
    return values.plain(text)


def check_together(artifacts: list[tuple[Artifact, Site]], site: Site) -> None:
    """What must hold between the artifacts of one recipe: names that differ, lists that exist."""
    if not artifacts and ("artifacts",) not in site.document.broken and not site.issues.all:
        site.at("artifacts").add("expected at least one artifact, found none")
    seen: dict[str, Site] = {}
    for artifact, at in artifacts:
        first = seen.setdefault(artifact.name.casefold(), at)
        if first is not at:
            at.at("name").add(
                f'two artifacts with the name "{artifact.name}", the first in line {first.line}'
            )
    for artifact, at in artifacts:
        for ending in (".part", ".shards", ".jsonl"):  # the names its own state files would have
            if artifact.name.casefold() + ending in seen:
                seen[artifact.name.casefold() + ending].at("name").add(f'too near to "{artifact.name}"')
        match artifact.source:
            case UrlList(file=file) if not any(_within(file, other.name) for other, _ in artifacts):
                names = tuple(other.name for other, _ in artifacts if other is not artifact)
                message = f'expected a path that begins with an artifact, found "{file}"'
                at.at("url_list", "file").add(f"{message}; {suggest(file.split('/')[0], names, 'artifacts')}")
    for pattern in site.document.entry.default:
        if artifacts and not any(fnmatchcase(artifact.name, pattern) for artifact, _ in artifacts):
            names = tuple(artifact.name for artifact, _ in artifacts)
            site.at("default").add(f'"{pattern}" matches no artifact; {suggest(pattern, names, "artifacts")}')


def _within(file: str, name: str) -> bool:
    return file == name or file.startswith(f"{name}/")
