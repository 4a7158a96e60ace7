"""A run held to its entry of the lock file: which entry, what is refused before the first byte, and what is refused
before files take their place.

    what differs                                      found              exit code
    no such entry; the recipe, an address, the layout  before anything    2
    what is built here                                before anything    13
    size or SHA-256 of a file that is fetched          by the transfer    4, or 5 while upstream says it is the same
    a file, or rows of a list, gone for good           by the transfer    4
    a page where a file of unknown size was            by the transfer    7
    rows of a list that fail for now                   before the build   5
    what an archive or a list brought                  before the build   4
    documents that are made here                       at the end         13
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from datafetch.errors import Drifted, UsageError
from datafetch.layout import manifest
from datafetch.lock.choices import words
from datafetch.lock.digests import layout_digest, recipe_digest
from datafetch.lock.document import NAME, Entry, LockedArtifact, LockFile, parse
from datafetch.lock.rows import changed, lost
from datafetch.lock.tree import sums
from datafetch.model import (
    Artifact,
    Bundled,
    Checksum,
    Choice,
    Http,
    Manual,
    Recipe,
    Settings,
    Shards,
    UrlList,
)
from datafetch.store import journal
from datafetch.store.faults import read_errors
from datafetch.store.files import remove_tree
from datafetch.store.home import Home


def load(path: Path) -> LockFile | None:
    """The lock file; None when there is none. Raises UsageError for what is none."""
    if not path.exists():
        return None
    with read_errors(path):
        return parse(path.read_bytes(), str(path))


def entry_for(recipe: Recipe, choice: Choice, settings: Settings, wanted: Sequence[Artifact]) -> Entry:
    """The entry that a run is held to: of the same words, or of the same artifacts by other words.

    Raises UsageError when there is none.
    """
    path = Path(settings.frozen)
    lock = load(path)
    typed = words(recipe, choice, settings)
    make = " ".join(("datafetch lock", recipe.name, *typed))
    if lock is None:
        raise UsageError(
            f"{path}: no lock file", f"{make} writes it of what is here, or name it with --lock-file"
        )
    if (found := lock.find(recipe.name, typed)) is not None:
        return found
    names = [artifact.name for artifact in wanted]
    same_files = (entry for entry in lock.of(recipe.name) if [one.name for one in entry.artifact] == names)
    alike = next((entry for entry in same_files if _how(entry.choices) == _how(typed)), None)
    if alike is not None:
        return alike
    others = ", ".join(entry.typed for entry in lock.of(recipe.name))
    text = f"{path} has no entry for {' '.join((recipe.name, *typed))}"
    raise UsageError(f"{text}; it has {others}" if others else text, f"{make} writes it of what is here")


def _how(choices: Iterable[str]) -> set[str]:
    """The words that do not choose artifacts."""
    how = ("--names ", "--first ", "--split ", "--classes ", "--max-per-class ", "--include ", "--exclude ")
    return {word for word in choices if word.startswith(how)}


def refuse_changed(recipe: Recipe, wanted: Sequence[Artifact], entry: Entry) -> None:
    """Drifted, with exit code 2, when the recipe is another one than the one that was locked."""
    if recipe_digest(recipe, wanted) == entry.recipe:
        return
    found: list[str] = []
    here = {artifact.name: artifact for artifact in wanted}
    for locked in entry.artifact:
        artifact = here.pop(locked.name, None)
        if artifact is None:
            found.append(f"{locked.name} was locked and is not asked for now")
        elif (url := _address(artifact)) and locked.url and url != locked.url:
            found.append(f"{locked.name} was locked at {locked.url} and is at {url} now")
    found += [f"{name} was not locked" for name in here]
    if layout_digest(recipe) != entry.layout:
        found.append("its layout is another one")
    what = "; ".join(found) or "what it unpacks, skips, lists or makes is another"
    raise Drifted(
        f"{recipe.name}: the recipe has changed since it was locked: {what}",
        f"take the recipe that was locked, or get it without --frozen and then: datafetch lock {entry.typed}",
        2,
    )


def _address(artifact: Artifact) -> str:
    from datafetch.transfer.addresses import safe_url

    return safe_url(artifact.source.urls[0]) if isinstance(artifact.source, Http) else ""


def pinned(recipe: Recipe, entry: Entry) -> Recipe:
    """The recipe with the sizes and SHA-256 of the lock: whatever has others is refused by every station."""
    return replace(recipe, artifacts=tuple(_pinned(one, entry.of(one.name)) for one in recipe.artifacts))


def _pinned(artifact: Artifact, locked: LockedArtifact | None) -> Artifact:
    if locked is None:
        return artifact
    match artifact.source:
        case Shards(shards=shards):
            known = {one.name: one for one in locked.shard}
            made = tuple(
                replace(
                    shard,
                    size=known[shard.name].size,
                    checksums=_with(shard.checksums, known[shard.name].sha256),
                )
                if shard.name in known
                else shard
                for shard in shards
            )
            return replace(artifact, source=Shards(made))
        case Http() | Manual() | Bundled() if locked.sha256:
            return replace(artifact, size=locked.size, checksums=_with(artifact.checksums, locked.sha256))
        case _:
            return artifact


def _with(checksums: tuple[Checksum, ...], sha256: str) -> tuple[Checksum, ...]:
    """The lock's SHA-256 first: it decides, and what a recipe says besides must hold too."""
    mine = Checksum("sha256", sha256, NAME)
    return (mine, *(one for one in checksums if (one.algorithm, one.digest) != ("sha256", sha256)))


def refuse_built(home: Home, recipe: Recipe, wanted: Iterable[Artifact], entry: Entry) -> None:
    """Drifted, with exit code 13, when what is built here was made of other files than the locked ones."""
    for artifact in wanted:
        locked, known = entry.of(artifact.name), journal.known(home.journal(artifact.name))
        if locked is None or known.built is None or known.done is None or not locked.sha256:
            continue
        if known.done.sha256 != locked.sha256:
            raise Drifted(
                f"{artifact.name}: built here of a file with sha256 {known.done.sha256}, fetched"
                f" {known.done.fetched_at[:10]}, and {locked.sha256} is locked",
                other_folder(entry),
                13,
            )


def other_folder(entry: Entry) -> str:
    """A hint for a folder that holds another version."""
    return f"build the locked one into another folder with -o, or lock this one: datafetch lock {entry.typed}"


def approve(home: Home, recipe: Recipe, staged: Sequence[Artifact], entry: Entry) -> None:
    """Drifted, with nothing of it published, when files that are about to take their place are not the locked ones.

    What was staged stays, without its seal, for a run that is not held to the lock.
    """
    for artifact in staged:
        locked = entry.of(artifact.name)
        if locked is None:
            continue
        seal = home.seal(artifact.name)
        found = sums(recipe, [artifact.name], manifest.with_seals(home.manifest, [seal])).of(artifact.name)
        if found.digest == locked.digest:
            continue
        error = _differing(home, artifact, locked, entry, found.files)
        remove_tree(seal)
        raise error


def _differing(home: Home, artifact: Artifact, locked: LockedArtifact, entry: Entry, files: int) -> Drifted:
    name = artifact.name
    hint = (
        "what came is kept and not put in place; without --frozen get takes it, then: datafetch lock "
        + entry.typed
    )
    if isinstance(artifact.source, UrlList):
        folder = home.batches(name)
        gone = lost(folder, locked)
        others = changed(folder, locked)
        if gone.text or others:
            told = "; ".join(filter(None, (gone.text, others)))
            hint = f"{hint}; should upstream give the locked ones again, get them into another folder with -o"
            return Drifted(f"drift: {name}: {told}", hint, 5 if gone.for_now and not others else 4)
    what = (
        f"{locked.files:,} files were locked with digest {locked.digest}, and {files:,} came that are others"
    )
    return Drifted(f"drift: {name}: {what}", hint)


def differs(home: Home, recipe: Recipe, entry: Entry) -> str:
    """How what is published differs from the lock, in words; empty when it does not."""
    names = [one.name for one in entry.artifact]
    found = sums(recipe, names, manifest.with_seals(home.manifest, ()))
    if found.all.digest == entry.tree:
        return ""
    other = [one for one in entry.artifact if found.of(one.name).digest != one.digest]
    if other:
        which = [text for one in other if (text := changed(home.batches(one.name), one))]
        whose = ", ".join(one.name for one in other)
        return "; ".join((f"the files of {whose} here are not the locked ones", *which))
    return "documents that are made here differ from the locked ones, though all that was fetched agrees"
