"""Rows become items: each with its addresses, its path, and the earlier row that asks for the same bytes.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from datafetch.errors import TransferFailed
from datafetch.images.fill import candidates, save_path
from datafetch.images.index import Index
from datafetch.images.paths import Paths
from datafetch.images.rows import BadRow, Row
from datafetch.model import UrlList
from datafetch.transfer.addresses import clean_url


class Item(msgspec.Struct, frozen=True):
    """A file to have. `path` is its place inside the artifact; no two items of a list share one."""

    number: int  # its row, from 1
    path: str
    urls: tuple[str, ...]  # in the order to ask
    twin: int = 0  # an earlier row with the same addresses: its bytes are used; 0 is none


def items(source: UrlList, rows: Iterable[Row | BadRow], key: bytes = b"") -> Iterator[Item | BadRow]:
    """One Item or BadRow per row, in the same order. The same list gives the same paths on every machine.

    `key` guards the digests inside against lists made to collide; it does not change what comes out.
    """
    urls, paths = Index(key), Paths(key)
    for row in rows:
        yield row if isinstance(row, BadRow) else _item(source, row, urls, paths)


def _item(source: UrlList, row: Row, urls: Index, paths: Paths) -> Item | BadRow:
    line = row.line or row.number
    found = candidates(source.url, line, row.fields)
    if not found:
        return BadRow(row.number, f"no address: {' or '.join(source.url)} cannot be filled")
    asked = tuple([url for url in found if not _fault(url)])
    if not asked:
        return BadRow(row.number, _fault(found[0]))
    path = save_path(source.save_as, line, row.fields)
    if path is None:
        return BadRow(row.number, f"no path: {source.save_as} cannot be filled")
    path = paths.own(path, row.number, asked[0])
    first = urls.first(asked[0] if len(asked) == 1 else "\n".join(asked), row.number)
    return Item(row.number, path, asked, first if first != row.number else 0)


# Addresses without anything that needs a second look: most of a list, read at a tenth of the cost.
_PLAIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,4})?/[!#-;=?-\[\]-~]*")


def _fault(url: str) -> str:
    """Why an address can never be asked; empty when it can."""
    if _PLAIN.fullmatch(url):
        return ""
    try:
        clean_url(url)
    except TransferFailed as error:
        return str(error)
    return ""
