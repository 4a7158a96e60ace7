"""The makers that a recipe names: raw tables and pictures in, documents of train, val and test out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from datafetch.annotate.derived import Derived, Inputs, Settings
from datafetch.annotate.preference import draw as drawing
from datafetch.annotate.preference import older, raw, topics
from datafetch.annotate.preference.pictures import by_stem, by_topic
from datafetch.annotate.preference.splits import by_topic as split_topics
from datafetch.annotate.preference.splits import by_user as split_users
from datafetch.annotate.preference.windows import Hit, Records, touched, windows
from datafetch.annotate.preference.words import Words, by_name, words
from datafetch.annotate.preference.written import counted, documents, nothing
from datafetch.errors import BadList

T = TypeVar("T")
Sequences = dict[str, list[Hit]]


# --- Ratings: a table of user, picture, score ---------------------------------------------------------------


def ratings(inputs: Inputs, settings: Settings) -> Derived:
    """Windows over what each user of a table of ratings scored above `above`."""
    dropped: Counter[str] = Counter()
    pictures = by_stem(inputs.paths("pictures"))
    means = raw.means(inputs.lines("means") or (), dropped)
    users: Sequences = {}
    files: dict[str, str] = {}  # stem -> file name as the table has it
    above, rows, with_picture = int(settings["above"]), 0, 0
    everyone: set[str] = set()
    is_older = settings["schema"] == "older"
    for rating in raw.ratings(_needed(inputs, "ratings"), dropped, inputs.name("ratings")):
        rows += 1
        item = raw.stem(rating.item)
        everyone.add(rating.user)
        with_picture += item in pictures
        if rating.score <= above and not is_older:
            dropped[f"score of {above} or less"] += 1
            continue
        files.setdefault(item, rating.item)
        users.setdefault(rating.user, []).append(Hit(item, rating.score))
    told: dict[str, object] = {
        "users": len(everyone),
        "images": len(pictures),
        "ratings": rows,
        "ratings with a picture": with_picture,
    }
    there = _there(inputs, pictures, touched(users), dropped)
    known = _words(inputs, settings, touched(users), everyone, raw.stem)
    if is_older:
        kept = _long_enough(users, 2, dropped)
        _count_lacking(kept, there, dropped)
        names = {item: (files[item], path) for item, path in there.items() if item in files}
        return documents(
            older.rated(kept, names, int(settings["seed"])), _same, told, dropped, known, settings
        )
    kept = _long_enough(users, int(settings["history"]) + 1, dropped)
    return _windowed(kept, there, known, means, told, dropped, settings)


# --- Clicks: rows of a user and items -----------------------------------------------------------------------


def drawn(inputs: Inputs, settings: Settings) -> Derived:
    """Users of a table of clicks, drawn by lot or named by a person, and the rows of the items that they touch."""
    count, least, seed = int(settings["users"]), int(settings["least"]), settings["seed"]
    seen: Counter[str] = Counter()
    named = [raw.text(line).strip() for line in inputs.lines("subset") or ()]
    named = [row for row in named if row]
    is_rows = any("," in row for row in named)
    if not named:
        rows = drawing.draw(_needed(inputs, "users"), count, least, seed, seen)
        seen["row of a user who was not drawn"] = (
            seen["rows"] - len(rows) - sum(number for why, number in seen.items() if why != "rows")
        )
    elif is_rows:
        seen["rows"] = len(named)
        rows = _rows_that_count(named, least)
    else:
        rows = drawing.named(_needed(inputs, "users"), tuple(dict.fromkeys(named)), least, seen)
        seen["named user without a row"] += len(set(named)) - len(rows)
    wanted = {item for row in rows.values() for item in _items(row)}
    here = by_stem(inputs.paths("pictures"))
    found = drawing.items(_needed(inputs, "items"), wanted, seen)
    fetched = [cells for cells in found if cells[0] not in here]
    told: dict[str, object] = {
        "users": len(rows),
        "items": len(wanted),
        "rows": seen.pop("rows"),
        "item rows": seen.pop("item rows"),
        "pictures to fetch": len(fetched),
        "drawn by": "a file of users" if named else f"lot, seed {seed}",
        "dropped": counted(seen),
    }
    if not rows:
        raise nothing(f"no user has {least} items or more", told, seen)
    lists = {
        # A file of rows is handed on as it is: the first row of a user says where the user stands in the order.
        "users.txt": (f"{row}\n".encode() for row in (named if is_rows else rows.values())),
        "items.txt": (f"{','.join(cells)}\n".encode() for cells in fetched),
    }
    return Derived(lists, told)


def _rows_that_count(named: Sequence[str], least: int) -> dict[str, str]:
    """User -> row of a file of rows: of several of one user the last of at least `least` items, or else the last."""
    rows: dict[str, str] = {}
    for row in named:
        user, _, rest = row.partition(",")
        before = rows.get(user.strip())
        if len(raw.items_of(rest)) >= least or before is None or len(_items(before)) < least:
            rows[user.strip()] = row
    return rows


def _items(row: str) -> tuple[str, ...]:
    return raw.items_of(row.partition(",")[2])


def clicks(inputs: Inputs, settings: Settings) -> Derived:
    """Windows over the items of each row of a user."""
    dropped: Counter[str] = Counter()
    history, is_older = int(settings["history"]), settings["schema"] == "older"
    least = 1 if is_older else history + 1
    rows = raw.behaviours(_needed(inputs, "users"), least, dropped)
    users: Sequences = {user: [Hit(item) for item in items] for user, items in rows.items()}
    pictures = by_stem(inputs.paths("pictures"))
    items = touched(users)
    told: dict[str, object] = {
        "users": len(users),
        "items": len(items),
        "images": len(pictures),
        "interactions": sum(map(len, users.values())),
    }
    there = _there(inputs, pictures, items, dropped)
    known = _words(inputs, settings, items, users, raw.stem)
    if is_older:
        _count_lacking(users, there, dropped)
        made = older.clicked(users, there, known["captions"], known["styles"], int(settings["seed"]))
        return documents(made, _same, told, dropped, known, settings)
    return _windowed(users, there, known, None, told, dropped, settings)


# --- Topics: folders of pictures ----------------------------------------------------------------------------


class _Annotation(msgspec.Struct):
    topic: str
    file_name: str


class _Annotations(msgspec.Struct):
    annotations: list[msgspec.Raw]


def themes(inputs: Inputs, settings: Settings) -> Derived:
    """Samples by lot from folders of pictures."""
    dropped: Counter[str] = Counter()
    paths = inputs.paths("pictures")
    every = by_topic(paths)
    good = inputs.decodable([path for own in every.values() for path in own.values()])
    notes = _annotations(inputs, dropped)
    items = {f"{topic}/{name}" for topic, own in every.items() for name in own}
    told: dict[str, object] = {
        "users": len(every),
        "images": len(items),
        "annotations": len(notes),
    }
    if notes:
        dropped["annotation without a picture"] += len(notes.keys() - items)
        dropped["picture without an annotation"] += len(items - notes.keys())
    dropped["picture that does not decode"] += len(items) - len(good)
    there = {
        topic: {name: inputs.image_path(path) for name, path in own.items() if path in good}
        for topic, own in every.items()
    }
    known = _words(inputs, settings, items, every, lambda said: said.removeprefix("Images/"))
    seed, history = int(settings["seed"]), int(settings["history"])
    if settings["schema"] == "older":
        there = {topic: own for topic, own in there.items() if own}
        made = older.themed(there, notes, known["captions"], seed)
        return documents(made, _same, told, dropped, known, settings)
    short = [topic for topic, own in there.items() if len(own) < history]
    dropped[f"topic of fewer than {history} pictures"] += len(short)
    samples = topics.draw({topic: list(own) for topic, own in there.items()}, history, seed)
    records = topics.TopicRecords(there, known["captions"])
    return documents(split_topics(samples, seed), records.record, told, dropped, known, settings)


def _annotations(inputs: Inputs, dropped: Counter[str]) -> dict[str, object]:
    """Item -> its annotation, as upstream has it."""
    data = inputs.whole("annotations")
    if data is None:
        return {}
    try:
        rows = msgspec.json.decode(data, type=_Annotations).annotations
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadList(
            f"{inputs.name('annotations')}: expected an object with annotations: {error}"
        ) from error
    found: dict[str, object] = {}
    for row in rows:
        try:
            one = msgspec.json.decode(row, type=_Annotation)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            dropped["annotation without a topic and a file"] += 1
            continue
        found[f"{one.topic}/{one.file_name}"] = msgspec.json.decode(row)
    return found


# --- What they share ----------------------------------------------------------------------------------------


def _same(record: T) -> T:
    return record


def _needed(inputs: Inputs, role: str) -> Iterator[bytes]:
    lines = inputs.lines(role)
    if lines is None:
        raise BadList(f"{inputs.name(role)} is not here, and nothing can be made without it")
    return lines


def _there(
    inputs: Inputs, pictures: Mapping[str, str], items: Iterable[str], dropped: Counter[str]
) -> dict[str, str]:
    """Item -> image_path of the items whose picture is here and decodes."""
    wanted = sorted(set(items))
    found = {item: pictures[item] for item in wanted if item in pictures}
    good = inputs.decodable(found.values())
    dropped["item without a picture"] += len(wanted) - len(found)
    dropped["picture that does not decode"] += sum(path not in good for path in found.values())
    return {item: inputs.image_path(path) for item, path in found.items() if path in good}


def _words(
    inputs: Inputs,
    settings: Settings,
    items: Iterable[str],
    users: Iterable[str],
    spell: Callable[[str], str],
) -> dict[str, Words]:
    known = {"captions": by_name(items, spell), "styles": by_name(users)}
    return {role: words(inputs.whole(role), inputs.name(role), ids) for role, ids in known.items()}


def _long_enough(users: Mapping[str, list[Hit]], least: int, dropped: Counter[str]) -> Sequences:
    kept = {user: hits for user, hits in users.items() if len(hits) >= least}
    dropped[f"user of fewer than {least} items"] += len(users) - len(kept)
    return kept


def _count_lacking(users: Mapping[str, list[Hit]], there: Mapping[str, str], dropped: Counter[str]) -> None:
    lacking = sum(hit.item not in there for hits in users.values() for hit in hits)
    dropped["interaction without a picture"] += lacking


def _windowed(
    users: Mapping[str, Sequence[Hit]],
    there: Mapping[str, str],
    known: Mapping[str, Words],
    means: Mapping[str, float] | None,
    told: dict[str, object],
    dropped: Counter[str],
    settings: Settings,
) -> Derived:
    history = int(settings["history"])
    samples = windows(users, history, there.keys(), dropped)
    records = Records(
        users, there, history, settings["user"], settings["style"], known["captions"], known["styles"], means
    )
    split = split_users(samples, int(settings["seed"]))
    return documents(split, records.record, told, dropped, known, settings)
