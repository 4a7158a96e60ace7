"""The construction rules of the benchmark once more, written from its description alone: eager, plain, all in memory.

Deliberately shares nothing with `annotate.preference`: the two are compared.
"""

from __future__ import annotations

import csv
import io
import os
import random
from collections.abc import Callable, Iterable
from typing import Any

Record = dict[str, Any]
Found = Callable[[str], str | None]  # item -> image_path of a whole picture


def flickr(
    table: bytes, scores: bytes, found: Found, captions: Any = (), styles: Any = ()
) -> dict[str, list[Record]]:
    captions, styles = dict(captions), dict(styles)
    mean = {}
    for line in scores.decode().splitlines():
        name, _, number = line.strip().partition(" ")
        try:
            mean[os.path.splitext(name)[0]] = float(number)
        except ValueError:
            continue
    by_worker: dict[str, list[tuple[str, int]]] = {}
    for row in list(csv.reader(io.StringIO(table.decode(), newline="")))[1:]:
        cells = [cell.strip() for cell in row]
        if len(cells) == 3 and cells[0] and cells[2] in ("3", "4", "5"):
            by_worker.setdefault(cells[0], []).append((os.path.splitext(cells[1])[0], int(cells[2])))

    def info(hit: tuple[str, int]) -> Record:
        item, score = hit
        return {
            "item_id": item,
            "caption": captions.get(item, ""),
            "image_path": found(item),
            "score": score,
            "aesthetic_score": mean.get(item, 0.0),
        }

    samples = []
    for worker, hits in by_worker.items():
        if len(hits) < 4:
            continue
        for at in range(len(hits) - 3):
            window = hits[at : at + 4]
            if None in [found(item) for item, _ in window]:
                continue
            samples.append(
                {
                    "worker_id": worker,
                    "history_item_ids": [item for item, _ in window[:3]],
                    "history_items_info": [info(hit) for hit in window[:3]],
                    "target_item_id": window[3][0],
                    "target_item_info": info(window[3]),
                    "worker_style": styles.get(worker, ""),
                    "num_interactions": 3,
                    "window_position": at,
                    "total_sequence_length": len(hits),
                }
            )
    return people(samples, "worker_id")


def pog(rows: Iterable[str], found: Found, captions: Any = (), styles: Any = ()) -> dict[str, list[Record]]:
    captions, styles = dict(captions), dict(styles)
    by_user: dict[str, list[str]] = {}
    for row in rows:
        parts = row.strip().split(",")
        if len(parts) >= 2:
            items = [one.strip() for one in parts[1].split(";") if one.strip()]
            if len(items) >= 4:
                by_user[parts[0].strip()] = items

    def info(item: str) -> Record:
        return {"item_id": item, "caption": captions.get(item, ""), "image_path": found(item)}

    samples = []
    for user, items in by_user.items():
        for at in range(len(items) - 3):
            window = items[at : at + 4]
            if None not in [found(item) for item in window]:
                samples.append(
                    {
                        "user_id": user,
                        "history_item_ids": window[:3],
                        "history_items_info": [info(item) for item in window[:3]],
                        "target_item_id": window[3],
                        "target_item_info": info(window[3]),
                        "user_style": styles.get(user, ""),
                        "num_interactions": 3,
                        "window_position": at,
                        "total_sequence_length": len(items),
                    }
                )
    return people(samples, "user_id")


def people(samples: list[Record], key: str) -> dict[str, list[Record]]:
    """Split by user: 15 for val, of the rest the last 15 of 95 for test, at most 2000 with a quota."""
    random.seed(42)
    own: dict[str, list[Record]] = {}
    for sample in samples:
        own.setdefault(sample[key], []).append(sample)
    users = list(own)
    random.shuffle(users)
    val: list[Record] = []
    while users and len(val) < 15:
        val += own[users.pop(0)]
    number = max(1, int(len(users) * 0.15 / 0.95))
    testers, trainers = sorted(users[-number:]), sorted(users[:-number])
    if sum(len(own[user]) for user in testers) <= 2000:
        test = [sample for user in testers for sample in own[user]]
    else:
        quota = max(1, int(2000 / len(testers)) + 1)
        test = []
        for user in testers:
            test += random.sample(own[user], min(quota, len(own[user])))
        if len(test) > 2000:
            random.shuffle(test)
            test = test[:2000]
    return {"train": [s for user in trainers for s in own[user]], "val": val[:15], "test": test}


def ser(topics: dict[str, list[str]], found: Found, captions: Any = ()) -> dict[str, list[Record]]:
    """`topics` by their whole pictures."""
    captions = dict(captions)
    names = sorted(topic for topic, files in topics.items() if len(files) >= 3)
    random.seed(42)

    def info(item: str) -> Record:
        return {"item_id": item, "caption": captions.get(item, ""), "image_path": found(item)}

    own: dict[str, list[Record]] = {}
    for topic in names:
        for index in range(3):
            history = [f"{topic}/{name}" for name in random.sample(sorted(topics[topic]), 3)]
            other = random.choice([one for one in names if one != topic])
            target = f"{other}/{random.choice(sorted(topics[other]))}"
            own.setdefault(topic, []).append(
                {
                    "user_id": topic,
                    "history_item_ids": history,
                    "history_items_info": [info(item) for item in history],
                    "target_item_id": target,
                    "target_item_info": info(target),
                    "num_interactions": 3,
                    "sample_index": index,
                }
            )
    random.seed(42)
    random.shuffle(names)
    val: list[Record] = []
    while names and len(val) < 15:
        val += own[names.pop(0)]
    number = int(len(names) * (0.8 / 0.95))
    parts = sorted(names[:number]), sorted(names[number:])
    train, test = ([s for topic in part for s in own[topic]] for part in parts)
    return {"train": train, "val": val[:15], "test": test}
