"""The source of an artifact: exactly one of url, shards, url_list, manual and bundled."""

from __future__ import annotations

from typing import assert_never

from datafetch.model import (
    Bundled,
    Checksum,
    Derived,
    Http,
    Manual,
    Own,
    Place,
    Shard,
    Shards,
    Source,
    UrlList,
)
from datafetch.recipe import template, values
from datafetch.recipe.checksums import Known
from datafetch.recipe.derived import derived
from datafetch.recipe.document import ArtifactEntry, ChecksumEntry, PlaceEntry
from datafetch.recipe.issues import Bad, listed, printable
from datafetch.recipe.lists import url_list
from datafetch.recipe.site import Site

SOURCES = ("url", "shards", "url_list", "manual", "bundled", "derived")


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
        return _http(entry.url, at, instead)
    if entry.shards is not None:
        return _shards(entry.shards, at, known)
    if entry.url_list is not None:
        return url_list(entry.url_list, at)
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


def _http(given: str | list[str], site: Site, instead: Manual | None) -> Http | None:
    urls = [at.filled(values.address, text) for at, text in site.each(given)]
    good = tuple(url for url in urls if url is not None)
    if not urls:
        site.add("expected an address, found an empty list")
    if len(set(good)) < len(good):
        site.add("expected mirrors that differ, found one address twice")
    return Http(good, instead) if good and len(good) == len(urls) else None


def _shards(given: str | list[str], site: Site, known: Known) -> Shards | None:
    counted = [at.take(template.multiply, text, at.names) for at, text in site.each(given)]
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
