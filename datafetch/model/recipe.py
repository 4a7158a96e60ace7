"""Recipe: what should exist."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from datafetch.model.sources import Checksum, Manual, Source, UrlList


class Status(StrEnum):
    """How a source stands upstream."""

    LIVE = "live"
    MANUAL = "manual"
    HISTORIC = "historic"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Join:
    """A table whose rows add their fields to rows that have the same value of one field."""

    file: str  # path that begins with the name of the artifact that holds the table
    read: str
    on: str


@dataclass(frozen=True, slots=True)
class Sorting:
    """A list that tells which folder a file of an archive belongs in; its names do not."""

    file: str  # path that begins with the name of the artifact that holds the list
    read: str
    keys: tuple[str, ...]
    folder: str  # template
    stem: str = ""  # template of a file's name without its ending; empty: row n is of the nth name
    join: Join | None = None

    @property
    def files(self) -> tuple[str, ...]:
        return (self.file, self.join.file) if self.join else (self.file,)


@dataclass(frozen=True, slots=True)
class Artifact:
    """One thing to get: a file, an archive, or the images of a list."""

    name: str
    source: Source
    folder: str  # the built folder that its files go to, beside the others in the output directory
    unpack: bool = False
    size: int | None = None  # bytes; None is unknown
    checksums: tuple[Checksum, ...] = ()  # empty is unknown: recorded on first use, compared ever after
    group: str = ""  # what --only names
    choose: tuple[tuple[str, str], ...] = ()  # options that must have these values; empty: always chosen
    status: Status = Status.LIVE
    note: str = ""
    skip: tuple[str, ...] = ()  # globs of members that never enter the tree
    default: bool = True  # without `choose`: whether a bare get takes it
    encoding: str = ""  # code page of names in a zip that does not say in what its names are written
    nested: bool = False  # a tar whose tars are unpacked as well, each into a folder named like it
    sort: tuple[Sorting, ...] = ()  # of an archive: puts each file into the folders that these lists tell
    after: tuple[str, ...] = ()  # artifacts that must be here before it is unpacked, or its list asked for
    rows: tuple[tuple[str, str], ...] = ()  # of parquet: column of pictures -> template of their names

    @property
    def several(self) -> bool:
        """Whether a person brings a number of archives for it, which are unpacked where they lie."""
        return (
            self.unpack
            and isinstance(self.source, Manual)
            and not self.source.packed
            and any("*" in glob for glob, _ in self.source.expect)
        )

    def shares_names(self, other: Artifact) -> bool:
        """Whether both are lists that name files alike in one folder, so that one may list what the other has."""
        mine, theirs = self.source, other.source
        if not isinstance(mine, UrlList) or not isinstance(theirs, UrlList) or self is other:
            return False
        return self.folder == other.folder and mine.save_as == theirs.save_as

    def mends(self, other: Artifact) -> bool:
        """Whether this is the list of what does not decode in the other, which then leaves it out."""
        source = self.source
        return isinstance(source, UrlList) and source.mending and source.file == other.name


@dataclass(frozen=True, slots=True)
class Option:
    """One choice a recipe offers: `--name VALUE`, or a flag when it has no values."""

    name: str
    values: tuple[str, ...]
    help: str = ""
    default: str | None = None
    alternatives: bool = False  # its values are ways to the same files: one is taken, never two together
    several: bool = False  # more than one of its values may be picked, as A,B


@dataclass(frozen=True, slots=True)
class Rule:
    """Where members go: the first pattern of `sources` that matches gives the captures that fill `to`."""

    sources: tuple[str, ...]
    to: str


@dataclass(frozen=True, slots=True)
class Finish:
    """A document that the maker `make` writes anew where the layout puts it, once its folder is staged; or one
    that it writes of the files of a list; or one that it gathers from several that stand in the folder.
    """

    make: str
    to: str  # as in the rule of the layout that puts it there
    list: str = ""  # the artifact whose files it tells of
    beside: str = (
        ""  # a further document that the maker reads; begins with the name of the artifact that holds it
    )
    sources: tuple[str, ...] = ()  # what it is gathered from; each begins with the name of an artifact
    pictures: tuple[str, ...] = ()  # of each of these, the folder of the pictures it speaks of
    prepro: str = ""  # what --prepro calls the files it makes of it; empty: it makes none


@dataclass(frozen=True, slots=True)
class Terms:
    text: str
    link: str = ""
    accept: bool = False  # nothing is fetched before the user accepts


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    title: str
    artifacts: tuple[Artifact, ...]
    layout: tuple[Rule, ...] = ()
    finish: tuple[Finish, ...] = ()
    options: tuple[Option, ...] = ()
    status: Status = Status.LIVE
    note: str = ""
    home: str = ""
    licence: str = ""
    terms: Terms | None = None
    citation: str = ""
    counts: tuple[tuple[str, str], ...] = ()  # glob below the output directory -> "300", ">=71" or "71..201"
    needs: int | None = None  # bytes of disk upstream says it takes
    min_complete: float = 100.0  # percent of items below which the result counts as partial
    file: str = ""  # where it was read from
    members: tuple[str, ...] = ()  # of a group: the recipes that it stands for

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(a.group for a in self.artifacts if a.group))

    @property
    def folders(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(a.folder for a in self.artifacts))
