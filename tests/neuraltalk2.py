"""NeuralTalk2's preparation once more, small and whole in memory: the judge of ours, which shares no code with it."""

from __future__ import annotations

import json
import random
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

LABELS = ("labels", "label_start_ix", "label_end_ix", "label_length", "images")


@dataclass
class Files:
    """What a trainer loads: the JSON, and the arrays of the HDF5 file."""

    info: dict[str, Any]
    arrays: dict[str, Any]

    @classmethod
    def load(cls, stem: Path) -> Files:
        with h5py.File(stem.with_name(stem.name + ".h5"), "r") as file:
            arrays = {name: file[name][:] for name in file}
        return cls(json.loads(stem.with_name(stem.name + ".json").read_bytes()), arrays)

    def sentences(self, image: int) -> list[str]:
        """The captions of an image as the loader's Lua indexes them: from start to end, counted from 1."""
        words = self.info["ix_to_word"]
        first, last = (int(self.arrays[f"label_{end}_ix"][image]) for end in ("start", "end"))
        rows = self.arrays["labels"][first - 1 : last]
        return [" ".join(words[str(number)] for number in row if number) for row in rows]

    def agrees_with(self, other: Files) -> None:
        assert self.info == other.info
        assert self.arrays.keys() == other.arrays.keys() == set(LABELS)
        for name in LABELS:
            mine, theirs = self.arrays[name], other.arrays[name]
            assert mine.dtype == theirs.dtype and mine.shape == theirs.shape, name
            assert np.array_equal(mine, theirs), name


def prepare(
    raw: list[dict[str, Any]], root: Path, num_val: int, num_test: int, threshold: int = 5, longest: int = 16
) -> Files:
    images = list(raw)
    random.seed(123)
    random.shuffle(images)
    drop = {ord(sign): None for sign in string.punctuation}
    said = [[s.lower().translate(drop).strip().split() for s in image["captions"]] for image in images]
    often: dict[str, int] = {}
    for word in (word for captions in said for caption in captions for word in caption):
        often[word] = often.get(word, 0) + 1
    words = [word for word, times in often.items() if times > threshold]
    if len(words) < len(often):
        words.append("UNK")
    number = {word: at for at, word in enumerate(words, 1)}
    rows, lengths, starts, ends = [], [], [], []
    for captions in said:
        assert captions and all(captions)
        starts.append(len(rows) + 1)
        for caption in captions:
            cut = [number.get(word, number.get("UNK")) for word in caption][:longest]
            rows.append(cut + [0] * (longest - len(cut)))
            lengths.append(len(cut))
        ends.append(len(rows))
    splits = ["val"] * num_val + ["test"] * num_test + ["train"] * len(images)
    info = {
        "ix_to_word": {str(at): word for word, at in number.items()},
        "images": [
            {"split": split} | {key: image[key] for key in ("file_path", "id") if key in image}
            for split, image in zip(splits, images, strict=False)
        ],
    }
    arrays = {
        "labels": np.array(rows, "uint32"),
        "label_start_ix": np.array(starts, "uint32"),
        "label_end_ix": np.array(ends, "uint32"),
        "label_length": np.array(lengths, "uint32"),
        "images": np.stack([pixels(root / image["file_path"]) for image in images]),
    }
    return Files(info, arrays)


def pixels(path: Path) -> Any:
    """What `imresize(imread(path), (256, 256))` gave: bilinear, and a grey picture three times."""
    small = np.asarray(Image.open(path).resize((256, 256), Image.Resampling.BILINEAR))
    if small.ndim == 2:
        small = np.stack((small,) * 3, axis=2)
    return small.transpose(2, 0, 1)
