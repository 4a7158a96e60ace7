"""The words of a recipe file as they are written: the one model for reading it and for its JSON Schema.

Its annotations are read at start-up, so they are no strings: evaluating those took 5 ms.
"""

from typing import Annotated

from msgspec import Meta, Struct, field

Text = str
Texts = str | list[str]
Matrix = Annotated[
    dict[str, list[str | dict[str, str]]],
    Meta(description="variable -> its values; `exclude` and `include` list rows to leave out and to add"),
]


class PlaceEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a person finds a file that no program may fetch."""

    at: Annotated[str, Meta(description="google-drive, baidu, homepage, form")]
    link: str
    code: str = ""


class UrlListEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Many small files, one per row of a list that another artifact holds."""

    file: Annotated[str, Meta(description="path of the list; it begins with the name of an artifact")]
    read: Annotated[
        str,
        Meta(
            description="map, columns, lines, table, csv, tsv, jsonl, beside, parquet or matlab; or damaged: the"
            " pictures of the archive `file` that do not decode, each with <file> and <known>"
        ),
    ]
    url: Annotated[Texts, Meta(description="the first that can be filled is asked first")]
    save_as: Annotated[str, Meta(description="<row> counts; .<ext> at the end is by what the bytes are")]
    keys: Annotated[
        list[str], Meta(description="names of columns or levels; <wnid>_<serial> takes one apart")
    ] = field(default_factory=list)
    check: Annotated[str, Meta(description="image: a full decode must succeed")] = ""
    min_bytes: int = 0
    beside: Annotated[
        list[str], Meta(description="with read: beside, files whose line n belongs to line n of `file`")
    ] = field(default_factory=list)
    placeholders: Annotated[
        dict[str, str],
        Meta(description="md5 of a picture that stands for one that is gone -> what it shows"),
    ] = field(default_factory=dict)
    window: Annotated[bool, Meta(description="--first and --count choose among its rows")] = False
    known: Annotated[
        dict[str, str], Meta(description="with read: damaged, name of a picture -> what fills <known>")
    ] = field(default_factory=dict)


class JoinEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table whose rows add their fields to rows that have the same value of one field."""

    file: Annotated[str, Meta(description="path of the table; it begins with the name of an artifact")]
    read: Annotated[str, Meta(description="as in url_list")]
    on: Annotated[str, Meta(description="the field that both have")]


class SortEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A list that tells which folder a file of an archive belongs in, where names do not tell."""

    file: Annotated[str, Meta(description="path of the list; it begins with the name of an artifact")]
    read: Annotated[str, Meta(description="as in url_list")]
    folder: Annotated[str, Meta(description="put above the file's name, before the layout looks at it")]
    keys: list[str] = field(default_factory=list)
    stem: Annotated[
        str, Meta(description="a file's name without its ending; without it, row n is of the nth name")
    ] = ""
    join: JoinEntry | None = None


class DerivedEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Documents that a named maker writes of what other artifacts hold."""

    make: Annotated[str, Meta(description="ratings, drawn, clicks or themes")]
    sources: Annotated[
        dict[str, Texts], Meta(description="role -> paths that begin with the name of an artifact")
    ] = field(name="from")
    settings: Annotated[dict[str, int | str], Meta(description="what the maker wants to know")] = field(
        name="with", default_factory=dict
    )
    published: Annotated[
        dict[str, int | str], Meta(description="what upstream says of the numbers of its summary")
    ] = field(default_factory=dict)


class ChecksumEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One digest of a file, exactly one of the algorithms, and who published it."""

    md5: str = ""
    sha1: str = ""
    sha256: str = ""
    source: Annotated[str, Meta(description="who published it")] = ""


class ArtifactEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One thing to get, or several when it has a matrix."""

    name: str
    matrix: Matrix = field(default_factory=dict)
    url: Annotated[Texts | None, Meta(description="the origin, or a list: the origin, then mirrors")] = None
    shards: Annotated[
        Texts | None, Meta(description="parts of one file, joined in this order; {a..l} counts")
    ] = None
    url_list: UrlListEntry | None = None
    manual: Annotated[
        list[PlaceEntry] | None,
        Meta(description="where a person finds it; beside `url`, what may be brought instead"),
    ] = None
    bundled: Annotated[str | None, Meta(description="a file beside the recipe")] = None
    derived: DerivedEntry | None = None
    unpack: bool = False
    nested: Annotated[
        bool,
        Meta(description="of a tar of tars that is unpacked: each inner one becomes a folder named like it"),
    ] = False
    encoding: Annotated[
        str,
        Meta(description="of a zip whose names are not in UTF-8 and do not say in what: cp866, cp437, gbk …"),
    ] = ""
    rows: Annotated[
        dict[str, str],
        Meta(description="of parquet files, which are unpacked: column of pictures -> <label>/<n>.<ext>"),
    ] = field(default_factory=dict)
    sort: Annotated[
        list[SortEntry], Meta(description="of an archive: which folder each file belongs in, by lists")
    ] = field(default_factory=list)
    folder: Annotated[str, Meta(description="built folder; the recipe's name or <name>_…")] = ""
    size: Annotated[int | str, Meta(description="bytes, or unknown")] = "unknown"
    checksums: Annotated[str | list[ChecksumEntry], Meta(description="a list, or unknown")] = "unknown"
    group: Annotated[str, Meta(description="what --only names")] = ""
    choose: Annotated[
        dict[str, str | bool], Meta(description="options that must have these values; true makes a flag")
    ] = field(default_factory=dict)
    status: Annotated[str, Meta(description="live, manual, historic or withdrawn")] = ""
    note: str = ""
    skip: Annotated[list[str], Meta(description="globs of members that never enter the tree")] = field(
        default_factory=list
    )
    expect: Annotated[
        dict[str, int | str],
        Meta(
            description="of manual files: glob|other glob -> 300, >=71 or 71..201; from 0 on it need not be there"
        ),
    ] = field(default_factory=dict)
    packed: Annotated[
        list[str], Meta(description="of manual files: globs of archives that may hold them")
    ] = field(default_factory=list)


class RuleEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where members go; of several `from` the first that matches counts."""

    sources: Texts = field(name="from")
    to: str
    matrix: Matrix = field(default_factory=dict)


class FinishEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A document that a named maker writes from one of the archives, to fit the files beside it; or of a list; or
    from several documents of the folder.
    """

    make: Annotated[
        str,
        Meta(
            description="captions; of the files of a list: sbu, wordnet; from several documents: neuraltalk2"
        ),
    ]
    source: Annotated[
        Texts,
        Meta(description="path of the document, which begins with the name of an artifact; or a list's name"),
    ] = field(name="from")
    to: Annotated[str, Meta(description="where it stands in the built folder; <x> makes one for each x")]
    beside: Annotated[
        str, Meta(description="path of a further document that the maker reads, as of an artifact")
    ] = field(name="with", default="")
    pictures: Annotated[
        list[str], Meta(description="with neuraltalk2, the folder of the pictures of each document")
    ] = field(default_factory=list)
    prepro: Annotated[str, Meta(description="name of the two files that --prepro makes of it")] = ""


class ChoiceEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is said about an option; its values follow from the artifacts' `choose`."""

    help: str = ""
    default: str | None = None
    values: Annotated[list[str] | None, Meta(description="the values in the order to show them")] = None
    alternatives: Annotated[
        bool, Meta(description="the values are ways to the same files, of which one is taken")
    ] = False
    several: Annotated[bool, Meta(description="more than one value may be picked, as A,B")] = False


class TermsEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a user agrees to."""

    text: str
    link: str = ""
    accept: Annotated[bool, Meta(description="nothing is fetched before the user accepts")] = False


class RecipeEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A recipe file: one recipe, or a family of them when it has a matrix."""

    name: str
    artifacts: list[ArtifactEntry]
    matrix: Matrix = field(default_factory=dict)
    let: Annotated[dict[str, str], Meta(description="names for {name}")] = field(default_factory=dict)
    title: str = ""
    home: str = ""
    licence: str = ""
    terms: TermsEntry | None = None
    citation: Annotated[str, Meta(description="as written; braces are BibTeX's")] = ""
    status: Annotated[str, Meta(description="live, manual, historic or withdrawn")] = ""
    note: str = ""
    needs: Annotated[int | str, Meta(description="disk space: bytes or 12 GB")] = "unknown"
    min_complete: Annotated[int | float | str, Meta(description="percent of items, 99.5 or 99.5%")] = 100
    counts: Annotated[
        dict[str, int | str], Meta(description="glob below the output directory -> 300, >=71 or 71..201")
    ] = field(default_factory=dict)
    checksums: Annotated[Texts, Meta(description="md5sum-format files beside the recipe")] = field(
        default_factory=list
    )
    default: Annotated[list[str], Meta(description="names of what a bare get takes; globs")] = field(
        default_factory=list
    )
    choices: dict[str, ChoiceEntry] = field(default_factory=dict)
    layout: list[RuleEntry] = field(default_factory=list)
    finish: list[FinishEntry] = field(default_factory=list)
    members: Annotated[list[str], Meta(description="of a group: the recipes it stands for")] = field(
        default_factory=list
    )
