"""A tar of tars: its inner tars are folders, every rule of an archive holds for them, and no name leads out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from archives import picture, tar_of, zip_of
from hypothesis import given
from hypothesis import strategies as st

from datafetch.archive.open import open_archive
from datafetch.errors import UnsafeArchive

WNIDS = ("n01440764", "n01443537")
INNER = {wnid: {f"{wnid}_{k}.JPEG": picture(at * 9 + k) for k in range(3)} for at, wnid in enumerate(WNIDS)}


def members(path: Path, data: bytes) -> dict[str, bytes]:
    path.write_bytes(data)
    with open_archive(path, nested=True) as opened:
        return {member.name: b"".join(opened.read(member)) for member in opened.members if not member.is_dir}


def nest(inner: Mapping[str, Mapping[str, bytes]]) -> bytes:
    return tar_of({f"{name}.tar": tar_of(tree) for name, tree in inner.items()})


def test_each_inner_tar_is_a_folder_named_like_it(tmp_path: Path) -> None:
    found = members(tmp_path / "train.tar", nest(INNER))
    assert found == {f"{wnid}/{name}": data for wnid, tree in INNER.items() for name, data in tree.items()}


def test_what_is_no_tar_stays_as_it_is_and_a_tar_two_levels_deep_is_not_opened(tmp_path: Path) -> None:
    deep = tar_of({"b.tar": tar_of({"c": b"x"})})
    found = members(tmp_path / "t", tar_of({"readme.txt": b"hello", "a.tar": deep}))
    assert found == {"readme.txt": b"hello", "a/b.tar": tar_of({"c": b"x"})}


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a/../../../x"])
def test_no_inner_name_leads_out(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafeArchive, match=r"n1\.tar"):
        members(tmp_path / "t", tar_of({"n1.tar": tar_of({name: b"x"})}))


def test_two_inner_files_that_meet_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafeArchive):
        members(tmp_path / "t", tar_of({"n1.tar": tar_of({"A": b"1"}), "N1.tar": tar_of({"a": b"2"})}))


@given(st.integers(1, 10_000))
def test_an_inner_tar_that_is_cut_short_is_refused(cut: int) -> None:
    import tempfile

    whole = tar_of({"a": b"x" * 3000})
    with tempfile.TemporaryDirectory() as folder, pytest.raises(UnsafeArchive, match=r"n1\.tar"):
        members(
            Path(folder) / "t",
            tar_of({"n1.tar": whole[: -min(cut + 7168, len(whole) - 1)], "z": b"y" * 9999}),
        )


@pytest.mark.parametrize("data", [zip_of({"a.tar": b"x"}), tar_of({"a": b"x"}, "w:gz")])
def test_only_a_plain_tar_holds_tars(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UnsafeArchive, match="only a plain tar"):
        members(tmp_path / "t", data)
