"""Lists that artifacts hold: those whose rows name pictures to fetch, and those by which pictures are sorted."""

from __future__ import annotations

import re

from datafetch.model import DAMAGED, Join, Sorting, UrlList
from datafetch.recipe import template, values
from datafetch.recipe.document import ArtifactEntry, UrlListEntry
from datafetch.recipe.issues import Bad, printable
from datafetch.recipe.site import Site

_NAMED = re.compile(r"<([^<>]*)>")
READERS = ("map", "columns", "lines", "table", "csv", "tsv", "jsonl", "beside", "parquet", "matlab", DAMAGED)


def url_list(entry: UrlListEntry, site: Site) -> UrlList | None:
    file = site.at("file").filled(values.relative_path, entry.file)
    save_as = site.at("save_as").filled(values.relative_path, entry.save_as)
    read = site.at("read").filled(values.one_of, entry.read, READERS, "readers")
    check = site.at("check").take(values.one_of, entry.check, ("", "image"), "checks")
    urls = [at.filled(_url_template, text) for at, text in site.at("url").each(entry.url)]
    if not urls:
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
