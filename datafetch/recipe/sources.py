"""The source of an artifact: exactly one of url, shards, url_list, manual and bundled."""

from __future__ import annotations

import re
from typing import assert_never

from datafetch.model import (
    DAMAGED,
    Bundled,
    Checksum,
    Derived,
    Http,
    Join,
    Manual,
    Own,
    Place,
    Shard,
    Shards,
    Sorting,
    Source,
    UrlList,
)
from datafetch.recipe import template, values
from datafetch.recipe.checksums import Known
from datafetch.recipe.derived import derived
from datafetch.recipe.document import ArtifactEntry, ChecksumEntry, PlaceEntry, UrlListEntry
from datafetch.recipe.issues import Bad, listed, printable
from datafetch.recipe.site import Site

_NAMED = re.compile(r"<([^<>]*)>")
SOURCES = ("url", "shards", "url_list", "manual", "bundled", "derived")
READERS = ("map", "columns", "lines", "table", "csv", "tsv", "jsonl", "beside", "parquet", "matlab", DAMAGED)


def source(entry: ArtifactEntry, site: Site, known: Known) -> Source | None:
    """The source of an entry; None with an issue when it has none, or more than one, or a bad one."""
    given = [key for key in SOURCES if getattr(entry, key) is not None]
    if given == ["url", "manual"]:
        given = ["url"]
    if len(given) != 1:
        if not site.broken:
            found = listed(given, "and") if given else "none"
            site.add(f"expected exactly one of {listed(SOURCES)}, found {found}")
        return None
    _check_companions(entry, given[0], site)
    at = site.at(given[0])
    if entry.url is not None:
        instead = None
        if entry.manual is not None:
            instead = _manual(entry.manual, entry, site.at("manual"), site)
        return _http(_list(entry.url), at, instead)
    if entry.shards is not None:
        return _shards(_list(entry.shards), at, known)
    if entry.url_list is not None:
        return _url_list(entry.url_list, at)
    if entry.manual is not None:
        return _manual(entry.manual, entry, at, site)
    if entry.derived is not None:
        return derived(entry.derived, at)
    path = at.filled(values.relative_path, entry.bundled or "")
    return None if path is None else Bundled(path)


def _check_companions(entry: ArtifactEntry, key: str, site: Site) -> None:
    if entry.expect and entry.manual is None:
        site.at("expect").add(f"goes with manual, not with {key}")
    if entry.packed and entry.manual is None:
        site.at("packed").add(f"goes with manual, not with {key}")
    if entry.unpack and key in ("url_list", "derived"):
        site.at("unpack").add(f"goes with a file, not with {key}")
    if entry.nested and (not entry.unpack or entry.rows):
        site.at("nested").add("goes with unpack, and not with rows")
    if entry.sort and (not entry.unpack or entry.rows or key == "shards"):
        site.at("sort").add("goes with unpack, and neither with rows nor with shards")
    if entry.checksums != values.UNKNOWN and key in ("url_list", "derived"):
        site.at("checksums").add(f"goes with a file, not with {key}")


def _list(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given


def _each(given: list[str], site: Site) -> list[Site]:
    """The spot of each text: the key itself when it is not written as a list."""
    first = (*site.path, 0)
    is_list = first in site.document.lines
    return [site.at(index) if is_list else site for index in range(len(given))]


def _http(given: list[str], site: Site, instead: Manual | None) -> Http | None:
    urls = [at.filled(values.address, text) for text, at in zip(given, _each(given, site), strict=True)]
    good = tuple(url for url in urls if url is not None)
    if not given:
        site.add("expected an address, found an empty list")
    if len(set(good)) < len(good):
        site.add("expected mirrors that differ, found one address twice")
    return Http(good, instead) if good and len(good) == len(urls) else None


def _shards(given: list[str], site: Site, known: Known) -> Shards | None:
    counted = [
        at.take(template.multiply, text, at.names) for text, at in zip(given, _each(given, site), strict=True)
    ]
    texts = [text for each in counted if each is not None for text in each]
    urls = [url for url in (site.take(values.address, text) for text in texts) if url is not None]
    if None in counted or len(urls) < len(texts):
        return None
    names = [values.last_part(url) for url in urls]
    if not urls:
        site.add("expected addresses, found an empty list")
    elif site.take(_shard_names, names):
        return Shards(
            tuple(Shard(n, (u,), None, known.of.get(n, ())) for n, u in zip(names, urls, strict=True))
        )
    return None


def _shard_names(names: list[str]) -> bool:
    for name in names:
        try:
            values.option_value(name)
        except Bad:
            raise Bad(
                f'expected addresses that end in a plain file name, found "{printable(name)}"'
            ) from None
    twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        raise Bad(f"expected file names that differ, found {twice} twice")
    return True


def _url_list(entry: UrlListEntry, site: Site) -> UrlList | None:
    file = site.at("file").filled(values.relative_path, entry.file)
    save_as = site.at("save_as").filled(values.relative_path, entry.save_as)
    read = site.at("read").filled(values.one_of, entry.read, READERS, "readers")
    check = site.at("check").take(values.one_of, entry.check, ("", "image"), "checks")
    given = _list(entry.url)
    urls = [
        at.filled(_url_template, text) for text, at in zip(given, _each(given, site.at("url")), strict=True)
    ]
    if not given:
        site.at("url").add("expected an address, found an empty list")
    if "<ext>" in entry.save_as.removesuffix(".<ext>") or (
        "<ext>" in entry.save_as and entry.check != "image"
    ):
        site.at("save_as").add("<ext> stands after the last dot, and goes with check: image")
    if entry.min_bytes < 0:
        site.at("min_bytes").add(f"expected a number of bytes, found {entry.min_bytes}")
    keys = [site.at("keys", index).filled(_key, key) for index, key in enumerate(entry.keys)]
    beside = [
        site.at("beside", index).filled(values.relative_path, one) for index, one in enumerate(entry.beside)
    ]
    if (entry.read == "beside") != bool(beside) or (beside and len(entry.keys) != 1 + len(beside)):
        site.at("beside").add(
            "expected, with read: beside, files to put beside `file`, and a key for each and for it"
        )
    if any(one is not None and one.split("/")[0] != (file or "").split("/")[0] for one in beside):
        site.at("beside").add("expected files of the artifact that holds `file`")
    if entry.known and read != DAMAGED:
        site.at("known").add("goes with read: damaged")
    known = [
        (name, address)
        for name, text in entry.known.items()
        if (address := site.at("known", name).filled(values.url, text)) is not None
    ]
    placeholders = [
        sign.digest
        for text in entry.placeholders
        if (sign := site.at("placeholders").take(values.digest, "md5", text, "")) is not None
    ]
    if file is None or save_as is None or read is None or check is None:
        return None
    return UrlList(
        file,
        read,
        tuple(key for key in keys if key is not None),
        tuple(url for url in urls if url is not None),
        save_as,
        check,
        entry.min_bytes,
        tuple(one for one in beside if one is not None),
        entry.window,
        tuple(known),
        tuple(placeholders),
    )


def sortings(entry: ArtifactEntry, site: Site) -> tuple[Sorting, ...]:
    """The lists of `sort`; those at fault are left out, with issues."""
    made = []
    for index, one in enumerate(entry.sort):
        at = site.at("sort", index)
        file = at.at("file").filled(values.relative_path, one.file)
        read = at.at("read").filled(values.one_of, one.read, READERS, "readers")
        folder = at.at("folder").filled(values.relative_path, one.folder)
        stem = at.at("stem").fill(one.stem)
        keys = [at.at("keys", turn).filled(_key, key) for turn, key in enumerate(one.keys)]
        join = None
        if one.join is not None:
            other = at.at("join")
            join_file = other.at("file").filled(values.relative_path, one.join.file)
            join_read = other.at("read").filled(values.one_of, one.join.read, READERS, "readers")
            on = other.at("on").filled(_key, one.join.on)
            if join_file is None or join_read is None or on is None:
                continue
            join = Join(join_file, join_read, on)
        if file is not None and read is not None and folder is not None:
            made.append(Sorting(file, read, tuple(key for key in keys if key), folder, stem, join))
    return tuple(made)


def _key(key: str) -> str:
    """A name, or several as `<name>` with something between them."""
    names, between = _NAMED.findall(key), _NAMED.split(key)[2:-1:2]
    if not all(map(template.is_name, names or [key])):
        raise Bad(f'expected a name of letters, digits and _, found "{printable(key)}"')
    if not all(between):
        raise Bad(f'expected something between two captures, found "{printable(key)}"')
    return key


def _url_template(text: str) -> str:
    """An address, or one that a row completes: `<link>` alone may be all of it."""
    if "<" not in text.split("/")[0]:
        scheme = text.partition(":")[0].lower()
        if scheme not in ("http", "https"):
            raise Bad(f'expected http, https or <name>, found "{printable(text)}"')
        if "@" in text.split("/")[2:3]:
            raise Bad("an address with a user name or password; secrets come from the environment only")
    return values.plain(text)


def _manual(given: list[PlaceEntry], entry: ArtifactEntry, site: Site, artifact: Site) -> Manual | None:
    if not given:
        site.add("expected a place to find the file, found an empty list")
        return None
    places = []
    for index, place in enumerate(given):
        at = site.at(index)
        link = at.at("link").filled(values.url, place.link)
        places.append(Place(at.at("at").fill(place.at), link or "", at.at("code").fill(place.code)))
    expect = []
    for glob, number in entry.expect.items():
        at = artifact.at("expect", glob)
        path = at.filled(_globs, glob)
        wanted = at.take(values.count, number)
        if path is not None and wanted is not None:
            expect.append((path, wanted))
    packed = [artifact.at("packed", i).filled(values.plain, one) for i, one in enumerate(entry.packed)]
    return Manual(tuple(places), tuple(expect), tuple(one for one in packed if one))


def _globs(text: str) -> str:
    """One glob, or several parted by `|`, whose first says what the files are called."""
    first, *others = text.split("|")
    for one in (first, *others):
        values.relative_path(one)
        if len(one.split("/")) != len(first.split("/")):
            raise Bad(f'expected globs of as many parts as the first, found "{printable(one)}"')
    return text


def checksums(entry: ArtifactEntry, found: Source | None, site: Site, known: Known) -> tuple[Checksum, ...]:
    """What is known of the whole file: from the artifact itself, then from checksum files by its address."""
    at = site.at("checksums")
    own: list[Checksum] = []
    if isinstance(entry.checksums, str):
        if entry.checksums != values.UNKNOWN:
            at.add(f'expected unknown or a list such as [{{md5: …, source: …}}], found "{entry.checksums}"')
    else:
        for index, one in enumerate(entry.checksums):
            own += _checksum(one, at.at(index))
    name = _known_as(found)
    return at.take(values.agree, (*own, *known.of.get(name, ()))) or ()


def _checksum(entry: ChecksumEntry, site: Site) -> list[Checksum]:
    given = [algorithm for algorithm in values.DIGITS if getattr(entry, algorithm)]
    if len(given) != 1:
        if not site.broken:
            said = listed(given, "and") if given else "none"
            site.add(f"expected exactly one of {listed(tuple(values.DIGITS))}, found {said}")
        return []
    text = getattr(entry, given[0])
    source = site.at("source").fill(entry.source)
    made = site.at(given[0]).take(lambda one: values.digest(given[0], one, source), text)
    return [] if made is None else [made]


def _known_as(found: Source | None) -> str:
    """The name by which checksum files know the file of a source."""
    match found:
        case Http(urls=urls):
            return values.last_part(urls[0])
        case Bundled(path=path):
            return path.rpartition("/")[2]
        case Shards() | UrlList() | Manual() | Own() | Derived() | None:
            return ""
        case _:
            assert_never(found)


def names_of(found: Source) -> tuple[str, ...]:
    """The names by which checksum files may know the files of a source."""
    if isinstance(found, Shards):
        return tuple(shard.name for shard in found.shards)
    return (_known_as(found),)
