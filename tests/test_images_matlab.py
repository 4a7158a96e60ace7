"""Tables in MATLAB files: what is read of them, and what damage does."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matlab import element, matrix, structs

from datafetch.errors import BadList
from datafetch.images.rows import Row, read

SYNSETS: list[dict[str, int | str | list[int]]] = [
    {"ILSVRC2012_ID": 1, "WNID": "n02119789", "words": "kit fox, Vulpes macrotis", "children": []},
    {"ILSVRC2012_ID": 1000, "WNID": "n04399382", "words": "teddy, café", "children": [3, 4]},
]


@pytest.mark.parametrize("packed", [True, False])
def test_structs_are_rows_with_their_numbers_and_texts(tmp_path: Path, packed: bool) -> None:
    file = tmp_path / "meta.mat"
    file.write_bytes(structs(SYNSETS, packed=packed))
    assert list(read(file, "matlab", ())) == [
        Row(1, {"ILSVRC2012_ID": "1", "WNID": "n02119789", "words": "kit fox, Vulpes macrotis"}),
        Row(2, {"ILSVRC2012_ID": "1000", "WNID": "n04399382", "words": "teddy, café"}),
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "level 5"),
        (b"<html>" + bytes(200), "level 5"),
        (structs(SYNSETS)[:128], "no array of structs"),
        (structs(SYNSETS)[:-9], "ends in the middle"),
        (structs(SYNSETS, packed=False)[:-9], "ends in the middle"),
        (structs(SYNSETS)[:128] + matrix(6, (1, 1), "x"), "no array of structs"),
    ],
)
def test_what_is_no_table_is_one_clear_error(tmp_path: Path, data: bytes, said: str) -> None:
    file = tmp_path / "meta.mat"
    file.write_bytes(data)
    with pytest.raises(BadList, match=f"meta.mat: not a MATLAB table: .*{said}"):
        list(read(file, "matlab", ()))


BEFORE = structs(SYNSETS)[:128]
NO_FIELDS = (element(5, struct.pack("<i", 32)), element(1, b""))


@pytest.mark.parametrize(
    ("shape", "fields", "said"),
    [
        ((2**31 - 1, 2**31 - 1), NO_FIELDS, "structs without fields"),
        ((1, 1), NO_FIELDS, "structs without fields"),
        (
            (-1, -1),
            (NO_FIELDS[0], element(1, b"a".ljust(32, b"\0")), matrix(6, (1, 1), "")),
            "dimension of -1",
        ),
    ],
)
def test_no_more_structs_come_than_the_file_has_bytes_for(
    tmp_path: Path, shape: tuple[int, int], fields: tuple[bytes, ...], said: str
) -> None:
    """A struct array without fields needs no value for its structs: 208 bytes with the largest dimensions gave rows
    for ever.
    """
    file = tmp_path / "meta.mat"
    file.write_bytes(BEFORE + matrix(2, shape, "x", *fields))
    with pytest.raises(BadList, match=f"not a MATLAB table: .*{said}"):
        next(read(file, "matlab", ()))


@given(at=st.integers(128, 900), byte=st.integers(0, 255), packed=st.booleans())
def test_a_changed_byte_never_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int, packed: bool
) -> None:
    data = bytearray(structs(SYNSETS, packed=packed))
    data[at % len(data)] = byte
    file = tmp_path_factory.getbasetemp() / "changed.mat"
    file.write_bytes(data)
    try:
        rows = list(read(file, "matlab", ()))
    except BadList:
        return
    assert all(isinstance(row, Row) for row in rows)
