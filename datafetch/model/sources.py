"""Sources: where the files of an artifact come from. A closed choice, which mypy checks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Checksum:
    algorithm: str  # md5, sha1 or sha256
    digest: str  # lower-case hex
    source: str = ""  # who published it; empty when the recipe does not say


@dataclass(frozen=True, slots=True)
class Http:
    """One file at one or more addresses: the origin first, then mirrors in the order to try."""

    urls: tuple[str, ...]
    manual: Manual | None = None  # what a person may bring instead


@dataclass(frozen=True, slots=True)
class Shard:
    name: str
    urls: tuple[str, ...]
    size: int | None = None
    checksums: tuple[Checksum, ...] = ()


@dataclass(frozen=True, slots=True)
class Shards:
    """One file cut into parts that are joined in this order, or the tables of an artifact with `rows`."""

    shards: tuple[Shard, ...]


DAMAGED = "damaged"  # how a list is read whose rows are the pictures of an archive that do not decode


@dataclass(frozen=True, slots=True)
class UrlList:
    """Many small files, one per row of a list that another artifact holds."""

    file: str  # path that begins with the name of the artifact that holds the list
    read: str  # how rows are read: map, columns, lines, table … as images.rows has them
    keys: tuple[str, ...]  # names of the columns or nesting levels, for `<name>` in url and save_as
    url: tuple[str, ...]  # templates; the first that can be filled is asked first
    save_as: str  # template of the path inside the artifact
    check: str = ""  # "image": a full decode must succeed
    min_bytes: int = 0
    beside: tuple[str, ...] = ()  # files whose line n belongs to line n of `file`; inside the same artifact
    window: bool = False  # --first and --count choose among its rows
    known: tuple[tuple[str, str], ...] = ()  # with read "damaged": file name -> what fills `<known>`
    placeholders: tuple[
        str, ...
    ] = ()  # MD5 of pictures that stand for one that is gone, of this list's hosts

    @property
    def mending(self) -> bool:
        """Whether its rows are the pictures of an archive that do not decode; as a rule there are none."""
        return self.read == DAMAGED


def least(count: str) -> int:
    """The smallest number that "300", ">=71" or "71..201" allows."""
    return int(count.removeprefix(">=").partition("..")[0])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person finds a file that no program may fetch."""

    at: str  # google-drive, baidu, homepage, form …
    link: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Manual:
    """Files that a person brings; `expect` maps a glob to the number of files it should match.

    A glob may be several, parted by `|`: the first that is there counts. A number from 0 on need not be there.
    """

    places: tuple[Place, ...]
    expect: tuple[tuple[str, str], ...] = ()
    packed: tuple[str, ...] = ()  # globs of archives that may hold them

    @property
    def optional(self) -> bool:
        """Whether it need not be brought at all."""
        return bool(self.expect) and all(least(count) == 0 for _, count in self.expect)


@dataclass(frozen=True, slots=True)
class Bundled:
    """A file that lies beside the recipe."""

    path: str


@dataclass(frozen=True, slots=True)
class Own:
    """A person's own pictures, sorted into splits and classes from where they lie. Paths are absolute."""

    where: str  # a folder, or a zip
    masks: str = ""  # a folder of masks, besides those inside `where`
    labels: tuple[str, ...] = ()  # tables, or documents of COCO's form, that say the class of each
    splits: tuple[str, ...] = ()  # tables that say the split of each
    test: float = 0.0  # share of each class that goes to test where nothing says the split
    seed: int = 0
    draw: bool = False  # masks are drawn from the outlines that `labels` hold
    flat: bool = False  # no classes: all in one folder, as negatives lie
    copy: bool = False  # never a second name of the person's file


@dataclass(frozen=True, slots=True)
class Derived:
    """Documents that a named maker writes of what other artifacts hold."""

    make: str
    inputs: tuple[tuple[str, tuple[str, ...]], ...]  # role -> paths that begin with the name of an artifact
    settings: tuple[tuple[str, str], ...] = ()
    published: tuple[tuple[str, str], ...] = ()  # what upstream says of the numbers of its summary


Source = Http | Shards | UrlList | Manual | Bundled | Own | Derived
