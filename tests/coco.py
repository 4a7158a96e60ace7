"""Upstream of MS COCO on loopback: small archives of the true inner layout, and what should become of them."""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archives import zip_of
from PIL import Image
from process import Ended, datafetch_
from server import Answer, FaultServer, Thing

from datafetch.recipe.files import builtin

S3 = "/s3.amazonaws.com/images.cocodataset.org"
CORRUPT = 167126  # upstream's own corrupt picture
SAID = "a a a the dog cat sits, stands. on two bench; red blue rides kite zebra_crossing l'été"


def picture(seed: int, mode: str = "RGB", size: tuple[int, int] = (53, 40)) -> bytes:
    """A photograph, as far as a decoder can tell: noise made smooth."""
    noise = random.Random(seed).randbytes(8 * 6 * len(mode))
    image = Image.frombytes(mode, (8, 6), noise).resize(size, Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


def heavy() -> bytes:
    """A picture that takes about half a second to prepare, and little room."""
    with io.BytesIO() as out:
        Image.new("L", (8000, 8000), 90).save(out, "JPEG")
        return out.getvalue()


@dataclass
class Release:
    """A small COCO: ids of pictures by set, and the captions of each, drawn from a seed."""

    year: str = "2014"
    seed: int = 1
    ids: Mapping[str, tuple[int, ...]] = field(
        default_factory=lambda: {"train": (CORRUPT, 9, 57870, 318219), "val": (391895, 42, 522418)}
    )
    instead: Mapping[str, bytes] = field(
        default_factory=dict
    )  # name of a picture -> other bytes in its archive

    def name(self, split: str, id: int) -> str:
        return f"COCO_{split}2014_{id:012d}.jpg" if self.year == "2014" else f"{id:012d}.jpg"

    def path(self, split: str, id: int) -> str:
        return f"{split}{self.year}/{self.name(split, id)}"

    def picture(self, split: str, id: int) -> bytes:
        mode = "L" if id % 3 == 0 else "RGB"  # some pictures of COCO have one channel
        return picture(id, mode, (40 + id % 31, 30 + id % 17))

    def pictures(self, split: str) -> dict[str, bytes]:
        """What the archive of a set holds."""
        named = {self.path(split, id): self.picture(split, id) for id in self.ids[split]}
        return {path: self.instead.get(path.rpartition("/")[2], data) for path, data in named.items()}

    def captions(self, split: str) -> dict[str, Any]:
        """`captions_<split><year>.json`, annotations in no order of their pictures."""
        draw = random.Random(f"{self.seed}{split}")
        annotations = [
            {"image_id": id, "id": 0, "caption": self._caption(draw)}
            for id in self.ids[split]
            for _ in range(5 + (id % 7 == 0))
        ]
        draw.shuffle(annotations)
        for number, annotation in enumerate(annotations, 1):
            annotation["id"] = number
        return self._document(split) | {"annotations": annotations}

    def _caption(self, draw: random.Random) -> str:
        words = [*draw.choices(SAID.split(), k=draw.randint(3, 24)), f"rare{draw.randrange(60)}"]
        draw.shuffle(words)
        return " ".join(words).capitalize() + draw.choice([".", ". ", " !", ""])

    def _document(self, split: str) -> dict[str, Any]:
        return {
            "info": {"description": "This is stable 1.0 version of the 2014 MS COCO dataset.", "year": 2014},
            "images": [
                {
                    "license": 3,
                    "file_name": self.name(split, id),
                    "coco_url": f"http://mscoco.org/images/{id}",
                    "height": 360,
                    "width": 640,
                    "date_captured": "2013-11-14 11:18:45",
                    "flickr_url": "http://farm9.staticflickr.com/8186/8119368305_4e622c8349_z.jpg",
                    "id": id,
                }
                for id in self.ids[split]
            ],
            "licenses": [
                {"url": "http://creativecommons.org/licenses/by-nc-sa/2.0/", "id": 1, "name": "BY-NC-SA"}
            ],
        }

    def annotations(self) -> dict[str, bytes]:
        """What annotations_trainval<year>.zip holds."""
        found = {}
        for split in ("train", "val"):
            for what in ("instances", "person_keypoints"):
                document = self._document(split) | {"annotations": [], "categories": []}
                found[f"annotations/{what}_{split}{self.year}.json"] = json.dumps(document).encode()
            text = json.dumps(self.captions(split), ensure_ascii=False)
            found[f"annotations/captions_{split}{self.year}.json"] = text.encode()
        return found

    def things(self) -> dict[str, Answer]:
        """Path at a mirror -> archive."""
        table: dict[str, Answer] = {
            f"{S3}/zips/{split}{self.year}.zip": Thing(zip_of(self.pictures(split))) for split in self.ids
        }
        annotations = f"{S3}/annotations/annotations_trainval{self.year}.zip"
        table[annotations] = Thing(zip_of(self.annotations(), deflate=True))
        return table

    def raw(self) -> list[dict[str, Any]]:
        """coco_raw.json by the rules of NeuralTalk2's notebook: val first, captions in the order of their file."""
        found = []
        for split in ("val", "train"):
            document = self.captions(split)
            for image in document["images"]:
                said = [one["caption"] for one in document["annotations"] if one["image_id"] == image["id"]]
                path = self.path(split, image["id"])
                found.append({"file_path": path, "id": image["id"], "captions": said})
        return found


def recipe_without_sums(folder: Path, name: str = "mscoco") -> Path:
    """A registry with the recipe that ships, but for sizes and checksums, which no test could meet."""
    folder.mkdir(exist_ok=True)
    text = (builtin() / f"{name}.yaml").read_text()
    text = re.sub(r"^    checksums:\n(      .*\n)+|^    size: .*\n", "", text, flags=re.MULTILINE)
    (folder / f"{name}.yaml").write_text(text)
    for sums in builtin().glob(f"{name}.*5"):
        (folder / sums.name).write_bytes(sums.read_bytes())
    return folder


def get(server: FaultServer, root: Path, *more: str, name: str = "mscoco") -> Ended:
    registry = recipe_without_sums(root.parent / "recipes", name)
    where = ("-o", str(root), "--registry", str(registry))
    return datafetch_(
        "get", name, "--mirror", server.url, "--mirror-only", "--json", *where, *more, cwd=root.parent
    )
