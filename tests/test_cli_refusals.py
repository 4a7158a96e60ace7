"""`get` when servers or archives misbehave: the exit code, one plain line, and nothing published or left outside."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from archives import GOOD, Entry, raw_zip, zip_of
from process import Ended, datafetch_
from server import (
    QUOTA,
    Answer,
    Exchange,
    Thing,
    corrupt,
    drop_after,
    first,
    redirect,
    status,
    web_page,
)
from test_cli_tree import files_below, scaffolding
from upstream import ORIGIN, Upstream, address, archive, expected

WHOLE = archive("pods", "real")
THING = Thing(WHOLE)


def get(url: str, root: Path, *more: str) -> Ended:
    args = ("get", "pods", "--mirror", url, "--mirror-only", "-o", str(root), "--json", *more)
    return datafetch_(*args, cwd=root.parent)


def outside(root: Path) -> list[str]:
    """What stands beside the output directory; nothing may."""
    return [name for name in os.listdir(root.parent) if name != root.name]


@contextmanager
def canary() -> Iterator[tuple[int, list[object]]]:
    """A port of this machine, and every connection that anybody made to it."""
    met: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def listen() -> None:
            while True:
                try:
                    connection, peer = listener.accept()
                except OSError:
                    return
                met.append(peer)
                connection.close()

        threading.Thread(target=listen, daemon=True).start()
        yield listener.getsockname()[1], met
        listener.shutdown(socket.SHUT_RDWR)


# --- Answers that are not the file -----------------------------------------------------------------------------------

BAD_ANSWERS: dict[str, tuple[Answer, int, str]] = {
    "404": (status(404), 4, "gone"),
    "403": (status(403), 7, "forbidden"),
    "login page": (web_page(), 7, "html"),
    "page without a label": (
        status(200, b"\n<!DOCTYPE html><p>hi", Content_Type="application/zip"),
        7,
        "html",
    ),
    "quota page": (web_page(QUOTA), 7, "quota"),
    "redirect to a file": (redirect("file:///etc/passwd"), 5, "refused"),
    "redirect to the metadata service": (redirect("http://169.254.169.254/latest/meta-data/"), 5, "refused"),
    "redirects without end": (redirect(f"{ORIGIN}/pods.zip"), 5, "refused"),
}


@dataclass(frozen=True)
class Outcome:
    """What a run left, and what the mirror was asked."""

    ended: Ended
    root: Path
    asked: int


Outcomes = dict[str, Future[Outcome]]


def run(folder: Path, answer: Answer, *choices: str) -> Outcome:
    with Upstream({"/pods.zip": answer}).serve() as server:
        ended = get(server.url, folder / "out", *choices)
        return Outcome(ended, folder / "out", len(server.asked(address("pods", "real"))))


def side_by_side(base: Path, answers: Mapping[str, Answer], *choices: str) -> Iterator[Outcomes]:
    """All of them under way: most of the time of each is the start of Python."""
    for name in answers:
        (base / name).mkdir()
    with ThreadPoolExecutor(4) as pool:
        yield {name: pool.submit(run, base / name, answer, *choices) for name, answer in answers.items()}


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcomes]:
    answers = {name: answer for name, (answer, _, _) in BAD_ANSWERS.items()}
    yield from side_by_side(tmp_path_factory.mktemp("answers"), answers)


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_an_answer_that_is_not_the_file_ends_with_its_code_and_a_line(name: str, answered: Outcomes) -> None:
    _, code, why = BAD_ANSWERS[name]
    outcome = answered[name].result()
    ended = outcome.ended
    problem = ended.report["problems"][0]
    assert (ended.code, problem["why"]) == (code, why), ended.err
    assert problem["name"] == "real" and problem["url"] and problem["text"]
    assert ended.report["status"] == "failed"
    counts = ended.report["counts"]
    assert (counts["ok"], counts["total"]) == (0, 1) and counts["missing" if code == 4 else "failed"] == 1
    asked = 11 if name == "redirects without end" else 1
    assert outcome.asked == asked, "such an answer is not asked for again"
    assert files_below(outcome.root) == {} and outside(outcome.root) == []


def test_one_artifact_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    root = tmp_path / "out"
    with Upstream({"/pods.zip": status(403)}).serve() as server:
        ended = get(server.url, root, "--negatives")
    assert (ended.code, ended.report["status"]) == (7, "partial")
    assert files_below(root) == expected("pods", "negatives")


def test_of_several_failures_the_gravest_gives_the_exit_code(tmp_path: Path) -> None:
    gone = {"/pods.zip": status(404), "_negatives.zip": status(403)}
    with Upstream(gone).serve() as server:
        ended = get(server.url, tmp_path / "out", "--negatives")
    assert ended.code == 7
    assert {problem["why"] for problem in ended.report["problems"]} == {"gone", "forbidden"}


def test_a_server_that_is_down_for_good_ends_with_5(tmp_path: Path) -> None:
    """A second mirror shortens the patience with the first; that it has no such file does not make the file gone."""
    with (
        Upstream({"/pods.zip": status(503)}).serve() as down,
        Upstream({"/pods.zip": status(404)}).serve() as empty,
    ):
        ended = get(down.url, tmp_path / "out", "--mirror", empty.url)
    assert (ended.code, ended.report["problems"][0]["why"]) == (5, "throttled")


def test_faults_that_pass_are_overcome(tmp_path: Path) -> None:
    root = tmp_path / "out"
    faults = {
        "/pods.zip": first(2, drop_after(len(WHOLE) // 3, THING), THING),
        "_negatives.zip": first(1, status(503, Retry_After="0"), Thing(archive("pods", "negatives"))),
    }
    with Upstream(faults).serve() as server:
        ended = get(server.url, root, "--negatives")
        starts = [seen.start for seen in server.asked(address("pods", "real"))]
    assert ended.code == 0, ended.err
    assert starts[0] == 0 and all(starts[1:]), "what had arrived is continued"
    assert ended.report["bytes"]["transferred"] == len(WHOLE) + len(archive("pods", "negatives"))
    assert files_below(root) == expected("pods", "real") | expected("pods", "negatives")


def test_a_mirror_that_lacks_a_file_is_passed_over(tmp_path: Path) -> None:
    root = tmp_path / "out"
    with Upstream({".zip": status(404)}).serve() as empty, Upstream().serve() as full:
        ended = get(empty.url, root, "--mirror", full.url)
    assert ended.code == 0, ended.err
    assert files_below(root) == expected("pods", "real")


# --- Addresses -------------------------------------------------------------------------------------------------------


def recipe_of(tmp_path: Path, url: str, more: str = "") -> tuple[str, ...]:
    """A recipe with one zip at this address, and the options that let `get tiny` find it."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    text = f"name: tiny\ntitle: tiny\nartifacts:\n  - name: real\n    url: {url}\n    unpack: true\n{more}"
    (folder / "tiny.yaml").write_text(text)
    return ("--registry", str(folder))


def test_a_private_address_is_refused_without_a_connection(tmp_path: Path) -> None:
    with canary() as (port, met):
        for host in ("127.0.0.1", "localhost", "0x7f000001"):
            folder = tmp_path / host.strip("[]").replace(":", "-")
            folder.mkdir()
            options = recipe_of(folder, f'"http://{host}:{port}/a.zip"')
            ended = datafetch_("get", "tiny", *options, "-o", "out", "--json", cwd=folder)
            problem = ended.report["problems"][0]
            assert (ended.code, problem["why"]) == (5, "refused"), (host, ended.err)
            assert "--allow-private" in problem["hint"]
        assert met == []


def test_allow_private_permits_it(tmp_path: Path) -> None:
    with Upstream().serve() as server:
        options = recipe_of(tmp_path, f'"{server.url}{address("pods", "real")}"')
        args = ("get", "tiny", *options, "-o", "out", "--json")
        assert datafetch_(*args, "--allow-private", cwd=tmp_path).code == 0
        assert datafetch_(*args[:-1], "-q", cwd=tmp_path, env={"DATAFETCH_ALLOW_PRIVATE": "1"}).code == 0


def test_a_redirect_to_a_private_address_is_refused_without_a_connection(tmp_path: Path) -> None:
    with canary() as (port, met):
        for host in ("127.0.0.1", "localhost"):
            with Upstream({"/pods.zip": redirect(f"http://{host}:{port}/pods.zip")}).serve() as server:
                ended = get(server.url, tmp_path / "out")
            assert (ended.code, ended.report["problems"][0]["why"]) == (5, "refused"), (host, ended.err)
        assert met == []
    assert files_below(tmp_path / "out") == {}


def test_secrets_in_an_address_appear_nowhere(tmp_path: Path) -> None:
    root = tmp_path / "out"
    with Upstream({"/pods.zip": redirect("http://user:hunter2@192.0.2.7/x?token=sesame")}).serve() as server:
        ended = get(server.url, root, "-v")
    assert ended.code == 5
    kept = b"".join(path.read_bytes() for path in root.rglob("*") if path.is_file())
    for secret in ("hunter2", "sesame"):
        assert secret not in ended.out + ended.err and secret.encode() not in kept


# --- Archives --------------------------------------------------------------------------------------------------------

EVIL = b"../../../evil"
BAD_ARCHIVES = {
    "parent folder": (raw_zip([GOOD, Entry(EVIL, b"x")]), "'..'"),
    "parent folder with backslashes": (raw_zip([GOOD, Entry(EVIL.replace(b"/", b"\\"), b"x")]), "'..'"),
    "absolute path": (raw_zip([GOOD, Entry(b"/tmp/evil", b"x")]), "absolute"),
    "symbolic link": (
        raw_zip([GOOD, Entry(b"train/a/link", b"/etc/passwd", mode=0o120777)]),
        "symbolic link",
    ),
    "bomb": (
        raw_zip([GOOD, Entry(b"train/a/1.jpg", bytes(1 << 16), method=8, size=1 << 30)]),
        "more than 250 times",
    ),
    "cut short": (WHOLE[: len(WHOLE) // 2], "no directory at its end"),
    "one byte wrong": (corrupt(THING, WHOLE.index(b"\xff\xd8\xff") + 300).data, "CRC differs"),
    "no archive": (b"just some text\n" * 50, "not an archive"),
    "empty": (b"", ""),
}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcomes]:
    answers = {name: Thing(data) for name, (data, _) in BAD_ARCHIVES.items()}
    yield from side_by_side(tmp_path_factory.mktemp("archives"), answers, "--negatives")


@pytest.mark.parametrize("name", BAD_ARCHIVES)
def test_a_bad_archive_is_refused_whole_and_nothing_of_it_is_written(name: str, unpacked: Outcomes) -> None:
    outcome = unpacked[name].result()
    root, ended = outcome.root, outcome.ended
    assert ended.code == 5, ended.err
    problem = ended.report["problems"][0]
    assert problem["name"] == "real" and BAD_ARCHIVES[name][1] in problem["text"]
    assert files_below(root) == expected("pods", "negatives") and outside(root) == []
    assert set(scaffolding(root, "pods")) <= {"archives/real"}, "at most what was fetched"


def test_a_zip_that_arrived_damaged_is_fetched_once_more(tmp_path: Path) -> None:
    root = tmp_path / "out"
    cut, whole = Thing(WHOLE[:-5000]), THING
    with Upstream({"/pods.zip": first(1, cut, whole)}).serve() as server:
        ended = get(server.url, root)
        assert len(server.seen) == 2
    assert ended.code == 0, ended.err
    assert files_below(root) == expected("pods", "real")


@pytest.mark.parametrize(
    ("answer", "code"), [(first(1, corrupt(THING), THING), 0), (corrupt(THING), 5)], ids=["once", "always"]
)
def test_a_checksum_that_differs_is_never_published(tmp_path: Path, answer: Answer, code: int) -> None:
    digest = hashlib.sha256(WHOLE).hexdigest()
    sums = f"    checksums:\n      - {{sha256: {digest}, source: the test}}\n"
    root = tmp_path / "out"
    with Upstream({"/pods.zip": answer}).serve() as server:
        options = recipe_of(tmp_path, f'"{server.url}{address("pods", "real")}"', sums)
        ended = datafetch_("get", "tiny", *options, "--allow-private", "-o", "out", "--json", cwd=tmp_path)
        asked = len(server.seen)
    assert (ended.code, asked) == ((0, 2) if code == 0 else (5, 3)), ended.err
    if code:
        assert ended.report["problems"][0]["why"] == "checksum"
        assert files_below(root) == {} and scaffolding(root, "tiny") == []


def test_a_file_that_changes_while_it_is_fetched_is_never_a_mix(tmp_path: Path) -> None:
    tree = {path: data + b"new" for path, data in expected("pods", "real").items()}
    new = Thing(zip_of(tree))
    with Upstream({"/pods.zip": first(1, drop_after(len(WHOLE) // 2, THING), new)}).serve() as server:
        ended = get(server.url, tmp_path / "out")
    assert ended.code == 0, ended.err
    assert files_below(tmp_path / "out") == tree


# --- Limits of the user ----------------------------------------------------------------------------------------------


def silent(exchange: Exchange) -> None:
    exchange.wait_for_close(20)


def test_max_duration_ends_with_10(tmp_path: Path) -> None:
    with Upstream({"/pods.zip": silent}).serve() as server:
        ended = get(server.url, tmp_path / "out", "--max-duration", "0.3s")
    assert (ended.code, ended.report["status"]) == (10, "failed")


def test_max_transfer_ends_with_8_and_the_next_run_goes_on(tmp_path: Path) -> None:
    root = tmp_path / "out"
    with Upstream().serve() as server:
        ended = get(server.url, root, "--negatives", "--max-transfer", "1K", "-j", "1")
        assert ended.code == 8
        assert get(server.url, root, "--negatives").code == 0
    assert files_below(root) == expected("pods", "real") | expected("pods", "negatives")


def test_offline_asks_nobody_and_says_so(tmp_path: Path) -> None:
    with Upstream().serve() as server:
        ended = get(server.url, tmp_path / "out", "--offline")
        assert server.seen == ()
    assert (ended.code, ended.report["problems"][0]["why"]) == (5, "offline")


@pytest.mark.parametrize("command", ["get", "verify"])
def test_mirror_only_without_a_mirror_asks_nobody(command: str, tmp_path: Path) -> None:
    """It showed itself as 300 MB fetched from the origin on a site that forbids it."""
    ended = datafetch_(command, "pods", "--mirror-only", cwd=tmp_path)
    assert ended.code == 2
    assert "--mirror-only without a mirror" in ended.err
