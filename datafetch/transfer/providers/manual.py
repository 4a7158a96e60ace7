"""Files that a person brings: looked for by the names the recipe expects, and asked for in plain words."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from datafetch.errors import NeedsPerson
from datafetch.model import Artifact, Manual, Place, least
from datafetch.transfer.providers.drive_pages import loose

BELOW = 2  # folders that may lie between

# What a person should know about a kind of place; written once, whatever the number of files that lie there.
ADVICE: Mapping[str, str] = {
    "google-drive": "open the link in a browser that is logged in to Google; when it says that the quota is"
    " exceeded, add the file to your own Drive and download the copy, or come back in 24 hours",
    "baidu": "open the link, type the extraction code, and download with the Baidu Netdisk program (an"
    " account is needed; saving to your own disk first makes it faster)",
    "form": "fill in the form; the link or password comes by mail",
}


@dataclass(frozen=True, slots=True)
class Brought:
    """One file that a person brought: its name as the recipe's glob has it, and where it lies."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Hits:
    """Files found for one expected glob."""

    glob: str
    wanted: int | None  # None: any number from one on
    files: tuple[Brought, ...]

    @property
    def enough(self) -> bool:
        return len(self.files) >= (1 if self.wanted is None else self.wanted)


def find(artifact: Artifact, folders: Sequence[Path]) -> tuple[Hits, ...]:
    """What lies in `folders` of an artifact with a Manual source, per expected glob, sorted by name.

    A glob is matched against the end of a path, segment by segment and case as written, in the folder itself and
    in those up to two below it. Where a name is found twice the earlier folder wins, then the earlier of several
    globs, then what lies less deep. Segments without a wildcard need not be spelled exactly: blanks around them
    and the number of a copy, `name (1).csv`, do not count, and their files are named as the glob has it. Links and
    empty files do not count; an absent folder is fine.
    """
    source = artifact.source
    assert isinstance(source, Manual)
    expected = source.expect or ((artifact.name.rpartition("/")[2], "1"),)
    globs = [[tuple(glob.split("/")) for glob in said.split("|")] for said, _ in expected]
    found: list[dict[str, tuple[tuple[int, ...], Path]]] = [{} for _ in globs]
    depth = max(len(one) for several in globs for one in several) + BELOW - 1
    for at, folder in enumerate(folders):
        for parts, path in _files(folder, (), depth):
            for several, hits in zip(globs, found, strict=True):
                for turn, glob in enumerate(several):
                    matched = _matched(glob, several[0], parts)
                    if matched is not None:
                        name, exact = matched
                        rank = (at, turn, len(parts) - len(glob), not exact)
                        if name not in hits or rank < hits[name][0]:
                            hits[name] = rank, path
    return tuple(
        Hits(
            glob.partition("|")[0],
            0 if least(count) == 0 else int(count) if count.isdigit() else None,
            tuple(Brought(name, path) for name, (_, path) in sorted(hits.items())),
        )
        for (glob, count), hits in zip(expected, found, strict=True)
    )


def archives(artifact: Artifact, folders: Sequence[Path]) -> tuple[Path, ...]:
    """The archives in `folders` that may hold what is expected, by name; spelled as loosely as files."""
    source = artifact.source
    assert isinstance(source, Manual)
    return tuple(
        path
        for folder in folders
        for parts, path in _files(folder, (), 0)
        if any(fnmatchcase(loose(parts[-1]), glob) for glob in source.packed)
    )


def copies(name: str, folders: Sequence[Path]) -> Iterator[Path]:
    """Files in `folders` that are called so, but for blanks around it and the number of a copy."""
    for folder in folders:
        for parts, path in _files(folder, (), 0):
            if loose(parts[-1]) == name:
                yield path


def _matched(glob: Sequence[str], names: Sequence[str], parts: Sequence[str]) -> tuple[str, bool] | None:
    """What a path that fits a glob is called, by the glob whose names count, and whether it is spelled so."""
    if not len(glob) <= len(parts) <= len(glob) + BELOW:
        return None
    called, exact = [], True
    for part, want, name in zip(parts[-len(glob) :], glob, names, strict=True):
        if fnmatchcase(part, want):
            called.append(part if _is_wild(name) else name)
        elif not _is_wild(want) and loose(part) == want:
            called.append(name)
            exact = False
        else:
            return None
    return "/".join(called), exact


def _is_wild(segment: str) -> bool:
    return any(sign in segment for sign in "*?[")


def _files(folder: Path, above: tuple[str, ...], depth: int) -> Iterator[tuple[tuple[str, ...], Path]]:
    """Regular files with something in them, down to `depth` folders below, in name order."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    for entry in found:
        parts = (*above, entry.name)
        info = entry.stat(follow_symlinks=False)
        if stat.S_ISREG(info.st_mode) and info.st_size:
            yield parts, Path(entry.path)
        elif stat.S_ISDIR(info.st_mode) and len(parts) <= depth:
            yield from _files(Path(entry.path), parts, depth)


def instructions(artifact: Artifact, hits: Sequence[Hits], inbox: Path) -> str:
    """What a person has to do, step by step, as lines of text."""
    source = artifact.source
    assert isinstance(source, Manual)
    lines = [f"{artifact.name} has to be brought by a person:"]
    lines += (_from(place) for place in source.places)
    told = dict.fromkeys(place.at for place in source.places if place.at in ADVICE)
    lines += (f"  {at}: {ADVICE[at]}" for at in told)
    lines += (_missing(hit) for hit in hits if not hit.enough)
    if source.packed:
        lines.append(f"  or an archive that holds it: {', '.join(source.packed)}")
    lines.append(f"  put it into {inbox}, or name its folder with --from DIR")
    if artifact.note:
        lines.append(f"  note: {artifact.note}")
    return "\n".join(lines)


def _from(place: Place) -> str:
    return f"  from {place.at}: {place.link}" + (f"  (extraction code {place.code})" if place.code else "")


def _missing(hit: Hits) -> str:
    if hit.wanted is None or hit.wanted == 1:
        return f"  missing: {hit.glob}"
    return f"  missing: {hit.wanted - len(hit.files)} of {hit.wanted} files {hit.glob}"


def needs_person(artifact: Artifact, hits: Sequence[Hits], inbox: Path) -> NeedsPerson:
    """The error that ends a run, exit code 7, until the files are there."""
    return NeedsPerson(
        instructions(artifact, hits, inbox), hint="run the same command again when the file is there"
    )
