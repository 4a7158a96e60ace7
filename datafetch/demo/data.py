"""The upstream of `datafetch demo`: a small dataset of the real shape, made on the fly, equal bytes
everywhere.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator

from datafetch.demo.pictures import mask, photo, scene

HOST = "demo.invalid"  # a reserved name (RFC 2606): without the loopback mirror nothing can answer
PICTURES = "pictures.demo.invalid"
CLASSES = {"bottles_green_flask": "disc", "mugs_enamel": "box", "shoes_red_sneaker": "wedge"}
LINKS = 24
GONE = 7  # rows of the list, from 1
PLACEHOLDER = 16
SHARDS = 12

Member = tuple[str, bytes]


def upstream() -> dict[str, bytes]:
    """Every file of the demo by its address without the scheme; the dead picture is not among them."""
    return {
        f"{HOST}/demo.zip": _zip(real()),
        f"{HOST}/demo_dreambooth_cfg_5.zip": _zip(synthetic()),
        f"{HOST}/demo_negatives.zip": _zip(negatives()),
        f"{HOST}/demo_links.json": links(),
        **{
            f"{HOST}/demo_dense.zip.a{letter}": shard
            for letter, shard in zip("abcdefghijkl", shards(), strict=True)
        },
        **pictures(),
    }


def real() -> Iterator[Member]:
    """Train and test pictures with masks, the two descriptions beside them, and the litter of a real
    archive.
    """
    for split, count in (("train", 3), ("test", 5)):
        yield from _with_masks("demo", split, count)
    info = {"classes": list(CLASSES), "class_to_idx": {name: str(at) for at, name in enumerate(CLASSES)}}
    yield "demo/demo_info.json", json.dumps(info, indent=1).encode()
    yield "demo/.DS_Store", b"litter of a desktop"
    yield "__MACOSX/demo/train/._0.png", b"litter of another"


def synthetic() -> Iterator[Member]:
    """Pictures named by the prompt they were drawn from, as the generator names them; some were rejected."""
    prompts = (
        "a photo of <new1> at the beach",
        "<new1> on a baker's table",
        "<new1> in the rain",
        "two of <new1>",
    )
    for name, shape in CLASSES.items():
        for number, prompt in enumerate(prompts * 2):
            path = f"demo/dreambooth_sd1.5/cfg_5.0/{name}/{number}_{prompt}.png"
            yield path, photo(scene(path, shape))
        rejected = f"demo/dreambooth_sd1.5/cfg_5.0/{name}_rej/9_{prompts[0]}.png"
        yield rejected, photo(scene(rejected, shape))


def negatives() -> Iterator[Member]:
    """Pictures of other things, by category."""
    for category, shape in (("bottles", "disc"), ("mugs", "box"), ("shoes", "wedge")):
        for number in range(4):
            path = f"demo/demo_negatives/{category}/{number}.png"
            yield path, photo(scene(path, shape))


def shards() -> tuple[bytes, ...]:
    """The dense test split with masks: one archive cut in twelve, the last shorter than the others."""
    whole = _zip(_with_masks("demo", "test_dense", 4))
    size = -(-len(whole) // SHARDS)
    return tuple(whole[at : at + size] for at in range(0, len(whole), size))


def links() -> bytes:
    """A list of the shape of P9D: maps by class, then by id, of records that hold a title and an address."""
    listed: dict[str, dict[str, dict[str, str]]] = {name: {} for name in CLASSES}
    for number, name, item in _items():
        listed[name][item] = {"title": f"item {number}", "image_link": f"https://{PICTURES}/{item}.png"}
    return json.dumps(listed, indent=1).encode()


def pictures() -> dict[str, bytes]:
    """What the hosts of the list still serve: all but one picture, and in place of another a placeholder."""
    return {
        f"{PICTURES}/{item}.png": placeholder()
        if number == PLACEHOLDER
        else photo(scene(item, CLASSES[name]))
        for number, name, item in _items()
        if number != GONE
    }


def placeholder() -> bytes:
    """The picture that stands for one that is gone; `images.placeholders` knows its digest."""
    return photo(scene("this picture is no longer available", "disc"))


def address(row: int) -> str:
    """The address, without scheme, of a picture of the list."""
    return next(f"{PICTURES}/{item}.png" for number, _, item in _items() if number == row)


def _items() -> Iterator[tuple[int, str, str]]:
    """Row, class and id of each picture of the list, in its order."""
    each = LINKS // len(CLASSES)
    for number in range(1, LINKS + 1):
        yield number, list(CLASSES)[(number - 1) // each], f"5649704910{number:02}"


def _with_masks(root: str, split: str, count: int) -> Iterator[Member]:
    for name, shape in CLASSES.items():
        for number in range(count):
            shown = scene(f"{split}/{name}/{number}", shape)
            yield f"{root}/{split}/{name}/{number}.png", photo(shown)
            yield f"{root}/{split}_masks/{name}/{number}.png", mask(shown)


def _zip(members: Iterable[Member]) -> bytes:
    """A zip that stores its members, with one date: equal members give equal bytes on every machine."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members:
            entry = zipfile.ZipInfo(name, (2025, 1, 1, 0, 0, 0))
            entry.create_system = 3  # as written on any Unix, whatever machine this is
            archive.writestr(entry, data)
    return whole.getvalue()
