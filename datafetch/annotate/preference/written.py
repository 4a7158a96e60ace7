"""Splits become documents: train, val and test, and the numbers that tell what they were made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from json import dumps
from typing import TypeVar

import msgspec

from datafetch.annotate.derived import Derived, Settings
from datafetch.annotate.preference.splits import Splits
from datafetch.annotate.preference.words import Words
from datafetch.errors import BadList

T = TypeVar("T")


def documents(
    splits: Splits[T],
    record: Callable[[T], Mapping[str, object]],
    told: Mapping[str, object],
    dropped: Counter[str],
    known: Mapping[str, Words],
    settings: Settings,
) -> Derived:
    """Each split as a JSON list of what `record` makes of its samples, written as they are made.

    `told` and `dropped` become the summary, what is to be known of captions and styles the notes. BadList when there
    is not a single sample.
    """
    summary = {
        **told,
        "windows": {name: len(samples) for name, samples in splits.items()},
        "dropped": counted(dropped),
        "seed": int(settings["seed"]),
    }
    if not any(len(samples) for _, samples in splits.items()):
        raise nothing("no record can be made", told, dropped)
    notes = [note for one in known.values() for note in one.notes]
    wanted = [role for role in ("captions", "styles") if settings.get("style") or role == "captions"]
    absent = [role for role in wanted if not known[role].given]
    if absent:
        notes.append(f"no file of {' or of '.join(absent)} was brought: they are empty in every record")
    written = {f"{name}.json": _json(map(record, samples)) for name, samples in splits.items()}
    return Derived(written, summary, tuple(notes))


def nothing(what: str, told: Mapping[str, object], dropped: Counter[str]) -> BadList:
    """The error where nothing would be written: of a table that was cut off, say, or without a picture that decodes."""
    numbers = [f"{name} {number:,}" for name, number in told.items() if isinstance(number, int)]
    lost = [f"{why} {number:,}" for why, number in counted(dropped).items()]
    said = "; ".join([", ".join(numbers), *(["dropped: " + ", ".join(lost)] if lost else [])])
    return BadList(f"{what}: {said}", "what is brought with --from DIR takes the place of what was")


def counted(dropped: Counter[str]) -> dict[str, int]:
    """What was left out by its reason, sorted; reasons without a case are not told."""
    return {why: number for why, number in sorted(dropped.items()) if number}


def _json(records: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    """A list as `json.dump` writes it with an indent of 2, one record at a time."""
    between = "[\n  "
    for record in records:
        # Indented in two steps: json indents in Python, and takes six times as long.
        plain = dumps(record, ensure_ascii=False)
        yield between.encode() + msgspec.json.format(plain, indent=2).replace("\n", "\n  ").encode()
        between = ",\n  "
    yield b"\n]" if between[0] == "," else b"[]"
