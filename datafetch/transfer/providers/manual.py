"""Files that a person brings: looked for by the names the recipe expects, and asked for in plain words."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from datafetch.errors import NeedsPerson
from datafetch.model import Artifact, Manual, Place

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

    A glob is matched against the end of a path, segment by segment and case as written, in the folder itself
    and in the folders directly below it. Where a name is found twice the earlier folder wins. Links and empty
    files do not count; an absent folder is fine.
    """
    source = artifact.source
    assert isinstance(source, Manual)
    expected = source.expect or ((artifact.name.rpartition("/")[2], "1"),)
    globs = [tuple(glob.split("/")) for glob, _ in expected]
    found: list[dict[str, Path]] = [{} for _ in globs]
    depth = max(len(glob) for glob in globs)
    for folder in folders:
        for parts, path in _files(folder, (), depth):
            for glob, hits in zip(globs, found, strict=True):
                if _matches(glob, parts):
                    hits.setdefault("/".join(parts[-len(glob) :]), path)
    return tuple(
        Hits(
            glob,
            int(count) if count.isdigit() else None,
            tuple(Brought(*one) for one in sorted(hits.items())),
        )
        for (glob, count), hits in zip(expected, found, strict=True)
    )


def _matches(glob: Sequence[str], parts: Sequence[str]) -> bool:
    if not len(glob) <= len(parts) <= len(glob) + 1:
        return False
    return all(fnmatchcase(part, want) for part, want in zip(parts[-len(glob) :], glob, strict=True))


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
