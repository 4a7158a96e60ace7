"""URL lists over real HTTP: every row ends in one state, nothing is asked twice, and a killed run goes on."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import resource
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datafetch.demo.data import placeholder
from datafetch.demo.pictures import photo, scene
from datafetch.demo.server import Answer, FaultServer, Thing, drop_after, first, redirect, status, web_page
from datafetch.errors import Interrupted, NoRoom
from datafetch.images import ledger, work
from datafetch.images.batches import ListOutcome, Manners, fetch_list
from datafetch.images.ledger import Settled, batch_files
from datafetch.images.rows import BadRow, Row
from datafetch.images.rows import read as read_list
from datafetch.images.staged import Staged
from datafetch.model import Artifact, Event, Outcome, Settings, UrlList
from datafetch.store.journal import read
from datafetch.transfer.allowance import Allowance
from datafetch.transfer.hosts import Hosts
from datafetch.transfer.http import client
from datafetch.transfer.retry import Patience
from datafetch.transfer.wanted import Ways

LIST = UrlList("list", "lines", ("id", "link"), ("<link>",), "<id>.png", check="image")
ARTIFACT = Artifact("pictures", LIST, folder="set")


def picture(name: str) -> bytes:
    return photo(scene(name, "disc"))


def counts(done: ListOutcome) -> dict[Outcome, int]:
    """How many rows ended in each state."""
    found = {outcome: sum(whys.values()) for outcome, whys in done.dropped.items()}
    return found | ({Outcome.OK: len(done.records)} if len(done.records) else {})


class Pictures(FaultServer):
    """The fault server with a picture wherever it was told no other answer; counts requests since
    `forget`.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self._forgotten = 0
        super().__init__(lambda path: self.answers.get(path) or Thing(picture(path)))

    @property
    def hits(self) -> Counter[str]:
        asked = (seen.path for seen in self.seen[self._forgotten :])
        return Counter(path for path in asked if path != "/robots.txt")

    def forget(self) -> None:
        self._forgotten = len(self.seen)

    def rows(self, *names: str) -> list[Row | BadRow]:
        return [
            Row(at, {"id": f"{at}", "link": f"{self.url}/{name}" if name else ""})
            for at, name in enumerate(names, 1)
        ]


@pytest.fixture
def server() -> Iterator[Pictures]:
    with Pictures() as made:
        yield made


class Bench:
    """Runs `fetch_list` on one folder, as often as a test likes."""

    def __init__(self, root: Path, server: Pictures) -> None:
        self.root = root
        self.server = server
        self.staging = root / "staging"
        self.journal = root / "journal"
        self.events: list[Event] = []

    def __call__(
        self,
        rows: list[Row | BadRow],
        *,
        artifact: Artifact = ARTIFACT,
        stop: Callable[[], bool] = lambda: False,
        jobs: int = 4,
        retry_gone: bool = False,
        published: tuple[Path, ...] = (),
        redo: frozenset[str] = frozenset(),
        total: float = 5.0,
        allow_private: bool = True,
        decode: float = 30.0,
        processes: int = 0,
        ignore_opt_out: bool = False,
        learned: Path | None = None,
    ) -> ListOutcome:
        async def run() -> ListOutcome:
            settings = Settings(
                root=str(self.root),
                allow_private=allow_private,
                ignore_opt_out=ignore_opt_out,
            )
            async with client(settings) as http:
                manners = Manners(
                    settings,
                    Ways(http, Hosts(8), self.events.append),
                    Allowance.of(settings),
                    Patience(tries=3, first=0.01, cap=0.05),
                    jobs=jobs,
                    per_host=8,
                    total=total,
                    processes=processes,
                    decode=decode,
                    learned=learned,
                )
                return await fetch_list(
                    artifact,
                    rows,
                    manners=manners,
                    staging=self.staging,
                    journal=self.journal,
                    stop=stop,
                    retry_gone=retry_gone,
                    published=published,
                    redo=redo,
                )

        self.events.clear()
        return asyncio.run(run())

    def tree(self) -> dict[str, bytes]:
        files = (path for path in self.staging.rglob("*") if path.is_file())
        return {str(path.relative_to(self.staging)): path.read_bytes() for path in files}

    def rows(self) -> dict[int, Settled]:
        return {row.row: row for path in batch_files(self.journal) for row in read(path, Settled).rows}


@pytest.fixture
def bench(tmp_path: Path, server: Pictures) -> Bench:
    return Bench(tmp_path, server)


def test_every_row_ends_in_exactly_one_state(bench: Bench, server: Pictures) -> None:
    server.answers.update(
        {
            "/gone": status(404),
            "/410": status(410),
            "/403": status(403),
            "/old": Thing(placeholder()),
            "/moved": redirect("/pw/images/en-us/photo_unavailable.png"),
            "/page": web_page(),
            "/half": Thing(picture("/half")[:1500]),
            "/500": status(500),
        }
    )
    rows = server.rows("a", "gone", "410", "403", "old", "moved", "page", "half", "500", "b", "")
    rows.append(BadRow(12, "blank line", Outcome.SKIPPED))
    done = bench(rows)
    assert counts(done) == {
        Outcome.OK: 2,
        Outcome.MISSING: 4,
        Outcome.FAILED: 2,
        Outcome.REJECTED: 3,
        Outcome.SKIPPED: 1,
    }
    assert sum(counts(done).values()) == len(rows)
    assert done.dropped == {
        Outcome.MISSING: {"gone": 2, "placeholder": 2},
        Outcome.FAILED: {"forbidden": 1, "server error": 1},
        Outcome.REJECTED: {"not an image": 2, "bad url": 1},
        Outcome.SKIPPED: {"blank line": 1},
    }
    assert bench.tree() == {"set/1.png": picture("/a"), "set/10.png": picture("/b")}
    told: Counter[Outcome | None] = Counter()
    for event in bench.events:
        if event.kind == "item":
            told[event.outcome] += event.count
    assert told == counts(done)


def test_records_hold_what_the_manifest_needs(bench: Bench, server: Pictures) -> None:
    (record,) = bench(server.rows("a")).records
    assert (record.path, record.size, record.url) == ("set/1.png", len(picture("/a")), f"{server.url}/a")
    assert record.sha256 == hashlib.sha256(picture("/a")).hexdigest()
    assert (record.width, record.height, record.artifact) == (32, 32, "pictures")


def test_equal_addresses_are_fetched_once_and_placed_for_each(bench: Bench, server: Pictures) -> None:
    server.answers.update({"/gone": status(404)})
    done = bench(server.rows("a", "a", "b", "gone", "gone", "a"))
    assert server.hits == {"/a": 1, "/b": 1, "/gone": 1}
    assert counts(done) == {Outcome.OK: 4, Outcome.MISSING: 2}
    assert {path for path, body in bench.tree().items() if body == picture("/a")} == {
        "set/1.png",
        "set/2.png",
        "set/6.png",
    }


def test_a_second_run_asks_for_nothing_that_is_there(bench: Bench, server: Pictures) -> None:
    server.answers.update({"/gone": status(410), "/old": Thing(placeholder())})
    rows = server.rows("a", "gone", "b", "old", "a")
    first = bench(rows)
    records = tuple(first.records)
    server.forget()
    again = bench(rows)
    assert not server.hits
    assert counts(again) == counts(first) and tuple(again.records) == records


def test_what_failed_is_asked_again_and_what_is_gone_only_on_demand(bench: Bench, server: Pictures) -> None:
    server.answers.update(
        {"/gone": status(404), "/teapot": status(418), "/short": drop_after(9, Thing(b"a" * 99))}
    )
    rows = server.rows("gone", "teapot", "short")
    bench(rows)
    server.answers.clear()
    server.forget()
    assert counts(bench(rows)) == {Outcome.OK: 2, Outcome.MISSING: 1}
    assert "/gone" not in server.hits
    assert counts(bench(rows, retry_gone=True)) == {Outcome.OK: 3}


def test_a_file_lost_from_disk_is_fetched_again_and_nothing_else(bench: Bench, server: Pictures) -> None:
    rows = server.rows("a", "b")
    bench(rows)
    (bench.staging / "set/2.png").write_bytes(b"cut")
    server.forget()
    assert counts(bench(rows)) == {Outcome.OK: 2}
    assert server.hits == {"/b": 1} and bench.tree()["set/2.png"] == picture("/b")


def test_published_files_count_as_there(bench: Bench, server: Pictures, tmp_path: Path) -> None:
    rows = server.rows("a")
    bench(rows)
    (bench.staging / "set").rename(tmp_path / "set")
    server.forget()
    again = bench(server.rows("a", "b", "a"), published=(tmp_path,))
    assert server.hits == {"/b": 1} and counts(again) == {Outcome.OK: 3}
    assert set(bench.tree()) == {"set/2.png", "set/3.png"}


def test_a_list_that_changed_upstream_is_not_answered_from_the_journal(
    bench: Bench, server: Pictures
) -> None:
    bench(server.rows("a", "b", "c"))
    assert counts(bench(server.rows("a", "x"))) == {Outcome.OK: 2}
    assert sorted(bench.rows()) == [1, 2] and bench.tree()["set/2.png"] == picture("/x")


def test_throttling_slows_the_host_and_then_succeeds(bench: Bench, server: Pictures) -> None:
    server.answers.update(
        {"/a": first(1, status(429, Retry_After=0), first(2, status(420), Thing(picture("/a"))))}
    )
    assert counts(bench(server.rows("a"))) == {Outcome.OK: 1}
    assert [event.why for event in bench.events if event.kind == "retry"] == ["throttled", "throttled"]


def test_a_body_shorter_than_promised_is_never_kept(bench: Bench, server: Pictures) -> None:
    whole = picture("/a")
    server.answers.update({"/a": first(1, drop_after(900, Thing(whole)), Thing(whole))})
    assert counts(bench(server.rows("a"))) == {Outcome.OK: 1}
    assert bench.tree() == {"set/1.png": whole}


def test_the_next_address_is_asked_when_the_first_is_gone(bench: Bench, server: Pictures) -> None:
    source = UrlList("l", "lines", (), ("<one>", "<two>"), "<row>.png", check="image")
    server.answers.update({"/one": status(404)})
    rows: list[Row | BadRow] = [Row(1, {"one": f"{server.url}/one", "two": f"{server.url}/two"})]
    done = bench(rows, artifact=Artifact("pictures", source, folder="set"))
    assert [record.url for record in done.records] == [f"{server.url}/two"]


def test_a_row_whose_second_address_may_mend_is_failed_not_missing(bench: Bench, server: Pictures) -> None:
    source = UrlList("l", "lines", (), ("<one>", "<two>"), "<row>.png", check="image")
    server.answers.update({"/one": status(404), "/two": status(403)})
    rows: list[Row | BadRow] = [Row(1, {"one": f"{server.url}/one", "two": f"{server.url}/two"})]
    assert counts(bench(rows, artifact=Artifact("pictures", source, folder="set"))) == {Outcome.FAILED: 1}


def test_stopping_keeps_what_is_done_and_the_next_run_goes_on(bench: Bench, server: Pictures) -> None:
    rows = server.rows(*(f"{number}" for number in range(40)))
    with pytest.raises(Interrupted):
        bench(rows, stop=lambda: server.hits.total() >= 10, jobs=2)
    kept = {number for number, row in bench.rows().items() if row.outcome is Outcome.OK}
    asked = server.hits.total()
    assert kept and asked < 40
    server.forget()
    assert counts(bench(rows)) == {Outcome.OK: 40}
    assert server.hits.total() == 40 - len(kept)
    assert len(bench.tree()) == 40


def test_a_file_left_by_a_killed_run_is_replaced_or_removed(bench: Bench, server: Pictures) -> None:
    server.answers.update({"/gone": status(404)})
    (bench.staging / "set").mkdir(parents=True)
    (bench.staging / "set/1.png").write_bytes(b"half a pict")
    (bench.staging / "set/2.png").write_bytes(b"half a pict")
    assert counts(bench(server.rows("a", "gone"))) == {Outcome.OK: 1, Outcome.MISSING: 1}
    assert bench.tree() == {"set/1.png": picture("/a")}


def test_a_torn_journal_costs_only_its_last_row(bench: Bench, server: Pictures) -> None:
    rows = server.rows("a", "b")
    bench(rows)
    (path,) = batch_files(bench.journal)
    path.write_bytes(path.read_bytes()[:-20])
    server.forget()
    assert counts(bench(rows)) == {Outcome.OK: 2}
    assert server.hits == {"/b": 1}


def test_rows_go_to_one_journal_per_batch(
    bench: Bench, server: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "BATCH", 10)
    monkeypatch.setattr(work, "TOGETHER", 4)
    rows = server.rows(*("same" if number % 7 == 0 else f"{number}" for number in range(35)))
    done = bench(rows)
    assert [path.name for path in batch_files(bench.journal)] == [f"{n:05}.jsonl" for n in range(4)]
    assert [row.row for path in batch_files(bench.journal) for row in read(path, Settled).rows] == [
        *range(1, 36)
    ]
    assert server.hits["/same"] == 1 and len(done.records) == len(tuple(done.records)) == 35
    server.forget()
    shorter = bench(rows[:12])
    assert not server.hits and len(tuple(shorter.records)) == 12


def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(bench: Bench, server: Pictures) -> None:
    """A limit on the size of files stands for the disk: it reaches the process that writes."""
    rows = server.rows("a", "b", "c", "d")
    source = UrlList("list", "lines", ("id", "link"), ("<link>",), "<id>.png")
    server.answers["/c"] = Thing(bytes(200_000))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(NoRoom, match="larger than its file system allows"):
            bench(rows, artifact=Artifact("pictures", source, folder="set"), jobs=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert sorted(bench.rows()) == [1, 2] and sorted(bench.tree()) == ["set/1.png", "set/2.png"]
    server.forget()
    assert counts(bench(rows, artifact=Artifact("pictures", source, folder="set"))) == {Outcome.OK: 4}
    assert server.hits == {"/c": 1, "/d": 1}


def test_ok_is_journalled_only_after_its_file_is_durable(
    bench: Bench, server: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: Staged, paths: list[str]) -> None:
        raise NoRoom("the disk reports an input/output error")

    monkeypatch.setattr(Staged, "sync", fails)
    with pytest.raises(NoRoom):
        bench(server.rows("a"))
    assert bench.rows() == {}


def test_a_path_that_is_the_beginning_of_another_is_one_rejected_row(bench: Bench, server: Pictures) -> None:
    source = UrlList("l", "lines", (), ("<link>",), "<a>/<b>", check="image")
    artifact = Artifact("pictures", source, folder="set")
    rows: list[Row | BadRow] = [
        Row(1, {"a": "x", "b": "y", "link": f"{server.url}/1"}),
        Row(2, {"a": "x", "b": "z", "link": f"{server.url}/2"}),
    ]
    (bench.staging / "set").mkdir(parents=True)
    (bench.staging / "set/x").write_bytes(b"in the way")
    assert counts(bench(rows, artifact=artifact)) == {Outcome.REJECTED: 2}


def test_no_link_in_the_staging_folder_is_followed(bench: Bench, server: Pictures, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    bench.staging.mkdir()
    (bench.staging / "set").symlink_to(outside)
    assert counts(bench(server.rows("a"))) == {Outcome.REJECTED: 1}
    assert not list(outside.iterdir())


def test_nothing_is_asked_of_a_private_address_unless_allowed(bench: Bench, server: Pictures) -> None:
    assert bench(server.rows("a"), allow_private=False).dropped == {Outcome.FAILED: {"refused": 1}}
    assert not server.hits


def test_the_list_is_read_no_further_than_the_window(
    bench: Bench, server: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "WINDOW", 16)
    drawn = 0

    def rows() -> Iterator[Row | BadRow]:
        nonlocal drawn
        for number in range(1, 201):
            drawn += 1
            assert drawn - server.hits.total() <= 16 + 8 + 1
            yield Row(number, {"id": f"{number}", "link": f"{server.url}/{number}"})

    assert counts(bench(rows(), jobs=3)) == {Outcome.OK: 200}  # type: ignore[arg-type]


# A damaged file of the right size was taken for the good one, and called mended, by `verify --repair`.
def test_a_damaged_file_of_the_right_size_is_fetched_anew_when_told(
    bench: Bench, server: Pictures, tmp_path: Path
) -> None:
    rows = server.rows("a", "b", "c")
    bench(rows)
    (bench.staging / "set").rename(tmp_path / "set")
    damaged = tmp_path / "set/2.png"
    damaged.write_bytes(bytes(damaged.stat().st_size))
    server.forget()
    done = bench(rows, published=(tmp_path,), redo=frozenset({"set/2.png"}))
    assert server.hits == {"/b": 1} and counts(done) == {Outcome.OK: 3}
    assert bench.tree() == {"set/2.png": picture("/b")}
    assert [record.path for record in done.records if done.staged(record)] == ["set/2.png"]


def test_a_mended_file_that_waits_in_staging_is_not_fetched_twice(
    bench: Bench, server: Pictures, tmp_path: Path
) -> None:
    rows, redo = server.rows("a"), frozenset({"set/1.png"})
    bench(rows)
    (tmp_path / "set").mkdir()
    (tmp_path / "set/1.png").write_bytes(bytes(len(picture("/a"))))
    server.forget()
    bench(rows, published=(tmp_path,), redo=redo)
    assert not server.hits
    (bench.staging / "set/1.png").write_bytes(bytes(len(picture("/a"))))
    bench(rows, published=(tmp_path,), redo=redo)
    assert server.hits == {"/a": 1} and bench.tree() == {"set/1.png": picture("/a")}


def test_a_damaged_twin_is_mended_from_a_proven_copy_only(
    bench: Bench, server: Pictures, tmp_path: Path
) -> None:
    rows = server.rows("a", "a")
    bench(rows)
    (bench.staging / "set").rename(tmp_path / "set")
    server.forget()
    bench(rows, published=(tmp_path,), redo=frozenset({"set/2.png"}))
    assert not server.hits and bench.tree() == {"set/2.png": picture("/a")}
    for number in "12":
        (tmp_path / f"set/{number}.png").write_bytes(bytes(len(picture("/a"))))
    (bench.staging / "set/2.png").unlink()
    bench(rows, published=(tmp_path,), redo=frozenset({"set/2.png"}))
    assert server.hits == {"/a": 1} and bench.tree() == {"set/2.png": picture("/a")}


def test_a_damaged_file_that_upstream_lost_is_missing(bench: Bench, server: Pictures, tmp_path: Path) -> None:
    bench(server.rows("a"))
    (bench.staging / "set").rename(tmp_path / "set")
    server.answers.update({"/a": status(404)})
    done = bench(server.rows("a"), published=(tmp_path,), redo=frozenset({"set/1.png"}))
    assert counts(done) == {Outcome.MISSING: 1} and not bench.tree()


# Half a file left in staging would have been published over the whole one.
def test_a_wrong_file_in_staging_outweighs_the_published_one(
    bench: Bench, server: Pictures, tmp_path: Path
) -> None:
    bench(server.rows("a"))
    (bench.staging / "set").rename(tmp_path / "set")
    (bench.staging / "set").mkdir()
    (bench.staging / "set/1.png").write_bytes(b"half")
    bench(server.rows("a"), published=(tmp_path,))
    assert bench.tree() == {"set/1.png": picture("/a")}


# The journal could not be written: UnicodeEncodeError ended the run.
def test_half_a_character_in_a_list_costs_its_rows_only(
    bench: Bench, server: Pictures, tmp_path: Path
) -> None:
    source = UrlList("l", "map", ("class", "id"), ("<link>",), "<class>/<id>.png", check="image")
    link = f"{server.url}/a"
    listed = {
        "c": {"1": {"link": link}, "2": {"link": f"{link}\ud800"}, "\udfff": 5},
        "\ud801": {"3": {"link": link}},
        "d": {"4": {"link": link, "title": "\ud802"}},
    }
    (tmp_path / "list").write_text(json.dumps(listed))
    done = bench(
        list(read_list(tmp_path / "list", "map", source.keys)), artifact=Artifact("p", source, folder="set")
    )
    assert counts(done) == {Outcome.OK: 2, Outcome.REJECTED: 3}
    assert sorted(bench.tree()) == ["set/c/1.png", "set/d/4.png"]
    for event in bench.events:
        event.text.encode()


def test_journals_that_cannot_be_read_are_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list would be published without its pictures, and called complete."""
    assert batch_files(tmp_path / "none") == ()
    (tmp_path / "000000.jsonl").touch()
    (tmp_path / ".000001.jsonl.tmp").touch()
    assert batch_files(tmp_path) == (tmp_path / "000000.jsonl",)

    def refuse(path: object) -> list[str]:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(NoRoom, match="cannot be read: permission denied"):
        batch_files(tmp_path)
