"""Captions and styles that a person may bring: lists and maps read alike, what is no text counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from datafetch.errors import BadList

_IDS = ("worker", "user", "worker_id", "user_id", "topic", "item_id", "image_id", "id", "image", "file_name")
_TEXTS = ("style", "caption", "keywords")
SHOWN = 3  # ids that a note names


@dataclass(frozen=True, slots=True)
class Words:
    """Id -> text; and what a person should know of the file that they are from."""

    of: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    given: bool = False


def words(data: bytes | None, name: str, known: Callable[[str], str | None]) -> Words:
    """The texts of a file `name`; `known` gives the id that an id of the file means, None for one of nobody.

    Accepted are a map of id to text, a map of id to an object, and a list of objects with an id and a text. Keywords
    that are a list are joined by commas. BadList for what is no such JSON.
    """
    if data is None:
        return Words()
    found: dict[str, str] = {}
    strange: list[str] = []
    bad = 0
    for said, value in _pairs(data, name):
        told = _text(value)
        if said is None or told is None:
            bad += 1
            continue
        meant = known(said)
        if meant is None:
            strange.append(said)
        else:
            found[meant] = told
    notes = []
    if bad:
        notes.append(f"{name}: {bad:,} entries without an id and a text, left out")
    if strange:
        shown = ", ".join(one[:60] for one in islice(sorted(strange), SHOWN))
        notes.append(f"{name}: {len(strange):,} unknown ids, such as {shown}")
    return Words(found, tuple(notes), True)


def _pairs(data: bytes, name: str) -> Iterator[tuple[str | None, object]]:
    try:
        document = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadList(f"{name}: not JSON: {error}") from error
    if isinstance(document, dict):
        yield from document.items()
    elif isinstance(document, list):
        for one in document:
            yield _id(one), one
    else:
        raise BadList(f"{name}: expected a map or a list, found {type(document).__name__}")


def _id(one: object) -> str | None:
    if not isinstance(one, dict):
        return None
    return next((str(one[key]) for key in _IDS if isinstance(one.get(key), str | int)), None)


def _text(value: object) -> str | None:
    if isinstance(value, dict):
        value = next((value[key] for key in _TEXTS if key in value), None)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = ", ".join(value)
    return value if isinstance(value, str) else None


def by_name(
    ids: Iterable[str], spell: Callable[[str], str] = lambda said: said
) -> Callable[[str], str | None]:
    """Whoever is called so, or is called so once the name is spelled as ids are."""
    all_ids = frozenset(ids)

    def known(said: str) -> str | None:
        said = said.strip()
        if said in all_ids:
            return said
        spelled = spell(said)
        return spelled if spelled in all_ids else None

    return known
