"""The words of datafetch: frozen values that every station shares, and nothing that acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

# --- Recipe: what should exist ------------------------------------------------------------------------------


class Status(StrEnum):
    """How a source stands upstream."""

    LIVE = "live"
    MANUAL = "manual"
    HISTORIC = "historic"
    WITHDRAWN = "withdrawn"


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


# --- Choice and settings: what the user asked for -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choice:
    """What of a recipe is wanted, before it is checked against the recipe."""

    picked: tuple[tuple[str, str], ...] = ()  # option -> value; "true" for a flag
    only: tuple[str, ...] = ()  # groups
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """Rows of a list, by number from 1."""

    first: int = 1
    last: int | None = None  # None: to the end


@dataclass(frozen=True, slots=True)
class Subset:
    """Which files of a tree are wanted; empty is all of them. `layout.subset` has the rule."""

    splits: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()  # globs
    most: int | None = None  # of each class folder
    include: tuple[str, ...] = ()  # globs of paths below the built folder
    exclude: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != Subset()

    def __str__(self) -> str:
        """As it is typed."""
        lists = (
            ("--split", self.splits),
            ("--classes", self.classes),
            ("--max-per-class", () if self.most is None else (str(self.most),)),
            ("--include", self.include),
            ("--exclude", self.exclude),
        )
        return " ".join(f"{option} {','.join(values)}" for option, values in lists if values)


@dataclass(frozen=True, slots=True)
class Prepro:
    """What NeuralTalk2's prepro.py is told."""

    num_val: int = 5000
    num_test: int = 5000
    word_count_threshold: int = 5  # words that occur so often or less are UNK
    max_length: int = 16  # words of a caption; what is beyond is cut off


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run behaves; nothing here changes what is fetched but `names`, `window` and `subset`."""

    root: str  # absolute path of the output directory
    jobs: int = 4  # transfers of files at once …
    max_per_host: int = 4  # … from one host
    items: int = 64  # rows of lists under way …
    items_per_host: int = 32  # … at one host, where its answers bear it
    connections: int = 4  # for one large file, of those to its host
    limit_rate: int | None = None  # bytes per second of the whole run
    mirrors: tuple[str, ...] = ()
    mirror_only: bool = False
    allow_private: bool = False
    offline: bool = False
    names: str = "keep"  # or "sequential"
    keep_archives: bool = False
    stream: bool = False  # unpack archives while they arrive, none of them on disk
    accept_terms: bool = False
    from_dir: str = ""
    min_complete: float | None = None  # percent; None takes the recipe's
    max_duration: float | None = None  # seconds
    max_transfer: int | None = None  # bytes
    max_disk: int | None = None  # bytes that the dataset may take, with all that is on the way to it
    retries: int | None = (
        None  # of a transfer, in a row without progress; None: as each kind of file is worth
    )
    retry_gone: bool = False
    ignore_opt_out: bool = False
    absolute_paths: bool | None = False  # in derived documents; None: as they were made before
    window: Window | None = Window()  # None: the rows that earlier runs were asked for
    subset: Subset | None = Subset()  # None: what earlier runs were asked for
    prepro: Prepro | None = None  # also make the files that NeuralTalk2 trains on


# --- Inventory and plan: what exists, and the difference ----------------------------------------------------


class State(StrEnum):
    """How far an artifact, or the repair of one, has come; each state includes the work of those before it."""

    ABSENT = "absent"
    PARTIAL = "partial"  # a `.part` file, or some shards or images
    FETCHED = "fetched"  # the verified file lies in the state folder
    STAGED = "staged"  # its files are durable in the staging folder, under their final names
    BUILT = "built"  # published, and in the manifest


@dataclass(frozen=True, slots=True)
class Members:
    """Of a remote archive members are taken from the wire; None until its directory was read."""

    fetch: int | None = None  # bytes
    tree: int | None = None  # bytes they unpack to
    files: int | None = None
    all: bool = False  # and not only those that are wanted


@dataclass(frozen=True, slots=True)
class Seen:
    """What was observed of one artifact."""

    state: State = State.ABSENT
    bytes_here: int = 0  # of the artifact itself: part or whole file
    size: int | None = None  # bytes of the artifact, when the recipe or an earlier run knows
    files: int = 0  # published
    tree_bytes: int = 0  # published
    lost: frozenset[str] = frozenset()  # published paths to bring back; such an artifact is never BUILT
    members: Members | None = None  # how, when not as a whole


Inventory = Mapping[str, Seen]


class Verb(StrEnum):
    GET = "get"
    EXTRACT = "extract"
    BUILD = "build"


@dataclass(frozen=True, slots=True)
class Step:
    """One act. `name` is an artifact, or for BUILD a folder of the output directory."""

    verb: Verb
    name: str
    only: frozenset[str] = frozenset()  # published paths to bring back; empty is all of them


@dataclass(frozen=True, slots=True)
class Plan:
    steps: tuple[Step, ...]  # what can be done now; doing it makes further steps possible

    def __bool__(self) -> bool:
        return bool(self.steps)


# --- Outcomes -----------------------------------------------------------------------------------------------


class Why(StrEnum):
    """Why a transfer did not end well; `transfer.retry` says what follows from each."""

    CONNECTION = "connection"
    TIMEOUT = "timeout"
    DNS = "dns"
    TLS = "tls"
    SERVER_ERROR = "server error"
    THROTTLED = "throttled"
    TOO_SLOW = "too slow"
    RANGE_IGNORED = "range ignored"
    CHANGED = "changed"  # other offset, validator or size than the part we hold
    SHORT = "short body"
    CHECKSUM = "checksum"
    HTML = "html"  # a page where a file was expected
    QUOTA = "quota"
    FORBIDDEN = "forbidden"
    GONE = "gone"
    OPTED_OUT = "opted out"  # its host wants no training with it, or no robots
    BAD_URL = "bad url"
    REFUSED = "refused"  # by our own policy: address, scheme, redirect
    BAD_ANSWER = "bad answer"
    PLACEHOLDER = "placeholder"
    NOT_AN_IMAGE = "not an image"
    TOO_SMALL = "too small"
    TOO_LARGE = "too large"
    NO_SPACE = "no space"
    CANNOT_WRITE = "cannot write"
    MANUAL = "manual"
    OFFLINE = "offline"
    UNSAFE = "unsafe archive"
    LAYOUT = "layout"  # the archive holds nothing that the recipe's layout knows
    BAD_LIST = "bad list"
    LOCKED = "locked"
    NOT_CHOSEN = "not chosen"  # left out by --split, --classes and their like
    LIMIT = "limit"  # of time or bytes, by the user
    INTERRUPTED = "interrupted"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """The one recorded state an item ends in."""

    OK = "ok"
    MISSING = "missing"
    FAILED = "failed"
    REJECTED = "rejected"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `run` hands each to the report and the console; `--json` prints it.

    kind        name        meaning
    started     artifact    a transfer begins at byte `done` of `total`
    received    artifact    `done` more body bytes came over the network
    progress    artifact    the file holds `done` of `total` bytes
    retry       artifact    `why`, `text` says how long until the next try
    fetched     artifact    the file is whole and verified; `done` is its size
    extract     artifact    extraction of `total` members begins; None: it is still arriving
    extracting  artifact    `done` of `total` members are written
    grown       artifact    `done` bytes of its files are written
    staged      artifact    its files are durable: `count` files, `done` bytes
    built       folder      published: `count` files, `done` bytes
    freed       artifact    `done` bytes of archive deleted
    item        artifact    `count` items of a URL list ended as `outcome`, with `why`
    verifying   -           `done` of `total` files are checked
    failed      artifact    `why`, `text`, `hint`, `code`
    note        any         something a person should know; nothing failed
    """

    kind: str
    name: str
    done: int = 0
    total: int | None = None
    count: int = 0
    why: str = ""
    outcome: Outcome | None = None
    url: str = ""
    text: str = ""
    hint: str = ""
    code: int = 0


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One line of the manifest. `path` is relative to the output directory, with `/`."""

    path: str
    size: int
    sha256: str
    url: str
    fetched_at: str  # UTC, ISO 8601, seconds
    artifact: str = ""
    member: str = ""  # name inside the archive, as upstream has it
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """What is known of a verified file in the state folder; the journal's last word on an artifact."""

    path: str
    size: int
    sha256: str
    url: str  # the recipe's origin address, not a mirror's
    fetched_at: str
    digests: tuple[tuple[str, str], ...] = field(default=())  # other algorithms that a recipe names
    address: str = ""  # the `identity` of that origin address, of which `url` may hide a part

    def satisfies(self, size: int | None, checksums: tuple[Checksum, ...]) -> bool:
        """Whether it is the file that a recipe speaks of now, as far as the recipe says."""
        known = {**dict(self.digests), "sha256": self.sha256}
        right = all(known.get(checksum.algorithm) == checksum.digest for checksum in checksums)
        return right and size in (None, self.size)
