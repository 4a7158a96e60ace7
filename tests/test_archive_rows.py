"""Parquet tables as archives: names, numbers, damage, and every rule of safe extraction."""

from __future__ import annotations

import io
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from archives import mask, picture
from pyarrow import parquet
from tables import FEATURES, STRINGS, Row, schema_of, table_of

from datafetch.archive.members import Limits
from datafetch.archive.open import open_archive
from datafetch.errors import DamagedArchive, LayoutMismatch, UnsafeArchive

ROWS = (("image", "pictures/<label>/<n>.<ext>"), ("mask", "masks/<label>/<n>.<ext>"))
BOTH = ROWS
ONE = ROWS[:1]
JPG, PNG = picture(1), picture(2, form="PNG")


def written(folder: Path, *tables: bytes) -> list[Path]:
    paths = [folder / f"table-{k}.parquet" for k in range(len(tables))]
    for path, data in zip(paths, tables, strict=True):
        path.write_bytes(data)
    return paths


def members(
    folder: Path,
    *tables: bytes,
    rows: Sequence[tuple[str, str]] = BOTH,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> dict[str, bytes]:
    """Name -> bytes of every member, each read as extraction does."""
    with open_archive(written(folder, *tables), limits, rows) as archive:
        return {member.name: b"".join(archive.read(member)) for member in archive.members}


# --- Names and numbers -----------------------------------------------------------------------------------------------


def test_rows_of_a_class_are_numbered_in_their_order_and_a_mask_bears_the_number_of_its_picture(
    tmp_path: Path,
) -> None:
    rows: list[Row] = [(JPG, None, "b"), (picture(3), mask(1), "a"), (picture(4), mask(2), "b")]
    assert members(tmp_path, table_of(rows)) == {
        "pictures/b/0.jpg": JPG,
        "pictures/a/0.jpg": picture(3),
        "masks/a/0.jpg": mask(1),
        "pictures/b/1.jpg": picture(4),
        "masks/b/1.jpg": mask(2),
    }


def test_numbers_go_on_from_one_table_to_the_next(tmp_path: Path) -> None:
    rows: list[Row] = [(picture(k), None, "ab"[k % 2]) for k in range(9)]
    cut = (table_of(rows[:4]), table_of(rows[4:5]), table_of([]), table_of(rows[5:]))
    assert members(tmp_path, *cut) == members(tmp_path, table_of(rows))
    assert members(tmp_path, *cut)["pictures/b/3.jpg"] == picture(7)


def test_an_ending_fits_the_bytes_and_a_mask_takes_that_of_its_picture(tmp_path: Path) -> None:
    webp, gif = picture(5, form="WEBP"), picture(6, form="GIF")
    rows: list[Row] = [(JPG, PNG, "a"), (PNG, JPG, "a"), (webp, None, "a"), (gif, None, "a")]
    found = members(tmp_path, table_of(rows))
    assert list(found) == [
        *("pictures/a/0.jpg", "masks/a/0.jpg", "pictures/a/1.png", "masks/a/1.png"),
        *("pictures/a/2.webp", "pictures/a/3.gif"),
    ]
    assert (found["masks/a/0.jpg"], found["masks/a/1.png"]) == (PNG, JPG)


def test_a_class_label_is_its_name_by_the_note_of_the_hub(tmp_path: Path) -> None:
    label = {"names": ["mugs_blue", "totes"], "_type": "ClassLabel"}
    schema = schema_of(pa.int64(), FEATURES | {"label": label})
    found = members(tmp_path, table_of([(JPG, None, 1), (PNG, None, 0)], schema))
    assert list(found) == ["pictures/totes/0.jpg", "pictures/mugs_blue/0.png"]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_words_may_be_stored_in_any_way(tmp_path: Path, kind: pa.DataType) -> None:
    rows: list[Row] = [(JPG, None, "B.DФmpi"), (PNG, None, "B.DФmpi")]
    found = members(tmp_path, table_of(rows, schema_of(kind)))
    assert list(found) == ["pictures/B.DФmpi/0.jpg", "pictures/B.DФmpi/1.png"]


def test_a_column_of_plain_bytes_and_a_column_that_names_rows_need_no_python_either(tmp_path: Path) -> None:
    out = io.BytesIO()
    parquet.write_table(pa.table({"photo": pa.array([JPG, PNG], pa.large_binary()), "id": ["x", "y"]}), out)
    assert members(tmp_path, out.getvalue(), rows=[("photo", "<id>.<ext>")]) == {"x.jpg": JPG, "y.png": PNG}


def test_members_are_read_in_any_order_and_large_ones_in_pieces(tmp_path: Path) -> None:
    large = JPG + bytes(range(256)) * 10_000
    rows: list[Row] = [(picture(k), large if k == 3 else mask(k), "a") for k in range(8)]
    with open_archive(written(tmp_path, table_of(rows[:3]), table_of(rows[3:])), rows=BOTH) as archive:
        data = {member.name: b"".join(archive.read(member)) for member in reversed(archive.members)}
        wanted = next(member for member in archive.members if member.name == "masks/a/3.jpg")
        assert [len(piece) for piece in archive.read(wanted)] == [1 << 20, 1 << 20, len(large) - (2 << 20)]
    assert data == members(tmp_path, table_of(rows))


# --- Refused ---------------------------------------------------------------------------------------------------------

LABELS = ("a/b", "../evil", "..", ".", "", "/etc", "C:evil", "a\\b", "a\0b", "x" * 256, "./a")


@pytest.mark.parametrize("label", LABELS)
def test_a_label_that_is_not_a_single_name_is_refused(tmp_path: Path, label: str) -> None:
    rows: list[Row] = [(JPG, None, "fine"), (JPG, None, label)]
    with pytest.raises(UnsafeArchive, match=r"row 1 of table-0\.parquet, column label") as refused:
        members(tmp_path, table_of(rows))
    assert not isinstance(refused.value, DamagedArchive)


def test_labels_that_differ_in_letter_case_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafeArchive, match="one name, letter case"):
        members(tmp_path, table_of([(JPG, None, "mugs"), (PNG, None, "Mugs"), (JPG, None, "Mugs")]))


@pytest.mark.parametrize(
    ("schema", "label"),
    [
        (STRINGS, None),
        (schema_of(pa.int64(), FEATURES | {"label": {"names": ["a"], "_type": "ClassLabel"}}), 1),
        (schema_of(pa.int64(), FEATURES | {"label": {"names": ["a"], "_type": "ClassLabel"}}), -1),
    ],
    ids=["null", "beyond", "unlabelled"],
)
def test_a_row_without_a_label_is_refused(tmp_path: Path, schema: pa.Schema, label: object) -> None:
    with pytest.raises(UnsafeArchive, match=r"row 0 of table-0\.parquet has no label"):
        members(tmp_path, table_of([(JPG, None, label)], schema))


@pytest.mark.parametrize("kind", [pa.int64(), pa.binary(), pa.list_(pa.string())], ids=str)
def test_labels_that_are_no_words_are_a_mismatch_of_the_recipe(tmp_path: Path, kind: pa.DataType) -> None:
    with pytest.raises(LayoutMismatch, match=r"no column label of words; it holds image .struct"):
        members(tmp_path, table_of([], schema_of(kind)))


@pytest.mark.parametrize("column", ["photo", "label", "scene_type"])
def test_a_column_that_is_absent_or_holds_no_bytes_is_a_mismatch_of_the_recipe(
    tmp_path: Path, column: str
) -> None:
    with pytest.raises(LayoutMismatch, match=f"no column {column} of pictures") as wrong:
        members(tmp_path, table_of([(JPG, None, "a")]), rows=[(column, "<label>/<n>.<ext>")])
    assert wrong.value.exit_code == 2 and "`rows`" in wrong.value.hint


@pytest.mark.parametrize("data", [None, b"", b"<html>", b"\xff\xd8"], ids=["null", "empty", "page", "cut"])
def test_a_row_without_a_picture_is_damage(tmp_path: Path, data: bytes | None) -> None:
    with pytest.raises(DamagedArchive, match=r"row 1 of table-0\.parquet"):
        members(tmp_path, table_of([(JPG, None, "a"), (data, None, "a")]))


def test_a_mask_that_is_no_picture_is_damage(tmp_path: Path) -> None:
    with pytest.raises(DamagedArchive, match="holds no picture as mask"):
        members(tmp_path, table_of([(JPG, b"not found", "a")]))


NO_TABLES = {
    "a page": (b"<!doctype html><title>Sign in</title>", "it is a web page"),
    "a pointer of Git LFS": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
        "a pointer of Git LFS",
    ),
    "nothing": (b"", "it is empty"),
    "zeros": (bytes(4096), "begins with zeros"),
    "an encrypted table": (b"PARE" + bytes(64), "not a parquet file"),
    "a head alone": (b"PAR1", "is damaged"),
    "a footer that says it is larger than the file": (b"PAR1" + b"\xff\xff\xff\x7fPAR1", "is damaged"),
}


@pytest.mark.parametrize("name", NO_TABLES)
def test_what_is_no_table_is_damage_and_says_what_it_is(tmp_path: Path, name: str) -> None:
    data, words = NO_TABLES[name]
    with pytest.raises(DamagedArchive, match=words) as damage:
        members(tmp_path, data)
    assert "\n" not in str(damage.value)


def test_a_table_without_rows_in_its_recipe_says_what_is_lacking(tmp_path: Path) -> None:
    with pytest.raises(UnsafeArchive, match="needs `rows` in its recipe"):
        members(tmp_path, table_of([(JPG, None, "a")]), rows=())


GOOD: tuple[Row, ...] = tuple((picture(k), mask(k), f"class_{k % 3}") for k in range(12))


def test_a_table_cut_anywhere_is_damage(tmp_path: Path) -> None:
    data = table_of(GOOD)
    for end in range(4, len(data), max(1, len(data) // 97)):
        with pytest.raises(DamagedArchive):
            members(tmp_path, data[:end])


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
def test_a_flipped_bit_is_found_by_the_checksums_of_pages(tmp_path: Path, compression: str) -> None:
    """Wherever it lies, the result is damage, a refusal, or the very bytes: never others."""
    data, wrong = table_of(GOOD, compression=compression), []
    good = members(tmp_path, data)
    for at in range(0, len(data), max(1, len(data) // 199)):
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 8
        try:
            found = members(tmp_path, bytes(flipped))
        except (UnsafeArchive, LayoutMismatch):
            continue
        if found != good:
            wrong.append(at)
    assert not wrong


def test_without_checksums_of_pages_a_flipped_bit_never_ends_in_another_error(tmp_path: Path) -> None:
    data = table_of(GOOD, checksums=False)
    for at in range(0, len(data), max(1, len(data) // 199)):
        flipped = bytearray(data)
        flipped[at] ^= 0x80
        try:
            members(tmp_path, bytes(flipped))
        except (UnsafeArchive, LayoutMismatch) as refused:
            assert "\n" not in str(refused)


def test_a_damaged_footer_never_ends_the_process(tmp_path: Path) -> None:
    """pyarrow 26 aborts when it is asked for a column's metadata and the schema in the footer has changed a bit."""
    path = written(tmp_path, table_of(GOOD[:2]))[0]
    code = (
        "import sys, pathlib\n"
        "from datafetch.archive.open import open_archive\n"
        "from datafetch.errors import LayoutMismatch, UnsafeArchive\n"
        "path = pathlib.Path(sys.argv[1]); data = path.read_bytes()\n"
        "start = len(data) - 8 - int.from_bytes(data[-8:-4], 'little')\n"
        "for at in range(start, start + 130):\n"
        "    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])\n"
        "    try:\n"
        f"        with open_archive(path, rows={BOTH!r}) as archive:\n"
        "            for member in archive.members: b''.join(archive.read(member))\n"
        "    except (LayoutMismatch, UnsafeArchive): pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# --- Limits ----------------------------------------------------------------------------------------------------------


def bomb_of_zeros() -> bytes:
    """One value that unpacks to a thousand times its size."""
    return table_of([(JPG + bytes(1 << 21), None, "a")], compression="zstd")


def bomb_of_a_dictionary() -> bytes:
    """One picture, stored once, that a thousand rows name: sizes in the footer are those of one."""
    return table_of([(JPG + bytes(40_000), None, "a")] * 1000, compression="none", group=1000)


@pytest.mark.parametrize("make", [bomb_of_zeros, bomb_of_a_dictionary])
def test_a_bomb_is_refused(tmp_path: Path, make: Callable[[], bytes]) -> None:
    with pytest.raises(UnsafeArchive, match="more than 250 times") as refused:
        members(tmp_path, make(), limits=Limits(ratio_from=1 << 16))
    assert "bomb" in refused.value.hint


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(members=11), "more than 11 members"),
        (Limits(member_bytes=100), r"row 0 of table-0\.parquet unpacks to"),
        (Limits(total_bytes=6000), "the table unpacks to"),
    ],
)
def test_too_much_is_refused_while_it_is_counted(tmp_path: Path, limits: Limits, words: str) -> None:
    rows = [(JPG, None, "a")] * 12  # the footer speaks of one picture
    with pytest.raises(UnsafeArchive, match=words):
        members(tmp_path, table_of(rows, group=12), limits=limits)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """A table of many groups is read within what one of them takes."""
    noise = itertools.count()
    rows: list[Row] = [(JPG + next(noise).to_bytes(4) * 25_000, None, f"c{k % 7}") for k in range(400)]
    path = written(tmp_path, table_of(rows, group=10, compression="none", dictionary=False))[0]
    assert path.stat().st_size > 39_000_000
    code = (
        "import sys, pathlib, pyarrow\n"
        "from datafetch.archive.open import open_archive\n"
        f"with open_archive(pathlib.Path(sys.argv[1]), rows={ONE!r}) as archive:\n"
        "    total = sum(len(piece) for member in archive.members for piece in archive.read(member))\n"
        "print(total, pyarrow.default_memory_pool().max_memory())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    total, most = map(int, done.stdout.split())
    assert total == sum(len(image or b"") for image, _, _ in rows)
    assert most < 8_000_000


def test_a_note_of_the_hub_that_is_no_note_is_ignored(tmp_path: Path) -> None:
    for note in ("{", "[]", '{"info": 1}', json.dumps({"info": {"features": {"label": {"names": [1]}}}})):
        schema = STRINGS.with_metadata({"huggingface": note})
        assert list(members(tmp_path, table_of([(JPG, None, "a")], schema))) == ["pictures/a/0.jpg"]
