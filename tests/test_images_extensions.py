"""Pictures named by what their bytes are: which endings, and what a run that is killed in between leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from archives import picture

from datafetch.images.extensions import REMEMBERED, Extensions, sniff


@pytest.mark.parametrize(
    ("form", "ext"),
    [("JPEG", "jpg"), ("PNG", "png"), ("GIF", "gif"), ("WEBP", "webp"), ("BMP", "bmp"), ("TIFF", "tif")],
)
def test_an_ending_is_that_of_the_bytes(form: str, ext: str) -> None:
    assert sniff(picture(1, form=form)[:16]) == ext


@pytest.mark.parametrize(
    ("head", "ext"),
    [
        (b"\0\0\0\x20ftypavif\0\0\0\0", "avif"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"),
        (b"<html>", ""),
        (b"", ""),
    ],
)
def test_rarer_beginnings(head: bytes, ext: str) -> None:
    assert sniff(head) == ext


def staged(folder: Path) -> Path:
    staging = folder / "staging"
    (staging / "d/n1").mkdir(parents=True)
    (staging / "d/n1/1.jpg").write_bytes(picture(1, form="PNG"))
    (staging / "d/n1/2.jpg").write_bytes(picture(2))
    return staging


PATHS = ("d/n1/1.jpg", "d/n1/2.jpg", "d/n1/3.jpg")


def names(staging: Path) -> set[str]:
    return {path.name for path in (staging / "d/n1").iterdir()}


def test_what_is_named_once_is_remembered(tmp_path: Path) -> None:
    staging = staged(tmp_path)
    known = Extensions(tmp_path / "journal")
    known.give(staging, PATHS, lambda: ())
    assert names(staging) == {"1.png", "2.jpg"}
    for each in (known, Extensions(tmp_path / "journal")):
        assert [each.named(path) for path in PATHS] == ["d/n1/1.png", "d/n1/2.jpg", "d/n1/3.jpg"]


def test_a_run_that_was_killed_before_it_renamed_is_finished(tmp_path: Path) -> None:
    staging = staged(tmp_path)
    Extensions(tmp_path / "journal").give(staging, PATHS, lambda: ())
    (staging / "d/n1/1.png").rename(staging / "d/n1/1.jpg")
    with (tmp_path / "journal" / REMEMBERED).open("ab") as file:
        file.write(b'{"path":"d/n1/2.j')
    known = Extensions(tmp_path / "journal")
    known.go_on(staging)
    known.go_on(staging)
    assert names(staging) == {"1.png", "2.jpg"} and known.named("d/n1/2.jpg") == "d/n1/2.jpg"


def test_a_picture_that_was_published_under_a_name_keeps_it(tmp_path: Path) -> None:
    staging = staged(tmp_path)
    known = Extensions(tmp_path / "journal")
    known.give(staging, PATHS, lambda: ["d/n1/1.jpg"])
    assert names(staging) == {"1.jpg", "2.jpg"} and known.named(PATHS[0]) == PATHS[0]
