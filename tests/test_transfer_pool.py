"""One file through every fault of the table in threats.md."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from datafetch.demo.server import FaultServer
from datafetch.model import Checksum, Why
from datafetch.store.journal import known
from datafetch.transfer.retry import Patience
from tests.server import BODY, OTHER, serve
from tests.transfers import Bench, sha256


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with serve() as running:
        yield running


@pytest.mark.parametrize(
    "path",
    [
        "plain",
        "drop-after/500",
        "drop-always/7000",
        "reset-after/500",
        "ignores-range",
        "throttle-twice",
        "throttle-date",
        "unavailable-twice",
        "wrong-offset",
        "wrong-total",
        "multipart",
        "slice-200",
        "unmet",
        "chunked-206",
        "short-206",
        "weak",
        "no-validator",
        "date-only",
        "date-fresh",
        "chunked",
        "hop/10",
        "to-plain",
    ],
)
@pytest.mark.parametrize("proven", [True, False])
def test_the_file_arrives_whole_despite(path: str, proven: bool, bench: Bench, server: FaultServer) -> None:
    fetched = bench(f"{server.url}/{path}", checksums=(sha256(BODY),) if proven else (), archive=True)
    assert bench.target.read_bytes() == BODY
    assert (fetched.size, fetched.sha256) == (len(BODY), hashlib.sha256(BODY).hexdigest())
    assert not bench.part.exists()
    assert known(bench.journal).done == fetched
    assert known(bench.journal).part is None


FINAL = {
    "html": Why.HTML,
    "html-unlabelled": Why.HTML,
    "quota": Why.QUOTA,
    "error-xml": Why.HTML,
    "error-json": Why.HTML,
    "gone": Why.GONE,
    "gone-410": Why.GONE,
    "forbidden": Why.FORBIDDEN,
    "login": Why.FORBIDDEN,
    "loop": Why.REFUSED,
    "hop/11": Why.REFUSED,
    "to-file": Why.REFUSED,
    "to-ftp": Why.REFUSED,
    "to-credentials": Why.REFUSED,
    "to-nowhere": Why.BAD_ANSWER,
    "unasked-206": Why.BAD_ANSWER,
    "two-lengths": Why.BAD_ANSWER,
    "header-flood": Why.BAD_ANSWER,
    "http09": Why.BAD_ANSWER,
    "nul-header": Why.BAD_ANSWER,
    "half-head": Why.BAD_ANSWER,
    "no-answer": Why.CONNECTION,
    "broken": Why.SERVER_ERROR,
    "chunked-cut": Why.SHORT,
    "bad-chunk": Why.CONNECTION,
    "corrupt-always": Why.CHECKSUM,
    "gzip-packed": Why.CHECKSUM,
    "no-length-cut": Why.CHECKSUM,
    "empty": Why.CHECKSUM,
    "throttle-always": Why.THROTTLED,
}


@pytest.mark.parametrize(("path", "why"), FINAL.items())
def test_no_file_stands_under_its_name_after(path: str, why: Why, bench: Bench, server: FaultServer) -> None:
    failed = bench.fails(f"{server.url}/{path}", checksums=(sha256(BODY),), archive=True)
    assert getattr(failed, "why", None) is why, failed
    assert not bench.target.exists()
    assert "hunter2" not in f"{failed} {failed.hint} {bench.events}"


def test_a_page_is_never_written_anywhere(bench: Bench, server: FaultServer) -> None:
    bench.fails(f"{server.url}/html", archive=True)
    assert [path for path in bench.folder.rglob("*") if path.is_file()] == []


def test_corrupt_once_is_fetched_again_from_zero(bench: Bench, server: FaultServer) -> None:
    bench(f"{server.url}/corrupt-once", checksums=(sha256(BODY),))
    assert bench.whys() == ["checksum"]
    assert [seen.start for seen in server.seen] == [0, 0]


def test_corrupt_always_is_asked_three_times_then_the_next_mirror(bench: Bench, server: FaultServer) -> None:
    bench(f"{server.url}/corrupt-always", f"{server.url}/plain", checksums=(sha256(BODY),))
    assert len(server.asked("/corrupt-always")) == 3
    assert bench.target.read_bytes() == BODY


def test_every_checksum_of_the_recipe_is_compared_and_recorded(bench: Bench, server: FaultServer) -> None:
    md5 = Checksum("md5", hashlib.md5(BODY).hexdigest())
    assert bench(f"{server.url}/plain", checksums=(md5,)).digests == (("md5", md5.digest),)
    bad = Checksum("sha1", "0" * 40)
    assert bench.fails(f"{server.url}/plain", checksums=(md5, bad)).why is Why.CHECKSUM  # type: ignore[attr-defined]


def test_resume_asks_only_for_what_is_missing(bench: Bench, server: FaultServer) -> None:
    bench(f"{server.url}/drop-after/5000")
    (_, rest) = server.seen
    assert rest.start == 5000
    assert rest.headers["if-range"].startswith('"')
    assert bench.received == len(BODY)


@pytest.mark.parametrize("path", ["weak", "no-validator", "date-fresh", "ignores-range"])
def test_without_a_strong_validator_it_starts_again(path: str, bench: Bench, server: FaultServer) -> None:
    bench(f"{server.url}/{path}")
    assert bench.received == len(BODY) + len(BODY) // 2
    if path != "ignores-range":
        assert [seen.start for seen in server.seen] == [0, 0]


@pytest.mark.parametrize("path", ["changed", "changed-unsaid"])
def test_a_file_that_changed_between_two_attempts_is_never_mixed(
    path: str, bench: Bench, server: FaultServer
) -> None:
    bench(f"{server.url}/{path}")
    assert bench.target.read_bytes() == OTHER


def test_a_later_run_continues_the_part(bench: Bench, server: FaultServer) -> None:
    dead = f"{server.url}/drop-always/0"
    bench.fails(f"{server.url}/gone", dead)
    bench.fails(f"{server.url}/drop-after/5000", patience=Patience(tries=1))
    assert bench.part.stat().st_size == 5000
    bench.events.clear()
    bench(f"{server.url}/drop-after/5000")
    assert bench.received == len(BODY) - 5000


def test_a_part_goes_on_at_the_next_mirror_when_a_checksum_proves_it(
    bench: Bench, server: FaultServer
) -> None:
    urls = (f"{server.url}/reset-after/5000", f"{server.url}/plain")
    bench(*urls, checksums=(sha256(BODY),), patience=Patience(tries_before_next=1))
    assert server.asked("/plain")[0].start == 5000
    assert bench.received == len(BODY)


def test_a_part_starts_again_at_the_next_mirror_when_nothing_proves_it(
    bench: Bench, server: FaultServer
) -> None:
    urls = (f"{server.url}/reset-after/5000", f"{server.url}/plain")
    bench(*urls, patience=Patience(tries_before_next=1))
    assert server.asked("/plain")[0].start == 0


def test_no_length_is_accepted_only_with_proof(bench: Bench, server: FaultServer) -> None:
    url = f"{server.url}/no-length"
    assert bench.fails(url).why is Why.BAD_ANSWER  # type: ignore[attr-defined]
    for proof in ({"checksums": (sha256(BODY),)}, {"end_proves": True}, {"size": len(BODY)}):
        assert bench(url, **proof).size == len(BODY)


def test_a_file_that_differs_from_its_first_use_is_refused(bench: Bench, server: FaultServer) -> None:
    failed = bench.fails(f"{server.url}/plain", known_sha256=hashlib.sha256(OTHER).hexdigest())
    assert failed.why is Why.CHANGED  # type: ignore[attr-defined]
    assert hashlib.sha256(OTHER).hexdigest() in str(failed)
    assert hashlib.sha256(BODY).hexdigest() in str(failed)
    assert failed.hint
    assert len(server.seen) == 1
    assert not bench.target.exists()


def test_a_gzip_label_on_plain_bytes_changes_nothing(bench: Bench, server: FaultServer) -> None:
    bench(f"{server.url}/gzip-labelled")
    assert bench.target.read_bytes() == BODY


def test_bytes_that_were_packed_on_the_wire_are_refused(bench: Bench, server: FaultServer) -> None:
    assert bench.fails(f"{server.url}/gzip-packed").why is Why.BAD_ANSWER  # type: ignore[attr-defined]


def test_identity_is_asked_for(bench: Bench, server: FaultServer) -> None:
    bench(f"{server.url}/plain")
    (seen,) = server.seen
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.headers["user-agent"].startswith("datafetch/")


def test_a_size_in_the_recipe_is_compared_before_the_body(bench: Bench, server: FaultServer) -> None:
    assert bench.fails(f"{server.url}/plain", size=7).why is Why.CHANGED  # type: ignore[attr-defined]
    assert bench.received == 0


def test_gone_everywhere_is_gone_but_gone_at_a_mirror_is_not(bench: Bench, server: FaultServer) -> None:
    url = server.url
    assert bench.fails(f"{url}/gone", f"{url}/gone-410").exit_code == 4
    assert bench.fails(f"{url}/gone", f"{url}/broken").exit_code == 5
    assert bench.fails(f"{url}/broken", f"{url}/gone").exit_code == 5
    assert known(bench.journal).gone is not None


def test_retry_after_slows_the_host(bench: Bench, server: FaultServer) -> None:
    bench(f"{server.url}/throttle-twice/7")
    assert bench.time.slept == [7.0, 7.0]
    bench.time.slept.clear()
    bench(f"{server.url}/throttle-date")
    assert bench.time.slept == [60.0, 60.0]


def test_an_absurd_retry_after_ends_in_a_time_to_come_back(bench: Bench, server: FaultServer) -> None:
    failed = bench.fails(f"{server.url}/throttle-always/864000")
    assert "10 days" in failed.hint
    assert set(bench.time.slept) <= {60.0}


def test_the_mirror_is_asked_first_and_the_origin_after_it(bench: Bench, server: FaultServer) -> None:
    host = server.url.removeprefix("http://")
    bench(f"{server.url}/plain", settings={"mirrors": (f"{server.url}/gone/",)})
    assert [seen.path for seen in server.seen] == [f"/gone/{host}/plain", "/plain"]
    failed = bench.fails(
        f"{server.url}/plain", settings={"mirrors": (f"{server.url}/gone",), "mirror_only": True}
    )
    assert failed.exit_code == 4
    assert len(server.asked("/plain")) == 1


def test_no_room_is_told_before_the_first_byte(
    bench: Bench, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datafetch.transfer.attempt.free_space", lambda path: (100, 100))
    assert bench.fails(f"{server.url}/plain").exit_code == 12
    assert bench.received == 0
