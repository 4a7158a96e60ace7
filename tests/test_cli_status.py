"""What `status` says of lists: every row without its file, why, and when it is asked for again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lists import RECIPE, Shop, picture, rows

from datafetch.demo.server import Thing, status
from datafetch.images.ledger import Settled
from datafetch.model import Outcome
from datafetch.store.journal import Journal

FAULTS = {"/a.png": status(404), "/b.png": status(500), "/c.png": status(418), "/d.png": Thing(b"no picture")}


def test_counts_by_reason_say_what_the_next_run_asks_for(tmp_path: Path) -> None:
    with Shop(["/a.png", "/b.png", "/c.png", "/d.png", "/e.png"], FAULTS) as shop:
        shop.run(tmp_path, "get", "--retries", "0")
        told = shop.run(tmp_path, "status", "--json").report["rows"]
        assert {(row["outcome"], row["why"], row["rows"], row["next_run"]) for row in told} == {
            ("missing", "gone", 1, 0),
            ("failed", "server error", 1, 1),
            ("failed", "bad answer", 1, 1),
            ("rejected", "not an image", 1, 0),
        }
        later = {row["why"] for row in told if row["later_from"]}
        assert later == {"not an image"}
        said = shop.run(tmp_path, "status").out
        for line in ("gone missing 1 with --retry-gone", "bad answer failed 1 by the next run"):
            assert line in " ".join(said.split())


def test_a_reason_that_is_none_is_not_good_news(tmp_path: Path) -> None:
    with Shop(["/a.png"]) as shop:
        ended = shop.run(tmp_path, "status", "--why", "placeholdr")
    assert ended.code == 3
    assert "did you mean --why 'placeholder'?" in ended.err


# Behind a mirror, --urls printed the mirror's addresses: nobody could ask the origin with them.
def test_urls_are_upstreams_and_never_a_mirrors(tmp_path: Path) -> None:
    with Shop(["/a.png", "/b.png"]) as shop, Shop([], {}) as mirror:
        host = shop.url.partition("://")[2]
        mirror.answers = {f"/{host}/{name}.png": status(404) for name in "ab"}
        mirror.answers[f"/{host}/links.txt"] = Thing(f"1 {shop.url}/a.png\n2 {shop.url}/b.png".encode())
        shop.run(tmp_path, "get", "--mirror", mirror.url, "--mirror-only")
        for options in (("--urls",), ("--why", "gone", "--urls")):
            assert shop.run(tmp_path, "status", *options).out == f"{shop.url}/a.png\n{shop.url}/b.png\n"
        mirror.answers = {}
        mirror.paths = []
        other = tmp_path / "other"
        other.mkdir()
        mirror.answers[f"/{host}/links.txt"] = status(404)
        shop.run(other, "get", "--mirror", mirror.url, "--mirror-only")
        assert shop.run(other, "status", "--urls").out == f"{shop.url}/links.txt\n"


def test_placeholders_alone_are_listed_by_their_reason(tmp_path: Path) -> None:
    paths = [f"/p{n}.png" for n in range(130)]
    with Shop(paths, {"/p99.png": status(410), **dict.fromkeys(paths[:50], Thing(picture("gone")))}) as shop:
        shop.run(tmp_path, "get")
        told = shop.run(tmp_path, "status", "--why", "placeholder", "--urls").out
        assert told.splitlines() == [f"{shop.url}{path}" for path in paths[:50]]
        assert len(rows(tmp_path)) == 130


def test_a_million_rows_are_told_without_being_held(tmp_path: Path) -> None:
    recipes, count = tmp_path / "recipes", 60_000
    recipes.mkdir()
    (recipes / "shop.yaml").write_text(RECIPE.format(url="https://example.com"))
    for batch in range(count // 10_000):
        journal = tmp_path / f"out/.datafetch/shop/journal/pictures/{batch:05}.jsonl"
        at = range(batch * 10_000 + 1, batch * 10_000 + 10_001)
        lost = (Settled(n, Outcome.MISSING, "gone", f"{n}.png", f"https://example.com/{n}.png") for n in at)
        journal.parent.mkdir(parents=True, exist_ok=True)
        Journal(journal).replace(lost)

    def peak(*options: str) -> tuple[int, int]:
        """Lines on stdout, and the most memory in MB that it took to print them."""
        code = (
            "import resource, sys; from datafetch.cli import run; run(sys.argv[1:]);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)"
        )
        command = (sys.executable, "-c", code, "status", "shop", "--registry", "recipes", "-o", "out")
        done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.count("\n"), int(done.stderr)

    lines, whole = peak("--why", "gone", "--urls")
    few, base = peak("--why", "tls", "--urls")
    assert (lines, few) == (count, 0) and whole - base < 12
    assert peak("--json")[1] - base < 24


def test_a_list_of_which_nothing_came_counts_its_rows_and_is_never_complete(tmp_path: Path) -> None:
    """Its rows were counted as one item beside the file of the list: half was there, and half was enough."""
    paths = [f"/{number}.png" for number in range(5)]
    with Shop(paths, {path: status(404) for path in paths}) as shop:
        ended = shop.run(tmp_path, "get", "--min-complete", "10", "--json")
    assert ended.report["counts"] | {"skipped": 0} == {
        "ok": 1, "missing": 5, "failed": 0, "rejected": 0, "skipped": 0, "total": 6,
    }  # fmt: skip
    assert (ended.code, ended.report["status"]) == (6, "partial"), ended.err
