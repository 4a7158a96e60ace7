"""An image counts only after a full decode, and a placeholder never counts."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from datafetch.demo import data
from datafetch.images.check import Checked, Limits, check, check_file
from datafetch.images.judge import Judge, Judged
from datafetch.images.placeholders import KNOWN, is_placeholder, leads_to_placeholder
from datafetch.model import UrlList, Why


def picture(format: str, mode: str = "RGB", side: int = 64, **options: object) -> bytes:
    image = Image.effect_noise((side, side // 2), 80).convert(mode)
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("format", "mode"), [("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "P"), ("WEBP", "RGB"), ("BMP", "L")]
)
def test_whole_images_pass_with_their_size(format: str, mode: str) -> None:
    assert check(picture(format, mode), Limits()) == Checked(64, 32)


def test_the_first_frame_of_an_animation_is_enough() -> None:
    frames = [Image.new("L", (8, 8), shade) for shade in (0, 100, 200)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    assert check(out.getvalue(), Limits()) == Checked(8, 8)


def test_an_image_turned_by_exif_is_measured_as_stored() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert check(picture("JPEG", exif=exif), Limits()) == Checked(64, 32)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_an_image_that_breaks_off_is_none(format: str) -> None:
    whole = picture(format)
    assert check(whole[: len(whole) // 2], Limits()) in (Why.SHORT, Why.NOT_AN_IMAGE)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>sorry</html>",
        b"\xff\xd8\xff\xe0",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"\0" * 999,
    ],
)
def test_what_is_no_image_is_none(body: bytes) -> None:
    assert check(body, Limits()) is Why.NOT_AN_IMAGE


def test_limits_hold_before_a_pixel_is_decoded() -> None:
    body = picture("PNG")
    assert check(body, Limits(max_pixels=1000)) is Why.TOO_LARGE
    assert check(body, Limits(max_bytes=len(body) - 1)) is Why.TOO_LARGE
    assert check(body, Limits(min_bytes=len(body) + 1)) is Why.TOO_SMALL
    assert check(b"", Limits()) is Why.TOO_SMALL


def test_a_bomb_of_pixels_is_refused_without_a_word_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    assert check(out.getvalue(), Limits()) is Why.TOO_LARGE
    assert capfd.readouterr().err == ""


def test_known_placeholders_are_told_by_digest_and_size() -> None:
    assert is_placeholder(data.placeholder())
    assert not is_placeholder(picture("PNG"))
    assert not is_placeholder(data.placeholder() + b"x")
    assert is_placeholder(b"x", ("9dd4e461268c8034f5c8564e155c67a6",)) and not is_placeholder(b"x")
    assert ("880a7a58e05d3e83797f27573bb6d35c", 2051) in [(sign.md5, sign.size) for sign in KNOWN]


@pytest.mark.parametrize(
    ("url", "leads"),
    [
        ("https://s.yimg.com/pw/images/en-us/photo_unavailable.png", True),
        ("http://127.0.0.1:8/s.yimg.com/pw/images/en-us/photo_unavailable_l.png?x=1", True),
        ("https://s.yimg.com/photo.png", False),
    ],
)
def test_a_redirect_to_a_placeholder_is_known_by_its_address(url: str, leads: bool) -> None:
    assert leads_to_placeholder(url) is leads


def test_a_placeholder_below_the_smallest_size_is_still_a_placeholder() -> None:
    judge = Judge.of(UrlList("l", "lines", ("u",), ("<u>",), "x", check="image", min_bytes=9999))
    assert judge(data.placeholder()) is Why.PLACEHOLDER
    assert judge(picture("PNG", side=8)) is Why.TOO_SMALL


def test_without_a_check_any_body_but_a_page_will_do() -> None:
    judge = Judge.of(UrlList("l", "lines", ("u",), ("<u>",), "x.txt"))
    assert isinstance(judge(b"n00001\nn00002\n"), Judged)
    assert judge(b"\n <!DOCTYPE html><p>log in") is Why.HTML
    assert judge(b"") is Why.TOO_SMALL


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """All of it was read before the limit was looked at: a sparse file of a terabyte took that much memory."""
    path = tmp_path / "sparse.jpg"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert check_file(path, Limits()) is Why.TOO_LARGE
    path.write_bytes(picture("JPEG"))
    assert check_file(path, Limits()) == Checked(64, 32)
