"""`datafetch probe`: what each address of a recipe answers, without its file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from archives import zip_of
from process import Ended, datafetch_
from server import ERROR_XML, QUOTA, Answer, Exchange, FaultServer, Thing, redirect, status, web_page

from datafetch.demo.pictures import photo, scene
from datafetch.model import Why
from datafetch.probe.judge import without_network
from datafetch.probe.words import Finding, Health

ZIP = Thing(zip_of({"a/0.txt": b"0" * 100_000}))
OPEN = ("--allow-private",)


class Upstream:
    """A host whose answers may change."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.answers = dict(answers)
        self.server = FaultServer(lambda path: self.answers.get(path))

    def recipe(self, folder: Path, lines: str) -> tuple[str, ...]:
        place = folder / "recipes"
        place.mkdir(exist_ok=True)
        text = lines.replace("BASE", self.server.url)
        (place / "tiny.yaml").write_text(f"name: tiny\ntitle: tiny\nartifacts:\n{text}")
        return ("tiny", "--registry", str(place))

    def probe(self, folder: Path, lines: str, *options: str) -> Ended:
        return datafetch_("probe", *self.recipe(folder, lines), "-o", "out", *options, cwd=folder)


def one(path: str, more: str = "") -> str:
    return f"  - {{name: a, url: 'BASE{path}', checksums: unknown{more}}}\n"


@pytest.fixture
def host() -> Iterator[Upstream]:
    upstream = Upstream({"/a.zip": ZIP})
    with upstream.server:
        yield upstream


def only(ended: Ended) -> Any:
    (found,) = ended.report["results"]
    return found


def no_head(exchange: Exchange) -> None:
    if exchange.seen.method == "HEAD":
        exchange.send(405)
    else:
        ZIP(exchange)


def no_range(exchange: Exchange) -> None:
    exchange.head(200, ZIP.headers | {"Content-Length": len(ZIP.data)})
    exchange.body(ZIP.data)


CASES: dict[str, tuple[Answer | None, str, int, str]] = {
    "file": (ZIP, "ok", 0, ""),
    "no head": (no_head, "ok", 0, ""),
    "no range": (no_range, "ok", 0, ""),
    "404": (status(404), "dead", 4, "404"),
    "410": (status(410), "dead", 4, "410"),
    "401": (status(401), "gated", 7, "401"),
    "403": (status(403), "gated", 7, "403"),
    "login page": (web_page(), "gated", 7, "web page"),
    "quota page": (web_page(QUOTA), "gated", 7, "quota"),
    "error document": (status(200, ERROR_XML, Content_Type="application/xml"), "gated", 7, "error document"),
    "429": (status(429, Retry_After="1"), "temporary", 5, "429"),
    "500": (status(500), "temporary", 5, "500"),
    "other kind": (Thing(b"\x1f\x8b" + b"x" * 100), "changed", 7, "1f8b"),
    "empty": (Thing(b""), "changed", 7, "nothing"),
}


@pytest.mark.parametrize("name", CASES)
def test_each_answer_has_its_word_and_its_exit_code(tmp_path: Path, host: Upstream, name: str) -> None:
    answer, health, code, text = CASES[name]
    host.answers["/a.zip"] = answer
    ended = host.probe(tmp_path, one("/a.zip", ", unpack: true"), *OPEN, "--json")
    found = only(ended)
    assert (found["health"], ended.code, ended.report["exit_code"]) == (health, code, code), found
    assert text in found["text"]
    assert ended.report["counts"][health] == ended.report["counts"]["total"] == 1


def test_an_ok_address_tells_what_it_has_and_gives_no_body_but_its_beginning(
    tmp_path: Path, host: Upstream
) -> None:
    found = only(host.probe(tmp_path, one("/a.zip"), *OPEN, "--json"))
    assert (found["size"], found["etag"]) == (len(ZIP.data), ZIP.headers["ETag"])
    assert found["begins"] == ZIP.data[:16].hex() and found["last_modified"]
    asked = host.server.asked("/a.zip")
    assert [seen.method for seen in asked] == ["HEAD", "GET"]
    assert asked[1].headers["range"] == "bytes=0-511"
    assert host.server.seen[0].path == "/robots.txt"


def test_a_size_that_is_not_the_recipes_is_a_change(tmp_path: Path, host: Upstream) -> None:
    ended = host.probe(tmp_path, one("/a.zip", ", size: 5"), *OPEN, "--json")
    assert (ended.code, only(ended)["health"]) == (7, "changed")
    assert "the recipe has 5 bytes" in only(ended)["text"]


def test_what_changed_since_the_last_look_is_told_once_with_what_was(tmp_path: Path, host: Upstream) -> None:
    codes = [host.probe(tmp_path, one("/a.zip"), *OPEN).code]
    host.answers["/a.zip"] = Thing(zip_of({"b": b"1"}))
    ended = host.probe(tmp_path, one("/a.zip"), *OPEN, "--json")
    codes += [ended.code, host.probe(tmp_path, one("/a.zip"), *OPEN).code]
    assert codes == [0, 7, 0]
    assert only(ended)["was"]["size"] == f"{len(ZIP.data):,}" and "ETag" in only(ended)["was"]
    listed = datafetch_("list", "--registry", "recipes", "-o", "out", "--json", cwd=tmp_path)
    assert [each["state"] for each in listed.report if each["name"] == "tiny"] == ["absent"]


def test_the_first_look_is_compared_with_what_was_got(tmp_path: Path, host: Upstream) -> None:
    named = host.recipe(tmp_path, one("/a.zip"))
    assert datafetch_("get", *named, "-o", "out", *OPEN, cwd=tmp_path).code == 0
    host.answers["/a.zip"] = Thing(zip_of({"b": b"1"}))
    assert only(host.probe(tmp_path, one("/a.zip"), *OPEN, "--json"))["health"] == "changed"


def test_robots_txt_is_heeded_unless_that_is_overruled(tmp_path: Path, host: Upstream) -> None:
    host.answers["/robots.txt"] = status(200, b"User-agent: *\nDisallow: /a", Content_Type="text/plain")
    ended = host.probe(tmp_path, one("/a.zip"), *OPEN, "--json")
    assert (ended.code, only(ended)["health"]) == (0, "unasked") and not host.server.asked("/a.zip")
    ended = host.probe(tmp_path, one("/a.zip"), *OPEN, "--ignore-opt-out", "--json")
    assert only(ended)["health"] == "ok"


def test_every_address_of_every_kind_is_listed_and_the_worst_counts(tmp_path: Path, host: Upstream) -> None:
    host.answers |= {f"/s.{part}": Thing(b"PK\x03\x04" if part == "aa" else b"rest") for part in ("aa", "ab")}
    lines = (
        "  - {name: mirrored, url: ['BASE/gone.zip', 'BASE/a.zip'], checksums: unknown}\n"
        "  - {name: s.zip, shards: 'BASE/s.a{a..b}', checksums: unknown}\n"
        "  - name: hand\n    checksums: unknown\n"
        "    manual: [{at: form, link: 'https://example.org/form'}]\n    expect: {'hand.zip': 1}\n"
        "  - {name: nowhere, url: 'https://demo.invalid/x', checksums: unknown}\n"
    )
    ended = host.probe(tmp_path, lines, *OPEN, "--json")
    found = [(each["file"], each["health"]) for each in ended.report["results"]]
    assert found == [
        ("mirrored", "dead"),
        ("mirrored", "ok"),
        ("s.zip/s.aa", "ok"),
        ("s.zip/s.ab", "ok"),
        ("hand", "manual"),
        ("nowhere", "unasked"),
    ]
    assert ended.code == 4
    plain = host.probe(tmp_path, lines, *OPEN)
    assert plain.out.splitlines()[0].split() == ["STATE", "DATASET", "FILE", "SIZE", "ADDRESS"]
    assert "https://example.org/form" in plain.out
    assert plain.out.splitlines()[-1] == "6 addresses: 1 dead, 3 ok, 1 manual, 1 unasked"
    quiet = host.probe(tmp_path, lines, *OPEN, "-q")
    assert len(quiet.out.splitlines()) == 2 and "gone.zip" in quiet.out and quiet.err == ""


def test_quiet_says_nothing_while_all_is_well(tmp_path: Path, host: Upstream) -> None:
    ended = host.probe(tmp_path, one("/a.zip"), *OPEN, "-q")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_a_mirror_is_asked_before_the_origin(tmp_path: Path, host: Upstream) -> None:
    host.answers["/h.example/a.zip"] = ZIP
    lines = one("").replace("BASE", "https://h.example/a.zip")
    found = only(host.probe(tmp_path, lines, "--mirror", host.server.url, "--json"))
    assert (found["health"], found["url"]) == ("ok", "https://h.example/a.zip")
    assert found["asked"].startswith(host.server.url)


def test_private_addresses_are_not_asked(tmp_path: Path, host: Upstream) -> None:
    ended = host.probe(tmp_path, one("/a.zip"), "--json")
    assert ended.code == 5 and "private address" in only(ended)["text"] and host.server.seen == ()


def test_a_redirect_to_a_private_machine_is_not_followed(tmp_path: Path, host: Upstream) -> None:
    host.answers["/h.example/a.zip"] = redirect("http://169.254.169.254/latest/meta-data")
    lines = one("").replace("BASE", "http://h.example/a.zip")
    ended = host.probe(tmp_path, lines, "--mirror", host.server.url, "--mirror-only", "--json")
    assert (ended.code, only(ended)["health"]) == (5, "temporary") and "private" in only(ended)["text"]


def test_at_most_two_ask_a_host_at_once_and_an_address_is_asked_once(tmp_path: Path, host: Upstream) -> None:
    lines = "".join(f"  - {{name: n{n}, url: 'BASE/a.zip', checksums: unknown}}\n" for n in range(4)) + one(
        "/b.zip"
    )
    ended = host.probe(tmp_path, lines, *OPEN, "--json")
    assert [each["health"] for each in ended.report["results"]] == ["ok"] * 4 + ["dead"]
    assert len(host.server.asked("/a.zip")) == 2
    assert len({seen.port for seen in host.server.seen}) <= 4  # HEAD closes its connection


def test_a_recipe_that_cannot_be_read_is_told_and_the_others_are_asked(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/bad.yaml").write_text("name: bad\nnonsense: 1\n")
    ended = datafetch_("probe", "bad", "--registry", "recipes", cwd=tmp_path)
    assert ended.code == 2 and "bad.yaml" in ended.err


def test_without_any_network_nothing_is_dead() -> None:
    def finding(health: Health, text: str = "", status: int | None = None) -> Finding:
        return Finding("d", "f", health, "https://x/", "https://x/", text, status)

    unknown = finding(Health.DEAD, f"{Why.DNS}: x: the name of the host is not known")
    down = finding(Health.TEMPORARY, "connection: no")
    assert [each.health for each in without_network([unknown, down])] == [Health.TEMPORARY] * 2
    answered = finding(Health.DEAD, "the server answered 404", 404)
    assert without_network([unknown, answered]) == (unknown, answered)


def test_what_was_said_is_kept_as_plain_json(tmp_path: Path, host: Upstream) -> None:
    host.probe(tmp_path, one("/a.zip"), *OPEN)
    kept = json.loads((tmp_path / "out/.datafetch/.probes/tiny.json").read_text())
    assert [each["size"] for each in kept.values()] == [len(ZIP.data)]


# --- Rows of lists --------------------------------------------------------------------------------------------------


LIST = """  - {name: links.txt, url: 'BASE/links.txt', checksums: unknown}
  - name: pictures
    url_list: {file: links.txt, read: lines, keys: [id, link], url: '<link>', save_as: '<id>.png', check: image}
"""


@pytest.fixture
def listing(host: Upstream, tmp_path: Path) -> Upstream:
    """A list of sixty rows on two hosts that is here; every third is dead, one is a placeholder."""
    good = Thing(photo(scene("a", "disc")), "image/png")
    other = host.server.url.replace("127.0.0.1", "localhost")
    rows = [f"{n} {other if n > 50 else host.server.url}/p/{n}.png" for n in range(1, 61)]
    host.answers["/links.txt"] = Thing("\n".join(rows).encode(), "text/plain")
    host.answers |= {f"/p/{n}.png": status(404) if n % 3 == 0 else good for n in range(1, 61)}
    host.answers["/pw/images/en-us/photo_unavailable.png"] = good
    host.answers["/p/1.png"] = redirect("/pw/images/en-us/photo_unavailable.png")
    named = host.recipe(tmp_path, LIST)
    assert datafetch_("get", *named, "-o", "out", "--only", "links.txt", *OPEN, cwd=tmp_path).code == 0
    return host


def test_a_sample_of_rows_is_asked_for_spread_over_the_hosts(tmp_path: Path, listing: Upstream) -> None:
    ended = listing.probe(tmp_path, LIST, *OPEN, "--rows", "20", "--json")
    rows = [one for one in ended.report["results"] if one["row"]]
    assert (len(rows), sum(one["row"] > 50 for one in rows)) == (20, 10)
    (told,) = ended.report["lists"]
    assert (told["file"], told["rows"], sum(told["counts"].values())) == ("pictures", 20, 20)
    dead = [one["row"] for one in rows if one["health"] == "dead"]
    assert dead == [one["row"] for one in rows if one["row"] % 3 == 0] and told["counts"]["dead"] == len(dead)
    assert ended.code == 0  # links rot
    asked = [seen for seen in listing.server.seen if seen.path.startswith("/p/")]
    assert len(asked) == 20 and {seen.headers["range"] for seen in asked} == {"bytes=0-65535"}
    again = listing.probe(tmp_path, LIST, *OPEN, "--rows", "20", "--json")
    assert [one["row"] for one in again.report["results"]] == [one["row"] for one in ended.report["results"]]
    other = listing.probe(tmp_path, LIST, *OPEN, "--rows", "20", "--seed", "1")
    assert "tiny pictures: of 20 rows" in other.out and "dead" in other.out
    assert listing.probe(tmp_path, LIST, *OPEN, "--rows", "20", "-q").out == ""


def test_rows_that_are_placeholders_or_all_dead_are_told(tmp_path: Path, listing: Upstream) -> None:
    ended = listing.probe(tmp_path, LIST, *OPEN, "--rows", "60", "--json")
    assert ended.report["lists"][0]["counts"] == {"placeholder": 1, "ok": 39, "dead": 20}
    listing.answers |= {f"/p/{n}.png": status(404) for n in range(1, 61)}
    ended = listing.probe(tmp_path, LIST, *OPEN, "--rows", "5", "-q")
    assert (ended.code, ended.out) == (4, "tiny pictures: of 5 rows 5 dead\n")


def test_rows_of_a_list_that_is_not_here_are_not_asked_for(tmp_path: Path, host: Upstream) -> None:
    host.answers["/links.txt"] = Thing(b"1 http://127.0.0.1:1/a.png", "text/plain")
    ended = host.probe(tmp_path, LIST, *OPEN, "--rows", "5", "--json")
    found = {one["file"]: one for one in ended.report["results"]}
    assert (ended.code, found["pictures"]["health"]) == (0, "unasked")
    assert "its list is not here" in found["pictures"]["text"]
