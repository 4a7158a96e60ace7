"""Choice and settings: what the user asked for."""

from __future__ import annotations

from dataclasses import dataclass


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
    check_upstream: bool = False  # of what is here already, ask whether it is still what upstream has
    names: str = "keep"  # or "sequential"
    keep_archives: bool = False
    stream: bool = False  # unpack archives while they arrive, none of them on disk
    accept_terms: bool = False
    accepted_how: str = ""  # empty: by the option
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
    frozen: str = ""  # path of the lock file to hold to; empty: none
    prepro: Prepro | None = None  # also make the files that NeuralTalk2 trains on
