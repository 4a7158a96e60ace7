"""What this machine has learned of files, as lines of a checksum file for their recipe: in the form of `sha256sum`,
each with a note of who saw it, when and where.

Only what was fetched whole, hashed here and built counts; nothing is taken from a lock file or a server's word.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datafetch import __version__
from datafetch.errors import UsageError
from datafetch.identity import identity
from datafetch.model import Artifact, Checksum, Fetched, Http, Recipe, Shards, Source
from datafetch.store import journal
from datafetch.store.files import write_atomic
from datafetch.store.home import Home
from datafetch.store.machine import host
from datafetch.store.terms import user

ENDING = ".sha256"

Names = Callable[[Source], tuple[str, ...]]  # by which checksum files know the files of a source


@dataclass(frozen=True, slots=True)
class Seen:
    """One file that was hashed here."""

    name: str  # in a checksum file
    done: Fetched
    known: tuple[Checksum, ...]  # what the recipe says of it


@dataclass(frozen=True, slots=True)
class Learned:
    files: tuple[Seen, ...]
    left: tuple[str, ...]  # what is left out, and why, in words


@dataclass(frozen=True, slots=True)
class Wrote:
    file: Path
    added: int
    there: int  # already
    hint: str = ""


def learned(home: Home, recipe: Recipe, names: Names) -> Learned:
    """Every file of the recipe that was fetched and built here. Raises UsageError when there is none, or when the
    recipe has another SHA-256 for one of them.
    """
    found: dict[str, Seen] = {}
    left: list[str] = []
    twice: set[str] = set()
    for artifact in recipe.artifacts:
        if journal.known(home.journal(artifact.name)).built is None:
            continue
        files = list(_files(home, artifact, names))
        if not files:
            left.append(
                f"{artifact.name}: left out: no whole file of it was fetched from its address and hashed here"
            )
        for one in files:
            other = found.setdefault(one.name, one)
            if other.done.sha256 != one.done.sha256:
                twice.add(one.name)
                left.append(
                    f"{one.name}: left out: two files of this name, which a checksum file cannot tell apart"
                )
    if not found and not left:
        raise UsageError(f"{recipe.name}: nothing of it is here", f"datafetch get {recipe.name} first")
    for one in found.values():
        _refuse_other(one)
    return Learned(tuple(one for name, one in found.items() if name not in twice), tuple(dict.fromkeys(left)))


def _files(home: Home, artifact: Artifact, names: Names) -> Iterator[Seen]:
    match artifact.source:
        case Http(urls=urls):
            done = journal.known(home.journal(artifact.name)).done
            (name,) = names(artifact.source)
            if done is not None and done.address == identity(urls[0]) and name:
                yield Seen(name, done, artifact.checksums)
        case Shards(shards=shards):
            for shard in shards:
                done = journal.known(home.journal(home.shard_key(artifact.name, shard.name))).done
                if done is not None and done.address == identity(shard.urls[0]):
                    yield Seen(shard.name, done, shard.checksums)
        case _:
            return


def _refuse_other(one: Seen) -> None:
    for checksum in one.known:
        if checksum.algorithm == "sha256" and checksum.digest != one.done.sha256:
            raise UsageError(
                f"{one.name}: the recipe says sha256 {checksum.digest}, and {one.done.sha256} was built here",
                "one of the two is of another version: compare them before either is published",
            )


def lines(found: Learned) -> list[str]:
    """A comment and a line for each file, as they stand in a checksum file."""
    return [text for one in found.files for text in _lines(one)]


def _lines(one: Seen) -> tuple[str, str]:
    done = one.done
    who = f"{user()}@{host()}"
    note = f"# {done.size} bytes from {done.url}, seen on {done.fetched_at[:10]} by {who} with datafetch {__version__}"
    return " ".join(note.split()), f"{done.sha256}  {one.name}"


def write(
    found: Learned, recipe_file: Path, files: Sequence[str], there: Mapping[str, Sequence[Checksum]]
) -> Wrote:
    """Add to the first checksum file of the recipe that takes SHA-256, or to a new one beside it, what lacks in
    `there`, all that its checksum files say. What stands in the file stays.
    """
    own = next((file for file in files if file.endswith(ENDING)), "")
    file = recipe_file.parent / (own or f"{recipe_file.stem}{ENDING}")
    known = {name for name, sums in there.items() if any(one.algorithm == "sha256" for one in sums)}
    fresh = [one for one in found.files if one.name not in known]
    if fresh:
        before = file.read_bytes() if file.exists() else b""
        if before and not before.endswith(b"\n"):
            before += b"\n"
        more = "".join(f"{text}\n" for one in fresh for text in _lines(one))
        write_atomic(Path(os.path.realpath(file)), before + more.encode())
    named = ", ".join((*files, file.name))
    hint = "" if own or not fresh else f"add to {recipe_file}, at its top level: checksums: [{named}]"
    return Wrote(file, len(fresh), len(found.files) - len(fresh), hint)
