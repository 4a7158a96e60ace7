"""Makers of parquet files as the hub has them: columns, nested types and notes in the schema."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from functools import cache

import pyarrow as pa
from archives import PODS_CLASSES, mask, picture
from pyarrow import parquet
from server import Thing

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
FEATURES = {
    "image": {"_type": "Image"},
    "mask": {"_type": "Image"},
    "label": {"dtype": "string", "_type": "Value"},
    "scene_type": {"dtype": "string", "_type": "Value"},
}
JPEG = b"\xff\xd8\xff"
Row = tuple[bytes | None, bytes | None, object]  # picture, mask, label


def schema_of(label: pa.DataType, features: Mapping[str, object] = FEATURES) -> pa.Schema:
    """The schema of chaenayo/PODS, with the note that the hub's library leaves."""
    fields = [("image", IMAGE), ("mask", IMAGE), ("label", label), ("scene_type", pa.string())]
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": features}})})


STRINGS = schema_of(pa.string())


def table_of(
    rows: Sequence[Row],
    schema: pa.Schema = STRINGS,
    *,
    scene: str = "train",
    group: int = 2,
    compression: str = "snappy",
    checksums: bool = True,
    dictionary: bool = True,
) -> bytes:
    """A well-formed parquet file in groups of so many rows."""
    columns = {
        "image": [_image(image) for image, _, _ in rows],
        "mask": [_image(each) for _, each, _ in rows],
        "label": [label for _, _, label in rows],
        "scene_type": [scene for _ in rows],
    }
    out = io.BytesIO()
    parquet.write_table(
        pa.table(columns, schema=schema),
        out,
        row_group_size=group,
        compression=compression,
        write_page_checksum=checksums,
        use_dictionary=dictionary,
    )
    return out.getvalue()


def _image(data: bytes | None) -> dict[str, object] | None:
    return None if data is None else {"bytes": data, "path": None}


# --- The copy of PODS on the hub, small ---------------------------------------------------------------------

REVISION = "ea9cf70703a352548cb7525602fdfc07bcab5891"
HUB = f"/huggingface.co/datasets/chaenayo/PODS/resolve/{REVISION}/data"
TESTS = tuple(f"test-0000{k}-of-00003.parquet" for k in range(3))


@cache
def splits() -> Mapping[str, tuple[Row, ...]]:
    """File of the copy -> its rows. Classes go on from one part of the test split to the next, in no order."""
    dense_form = {True: "PNG", False: "JPEG"}
    found = {
        "train-00000-of-00001.parquet": tuple(
            (picture(k * 10 + c), mask(k, "PNG"), name)
            for c, name in enumerate(PODS_CLASSES)
            for k in range(3)
        ),
        "test_dense-00000-of-00001.parquet": tuple(
            (picture(500 + k * 10 + c, form=dense_form[k == 1]), mask(k, "PNG"), name)
            for k in range(2)
            for c, name in enumerate(PODS_CLASSES)
        ),
    }
    rows = [(picture(900 + k), None, PODS_CLASSES[int(c)]) for k, c in enumerate("0112012120011")]
    return found | dict(zip(TESTS, (tuple(rows[:5]), tuple(rows[5:6]), tuple(rows[6:])), strict=True))


@cache
def things() -> Mapping[str, Thing]:
    """The files of the copy by the path at which a mirror serves them."""
    return {f"{HUB}/{name}": Thing(table_of(rows)) for name, rows in splits().items()}


@cache
def expected() -> Mapping[str, bytes]:
    """Path below the output directory -> bytes, worked out without any code of the program."""
    found: dict[str, bytes] = {}
    for split, names in (
        ("train", ["train-00000-of-00001.parquet"]),
        ("test", list(TESTS)),
        ("test_dense", ["test_dense-00000-of-00001.parquet"]),
    ):
        seen: dict[object, int] = {}
        for image, its_mask, label in (row for name in names for row in splits()[name]):
            assert image is not None
            number = seen[label] = seen.get(label, -1) + 1
            name = f"{number}.{'jpg' if image.startswith(JPEG) else 'png'}"
            found[f"pods/{split}/{label}/{name}"] = image
            if its_mask is not None:
                masked = f"{number}.jpg" if split == "train" else name
                found[f"pods/{split}_masks/{label}/{masked}"] = its_mask
    return found
