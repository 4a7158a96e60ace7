"""Upstream of P9D on loopback: the four JSONs in their true shape, and a host of pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping

from archives import picture, zip_of
from drive import FakeDrive
from server import Answer, FaultServer, Thing, status

DRIVE_ID = "1nGpNS2GPLawMYiNNR8Z9AKlJWfYtmLJh"
HOST = "img.alicdn.example"
# Verbatim: the keys of train.json in the order of the file; two hold a slash.
INDUSTRIES = (
    "食品/保健",
    "家居用品",
    "家装家饰",
    "美容护理",
    "母婴",
    "服饰鞋包",
    "3C数码",
    "车品配件",
    "运动/户外",
)
FIRST = 564970491434  # an id of upstream's
SPLITS = ("train", "test", "query", "gallery")

TRAIN = {FIRST + n: INDUSTRIES[n % 9] for n in range(20)}
FLAT = {
    "test": [FIRST + n for n in range(100, 104)],
    "query": [FIRST + n for n in range(102, 108)],  # two of test's
    "gallery": [FIRST + n for n in (101, 107, *range(200, 206))],  # one of test's, one of query's
}
RECORD = {"title": '新款 "T恤", 纯棉; 100%', "cate_name": "T恤"}


def record(item: int) -> dict[str, str]:
    return {
        **RECORD,
        "image_link": f"https://{HOST}/i/{item}.jpg",
        "oss_url": f"https://oss.{HOST}/o/{item}.jpg",
    }


def documents() -> dict[str, bytes]:
    """The four files, by name."""
    train: dict[str, dict[str, dict[str, str]]] = {industry: {} for industry in INDUSTRIES}
    for item, industry in TRAIN.items():
        train[industry][str(item)] = record(item)
    flat = {
        split: {str(item): record(item) | {"industry_name": INDUSTRIES[item % 9]} for item in items}
        for split, items in FLAT.items()
    }
    return {
        f"{name}.json": json.dumps(made, ensure_ascii=name == "test").encode()
        for name, made in {"train": train, **flat}.items()
    }


def image(item: int) -> bytes:
    return picture(item % 1000, form="PNG" if item % 7 == 0 else "JPEG")


def expected(*splits: str) -> dict[str, bytes]:
    """Path below the output directory -> bytes."""
    found = {f"p9d/json/{name}": data for name, data in documents().items()}
    for split in splits or SPLITS:
        folder, items = ("train_images", list(TRAIN)) if split == "train" else ("gallery_images", FLAT[split])
        found |= {f"p9d/{folder}/{item}.jpg": image(item) for item in items}
    return found


def serve(instead: Mapping[int, Answer] | None = None, root: str = "Product9D/json/") -> FaultServer:
    """A mirror of Drive, and of the host of the pictures; oss_url answers 403, as it has since 2023."""
    others = dict(instead or {})
    drive = FakeDrive({DRIVE_ID: zip_of({f"{root}{name}": data for name, data in documents().items()})})

    def find(path: str) -> Answer | None:
        _, host, kind, *rest = f"{path}//".split("/")
        if host == f"oss.{HOST}":
            return status(403)
        if host == HOST and kind == "i":
            item = int(rest[0].removesuffix(".jpg"))
            return others.get(item) or Thing(image(item))
        return drive.find(path)

    return FaultServer(find)
