"""The manifest: what is written is read, sorted by bytes; the digest is that of `sha256sum` lines."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.errors import Damaged
from datafetch.layout import manifest
from datafetch.model import FileRecord


def record(path: str, **more: object) -> FileRecord:
    sha256 = hashlib.sha256(path.encode()).hexdigest()
    return FileRecord(path, len(path), sha256, "https://host.example/a.zip", "2026-01-01T00:00:00Z", **more)  # type: ignore[arg-type]


ODD = [
    "pods/a b/0_A <new1>.jpg",
    "pods/\U0001f600",
    "pods/\uffee",
    "pods/FБli",
    "pods/u\u0308",
    "pods/ü",
    "pods/n\n\\",
]


def test_what_is_written_is_read_sorted_by_path_bytes(tmp_path: Path) -> None:
    records = [record(path, artifact="real", member=f"m/{path}") for path in ODD]
    records.append(record("pods/i.jpg", width=640, height=480))
    random.Random(7).shuffle(records)
    manifest.write(tmp_path / "state" / "manifest.jsonl", records)
    found = manifest.read(tmp_path / "state" / "manifest.jsonl")
    assert found == sorted(records, key=lambda r: r.path.encode())
    assert manifest.sizes(tmp_path / "state" / "manifest.jsonl") == {r.path: r.size for r in records}


def test_a_line_is_plain_json_with_the_fields_of_the_contract(tmp_path: Path) -> None:
    manifest.write(tmp_path / "m", [record("pods/0.jpg")])
    (line,) = (tmp_path / "m").read_text().splitlines()
    assert list(json.loads(line)) == ["path", "size", "sha256", "url", "fetched_at"]


def test_no_manifest_holds_no_records(tmp_path: Path) -> None:
    assert manifest.read(tmp_path / "none") == []
    assert manifest.sizes(tmp_path / "none") == {}
    assert list(manifest.salvage(tmp_path / "none")) == []


@pytest.mark.parametrize("line", ["{", '{"path": 1}', "", "\x00", '{"path": "a", "size": "x"}'])
def test_a_damaged_manifest_is_told_and_salvaged(tmp_path: Path, line: str) -> None:
    manifest.write(tmp_path / "m", [record("pods/0.jpg")])
    with open(tmp_path / "m", "a") as file:
        file.write(line + "\n")
    with pytest.raises(Damaged, match="not a manifest"):
        manifest.read(tmp_path / "m")
    assert list(manifest.salvage(tmp_path / "m")) == [record("pods/0.jpg")]


def test_a_failed_write_leaves_the_old_manifest(tmp_path: Path) -> None:
    manifest.write(tmp_path / "m", [record("pods/0.jpg")])
    with pytest.raises(UnicodeEncodeError):
        manifest.write(tmp_path / "m", [record("pods/1.jpg"), record("pods/2.jpg", member="\ud800")])
    assert manifest.read(tmp_path / "m") == [record("pods/0.jpg")]
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_the_tree_digest_is_that_of_sha256sum_lines() -> None:
    lines = [f"{record(path).sha256}  {path}\n".encode() for path in sorted(ODD, key=str.encode)]
    assert manifest.tree_digest(map(record, ODD)) == hashlib.sha256(b"".join(lines)).hexdigest()


@given(st.permutations(ODD))
def test_the_tree_digest_does_not_heed_order(paths: list[str]) -> None:
    assert manifest.tree_digest(map(record, paths)) == manifest.tree_digest(map(record, ODD))


@given(st.sampled_from(ODD), st.sampled_from(["size", "path", "sha256"]))
def test_the_tree_digest_sees_another_name_and_another_hash(path: str, field: str) -> None:
    from dataclasses import replace

    records = [record(p) for p in ODD]
    changed = [
        replace(r, **{field: {"size": 1, "path": "pods/other", "sha256": "0" * 64}[field]})  # type: ignore[arg-type]
        if r.path == path
        else r
        for r in records
    ]
    same = manifest.tree_digest(changed) == manifest.tree_digest(records)
    assert same == (field == "size")
