"""Raw files of the published shape: ratings of photos, clicks of shoppers, stickers by topic; the same for one seed."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from archives import picture

BROKEN = b"\xff\xd8\xff\xe0 this was a picture once"

RATINGS = " FLICKR-AES_image_labeled_by_each_worker.csv"  # both names begin with a blank on Drive
SCORES = " FLICKR-AES_image_score.txt"


@dataclass(frozen=True)
class Photos:
    """A table of ratings with its pictures."""

    files: dict[str, bytes] = field(default_factory=dict)
    broken: tuple[str, ...] = ()  # stems of pictures that do not decode


def photos(seed: int = 1, workers: int = 12, count: int = 60, rated: int = 30) -> Photos:
    """Ratings in the order of the table, some of pictures that are not there, some rows that are none."""
    lot = random.Random(seed)
    stems = [f"farm{lot.randrange(9)}_{lot.randrange(10**9)}_{n}" for n in range(count)]
    absent, broken = set(stems[::17]), stems[5::29]
    files = {f"40K/{stem}.jpg": picture(n % 7) for n, stem in enumerate(stems) if stem not in absent}
    files |= {f"40K/{stem}.jpg": BROKEN for stem in broken if stem not in absent}
    ids = [f"A{lot.randrange(36**6):X}BHH{n}" for n in range(workers)]
    rows = [(who, stem, lot.randint(1, 5)) for who in ids for stem in lot.sample(stems, rated)]
    rows += [("AFEW", stem, 5) for stem in stems[:3]]
    lot.shuffle(rows)
    lines = ["worker, imagePair, score"]
    lines += [f"{who}, {stem}.jpg , {score}" for who, stem, score in rows]
    lines[9:9] = ["A2BHHEWR9PRDX8, only two", "A2BHHEWR9PRDX8, x.jpg, seven", ", x.jpg, 3", ""]
    files[RATINGS] = "\r\n".join(lines).encode()
    files[SCORES] = "".join(f"{s}.jpg {lot.random():.6f}\n" for s in stems[::2]).encode() + b"x.jpg high\n"
    return Photos(files, tuple(stem for stem in broken if stem not in absent))


def words_of(user: str) -> str:
    return f'Elegant, "{user[:5]}", 优雅\nvibrant'


def clicks(seed: int = 2, users: int = 40, items: int = 120, most: int = 30) -> dict[str, bytes]:
    """The three tables: users with several rows, rows too short, titles that hold commas, an item without a row."""
    lot = random.Random(seed)
    ids = [hashlib.md5(f"{seed} item {n}".encode()).hexdigest() for n in range(items)]
    people = [hashlib.md5(f"{seed} user {n}".encode()).hexdigest() for n in range(users)]
    rows = []
    for person in people:
        for _ in range(lot.choice((1, 1, 2, 3))):
            own = [lot.choice(ids) for _ in range(lot.randint(1, most))]
            rows.append(f"{person},{';'.join(own)},{lot.randrange(10**9):x}")
    lot.shuffle(rows)
    rows[5:5] = ["nonsense", f"{people[0]},,", ""]
    table = [
        f"{item},{n % 75},http://img.alicdn.example/i/{item}.jpg,新款 连衣裙, 夏季,{n}"
        for n, item in enumerate(ids)
        if n != 7
    ]
    table.insert(3, "short")
    outfits = [f"o{n},{';'.join(lot.sample(ids, 3))}" for n in range(9)]
    return {
        "user_data.txt": "\n".join(rows).encode() + b"\n",
        "item_data.txt": "\n".join(table).encode() + b"\n",
        "outfit_data.txt": "\n".join(outfits).encode() + b"\n",
    }


def stickers(seed: int = 3, topics: int = 30) -> dict[str, bytes]:
    """Topics with gaps in the numbers of their stickers, some too small; annotations that do not quite fit."""
    lot = random.Random(seed)
    files: dict[str, bytes] = {}
    notes: list[Mapping[str, object]] = []
    for number in range(topics):
        topic = f"Topic {number:02} é"
        for sticker in sorted(lot.sample(range(40), lot.choice((1, 2, 3, 5, 9)))):
            name = f"sticker_{sticker}.jpg"
            files[f"Images/{topic}/{name}"] = picture((number + sticker) % 11, form="PNG")
            said = {f"anno{n}": lot.randint(1, 7) for n in ("1", "2", "3", "")}
            notes.append({"topic": topic, "file_name": name, "text": lot.choice(("", "好的")), **said})
    files["Images/Topic 03 é/notes.txt"] = b"no picture"
    gone, extra = notes.pop(4), {**notes[0], "file_name": "sticker_999.jpg"}
    assert gone != extra
    document = {"annotations": [*notes, extra], "categories": {"1": "Surprise"}}
    files["Annotations/all_annos.json"] = json.dumps(document, ensure_ascii=False).encode()
    for split in ("train", "val", "test"):
        files[f"Annotations/image-level/{split}.json"] = b'{"annotations": [], "categories": {}}'
    return files
