"""What a person brought for a dataset, copied into a bundle for the person who imports it. Blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datafetch.bundle.names import BROUGHT
from datafetch.errors import UsageError
from datafetch.model import Artifact, Http, Manual
from datafetch.schemes import file_name
from datafetch.transfer.providers import manual


@dataclass(frozen=True, slots=True)
class Given:
    """A file for `--from`."""

    artifact: str
    path: str  # in the bundle
    file: Path


def given(dataset: str, artifact: Artifact, folders: Sequence[Path]) -> Iterator[Given]:
    """The files in `folders` that an artifact is made of: loose ones, else the archives that may hold them."""
    source = artifact.source.manual if isinstance(artifact.source, Http) else artifact.source
    if not isinstance(source, Manual):
        return
    asked_for = replace(artifact, source=source)
    hits = manual.find(asked_for, folders)
    for hit in hits:
        for brought in hit.files:
            yield Given(artifact.name, _path(dataset, brought.name), brought.path)
    if not all(hit.files for hit in hits):
        for archive in manual.archives(asked_for, folders):
            yield Given(artifact.name, _path(dataset, archive.name), archive)


def in_place_of(dataset: str, artifact: Artifact, file: Path) -> Given:
    """The file of an address that no mirror can stand for, under the name by which `--from` knows it."""
    assert isinstance(artifact.source, Http)
    name = file_name(artifact.source.urls[0]) or artifact.name.rpartition("/")[2]
    if "/" in name:
        raise UsageError(f"{artifact.name} cannot be exported: nobody can bring a file called {name}")
    return Given(artifact.name, _path(dataset, name), file)


def _path(dataset: str, name: str) -> str:
    if any(ch < " " or ch in "\x7f\\" for ch in name):
        raise UsageError(f"{name!r} cannot be exported: sha256sum would not print its name", "rename it")
    return f"{BROUGHT}/{dataset}/{name}"
