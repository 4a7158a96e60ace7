"""The page of `datafetch show`: complete in itself, true to the state folder, and deaf to hostile names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lists import Shop, picture

from datafetch.demo.server import Thing, status, web_page
from datafetch.images.samples import IN_ALL, OF_EACH, Samples
from datafetch.images.thumbnail import EDGE, thumbnail
from datafetch.model import Recipe, Why
from datafetch.show.facts import gather
from datafetch.show.html import link, tag, text
from datafetch.show.opened import CLASSES
from datafetch.show.page import page
from datafetch.store import history
from datafetch.store.history import KEPT, Past
from datafetch.store.home import Home

VOID = {"meta", "img", "br", "link", "input", "hr", "col"}


class Parsed(HTMLParser):
    """The elements of a page; an end without its beginning, or the other way round, is an error."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(document)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.words).split())


def harmless(document: str) -> Parsed:
    """Nothing runs, nothing is loaded, and every picture can be read aloud."""
    parsed = Parsed(document)
    for name, attributes in parsed.found:
        assert name not in ("script", "iframe", "object", "embed", "link", "form", "base", "foreignobject")
        assert not any(key.startswith("on") for key in attributes)
        assert re.match(
            r"data:image/jpeg;base64,[A-Za-z0-9+/=]+\Z", attributes.get("src", "data:image/jpeg;base64,a")
        )
        assert re.match(r"https?://", attributes.get("href", "http://"))
        assert name != "img" or attributes["alt"]
        assert name != "svg" or attributes["aria-label"]
    assert "url(" not in document.split("</style>")[0] and "@import" not in document
    return parsed


FAULTS = {
    "/1.png": status(404),
    "/2.png": status(500),
    "/3.png": web_page("<!doctype html><script>alert(1)</script>"),
    "/4.png": Thing(picture("/4.png")[:300]),
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Parsed, Shop]]:
    folder = tmp_path_factory.mktemp("shop")
    with Shop([f"/{n}.png" for n in range(20)], FAULTS) as shop:
        shop.run(folder, "get", "--retries", "0")
        shop.answers["/1.png"] = Thing(picture("back"))
        shop.run(folder, "get", "--retries", "0", "--retry-gone")
        recipes = str(folder / "recipes")
        from process import datafetch_

        ended = datafetch_(
            "show", "shop", "--registry", recipes, "--output-dir", "out", "-o", "-", cwd=folder
        )
        assert ended.code == 0
        again = datafetch_(
            "show", "shop", "--registry", recipes, "--output-dir", "out", "-o", "a.html", cwd=folder
        )
        assert (again.code, again.out) == (0, "") and (folder / "a.html").read_text()[
            :15
        ] == "<!doctype html>"
        yield harmless(ended.out), shop


def test_a_page_tells_counts_hosts_reasons_runs_and_samples(shown: tuple[Parsed, Shop]) -> None:
    parsed, shop = shown
    for words in (
        "18 of 21 items are here",
        shop.url.partition("://")[2],
        "server error",
        "Over runs",
        "Turned away",
    ):
        assert words in parsed.said
    assert sum(name == "img" for name, _ in parsed.found) >= 6
    assert sum(name == "svg" for name, _ in parsed.found) == 1  # all pictures are of one size


def test_what_hosts_sent_is_shown_and_never_becomes_part_of_the_page(shown: tuple[Parsed, Shop]) -> None:
    assert "<script>alert(1)</script>" in shown[0].said  # as words


def test_it_says_so_when_there_is_nothing_to_show(tmp_path: Path) -> None:
    with Shop([]) as shop:
        (tmp_path / "recipes").mkdir()
        ended = shop.run(tmp_path, "status")
        from process import datafetch_

        ended = datafetch_("show", "shop", "--registry", "recipes", "--output-dir", "out", cwd=tmp_path)
    assert ended.code == 2 and "nothing of shop" in ended.err and not list(tmp_path.glob("*.html"))


HOSTILE = st.text(max_size=40) | st.sampled_from(
    [
        '"><script>alert(1)</script>',
        "' onerror=alert(1) x='",
        "javascript:alert(1)",
        "</style><b>",
        "\u202etxt.exe",
        "&lt;",
    ]
)


@given(HOSTILE)
def test_no_text_becomes_markup(value: str) -> None:
    said = Parsed(tag("p", value, title=value))
    assert [name for name, _ in said.found] == ["p"] and "\u202e" not in text(value)
    assert all(name in ("a",) for name, _ in Parsed(link(value, value) or "-").found)
    assert "javascript:" not in str([each for _, each in Parsed(link(value, "x")).found])


def test_hostile_names_and_addresses_reach_the_page_as_words_only(tmp_path: Path) -> None:
    home = Home(tmp_path, "x")
    home.state.mkdir(parents=True)
    bad = "<img src=x onerror=alert(1)>"
    import msgspec

    lines = [{"path": f"x/{bad}/{bad}.png", "size": 1, "sha256": "ab" * 32, "url": f"http://{bad}/"}]
    home.manifest.write_bytes(msgspec.json.encode(lines[0]) + b"\nnot a line\n")
    parsed = harmless(page(gather(Recipe(f"x{bad}", bad, (), home="javascript:alert(1)"), home, 0)))
    assert not [each for name, each in parsed.found if name == "img"] and bad in parsed.said


def test_what_is_shown_is_bounded_however_many_classes_there_are(tmp_path: Path) -> None:
    import json

    home = Home(tmp_path, "x")
    home.state.mkdir(parents=True)
    (tmp_path / "x").mkdir()
    with home.manifest.open("w") as file:
        for number in range(3000):
            path, digest = f"x/class{number:04}/1.png", f"{number:064x}"
            print(
                json.dumps({"path": path, "size": 1, "sha256": digest, "url": f"http://h{number}/"}),
                file=file,
            )
    facts = gather(Recipe("x", "x", ()), home, 0)
    shown = [each.name for each in facts.classes if each.rows]
    assert len(facts.classes) == 3000 and len(shown) == CLASSES and shown[-1] > "class2800"
    assert len(page(facts)) < 60_000


def test_thumbnails_are_small_and_what_is_no_picture_has_none() -> None:
    small = thumbnail(picture("a"))
    assert small is not None and small.startswith(b"\xff\xd8") and len(small) < 5000 and EDGE <= 128
    assert thumbnail(b"<html>") is None and thumbnail(picture("a")[:200]) is None


def test_few_of_the_bodies_that_were_turned_away_are_kept(tmp_path: Path) -> None:
    samples = Samples(tmp_path / "samples")
    for why in (Why.HTML, Why.NOT_AN_IMAGE, Why.PLACEHOLDER, Why.TOO_SMALL, Why.TOO_LARGE, Why.GONE, Why.DNS):
        for number in range(9):
            samples.keep(why, f"{why} {number}".encode())
            samples.keep(why, bytes(1 << 20))
    kept = list(samples)
    assert len(kept) == IN_ALL and {why for why, _ in kept if why == "not an image"}
    assert sum(why == Why.HTML for why, _ in kept) == OF_EACH


def test_history_is_bounded_and_skips_runs_that_changed_nothing(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    for number in range(2 * KEPT + 30):
        past = Past(f"{number}", "complete", {"ok": 1}, transferred=number)
        history.add(path, past)
        history.add(path, Past("later", "complete", {"ok": 1}))
    runs = history.runs(path)
    assert KEPT <= len(runs) <= 2 * KEPT + 1 and runs[-1].transferred == 2 * KEPT + 29
