"""`datafetch serve`: a bundle for a cluster; what it gives, and what it never does."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from process import datafetch_, start
from test_cli_tree import files_below
from upstream import Upstream, archive, expected

from datafetch.bundle.names import names_of, target_of
from datafetch.bundle.sums import add

BODY = bytes(range(256)) * 400
ADDRESS = "https://example.org/data/a.zip"
PATH = "/example.org/data/a.zip"
ODD = "https://example.org/get?file=../../a.zip&x=1"
SECRET = b"not for anybody"


def bundle(folder: Path) -> Path:
    """One with a body, another under an odd address, and a file beside mirror/."""
    made = {}
    for address, data in ((ADDRESS, BODY), (ODD, b"odd")):
        name = names_of(target_of(address))[0]
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        made[name] = data
    made["bundle.json"] = b'{"format": 1}'
    (folder / "bundle.json").write_bytes(made["bundle.json"])
    (folder / "recipes").mkdir()
    (folder / "recipes/x.yaml").write_bytes(SECRET)
    made["recipes/x.yaml"] = SECRET
    (folder / "mirror/example.org/unlisted").write_bytes(SECRET)
    add(
        folder / "SHA256SUMS", sorted((name, hashlib.sha256(data).hexdigest()) for name, data in made.items())
    )
    add(folder / "MISSING", [("example.org/gone.png", "gone"), ("example.org/late.png", "timeout")])
    return folder


@contextmanager
def serve(folder: Path, *args: str) -> Iterator[str]:
    """The command, in a process of its own; its address. It must end well at Ctrl-C."""
    with start(("serve", str(folder), *args), folder.parent) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert " at http://" in line, process.communicate()
            yield line.split(" at ")[1].split()[0]
        finally:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "stopped\n"), (out, err)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = bundle(tmp_path_factory.mktemp("served"))
    with serve(folder) as url:
        yield url


def ask(base: str, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(base.partition("://")[2], timeout=30)
    try:
        connection.request(
            method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


ETAG = f'"{hashlib.sha256(BODY).hexdigest()}"'


def test_a_file_comes_whole_with_its_digest_as_a_strong_etag(base: str) -> None:
    status, headers, body = ask(base, PATH)
    assert (status, body) == (200, BODY)
    assert (headers["etag"], headers["accept-ranges"], headers["content-length"]) == (
        ETAG,
        "bytes",
        str(len(BODY)),
    )
    status, headers, body = ask(base, PATH, "HEAD")
    assert (status, headers["content-length"], body) == (200, str(len(BODY)), b"")
    assert ask(base, PATH, If_None_Match=ETAG)[0] == 304


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [
        ("0-9", 0, 10),
        ("100-", 100, None),
        ("-7", -7, None),
        ("5-999999999", 5, None),
        ("-999999999", 0, None),
    ],
)
def test_a_range_is_given_as_asked(base: str, asked: str, begin: int, end: int | None) -> None:
    status, headers, body = ask(base, PATH, Range=f"bytes={asked}", If_Range=ETAG)
    assert (status, body) == (206, BODY[begin:end])
    first = begin % len(BODY) if begin < 0 else begin
    assert headers["content-range"] == f"bytes {first}-{first + len(body) - 1}/{len(BODY)}"


def test_another_version_or_several_ranges_get_the_whole(base: str) -> None:
    assert ask(base, PATH, Range="bytes=5-", If_Range='"old"')[::2] == (200, BODY)
    assert ask(base, PATH, Range="bytes=0-1,4-5")[::2] == (200, BODY)


@pytest.mark.parametrize("asked", [f"{len(BODY)}-", "-0"])
def test_a_range_beyond_the_end_is_refused(base: str, asked: str) -> None:
    status, headers, _ = ask(base, PATH, Range=f"bytes={asked}")
    assert (status, headers["content-range"]) == (416, f"bytes */{len(BODY)}")


def test_an_address_that_is_no_file_name_is_found_as_well(base: str) -> None:
    assert ask(base, "/example.org/get?file=../../a.zip&x=1")[2] == b"odd"
    assert ask(base, "/example.org/get?file=../../a.zip&x=2")[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/",
            "//",
            "/recipes/x.yaml",
            "/bundle.json",
            "/SHA256SUMS",
            "/example.org/unlisted",
            "/example.org",
        ),
        *("/../recipes/x.yaml", "/%2e%2e/recipes/x.yaml", "/example.org/../../recipes/x.yaml", "/~/00/00"),
        *("/example.org/..%2f..%2frecipes/x.yaml", "/example.org/data/a.zip/", "/example.org/data/a.zip%00"),
        *("http://example.org/data/a.zip", "*", "/\xff", "/" + "a/" * 4000, "//etc/passwd", "/[::bad/x"),
    ],
)
def test_nothing_but_the_bodies_is_given(base: str, path: str) -> None:
    host, _, port = base.partition("://")[2].partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode("latin-1"))
        said = b""
        while data := raw.recv(1 << 16):
            said += data
    assert int(said.split()[1]) in (400, 404, 414)
    assert SECRET not in said


def test_a_link_below_mirror_leads_nowhere(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "b")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a.zip").write_bytes(SECRET)
    shutil.rmtree(folder / "mirror/example.org/data")
    (folder / "mirror/example.org/data").symlink_to(tmp_path / "outside")
    with serve(folder, "--no-check") as url:
        status, _, body = ask(url, PATH)
    assert status == 500
    assert SECRET not in body


def test_what_was_gone_is_gone_and_what_failed_is_not_called_so(base: str) -> None:
    assert ask(base, "/example.org/gone.png")[0] == 410
    assert ask(base, "/example.org/late.png")[0] == 403
    assert ask(base, "/example.org/never.png")[0] == 404


def test_one_connection_serves_many_requests_and_many_connections_at_once(base: str) -> None:
    connection = http.client.HTTPConnection(base.partition("://")[2], timeout=30)
    for _ in range(20):
        connection.request("GET", PATH)
        assert connection.getresponse().read() == BODY
        assert connection.sock is not None  # it was kept
    with ThreadPoolExecutor(24) as pool:
        assert set(pool.map(lambda _: ask(base, PATH)[2], range(96))) == {BODY}
    connection.close()


def test_a_body_that_nobody_asked_for_is_not_taken_for_a_request(base: str) -> None:
    host, _, port = base.partition("://")[2].partition(":")
    inner = b"GET /example.org/data/a.zip HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as raw:
        head = b"GET /example.org/gone.png HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(inner)
        raw.sendall(head + inner)
        said = b""
        try:
            while data := raw.recv(1 << 16):
                said += data
        except ConnectionResetError:
            pass
    assert said.count(b"HTTP/1.1 ") == 1


def test_a_client_that_goes_away_in_the_middle_harms_nobody(base: str) -> None:
    host, _, port = base.partition("://")[2].partition(":")
    for _ in range(5):
        with socket.create_connection((host, int(port)), timeout=30) as raw:
            raw.sendall(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            raw.recv(10)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert ask(base, PATH)[2] == BODY


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_curl_resumes_from_it(base: str, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(BODY[:1000])
    subprocess.run(("curl", "-sS", "-C", "-", "-o", "a.zip", f"{base}{PATH}"), cwd=tmp_path, check=True)
    assert (tmp_path / "a.zip").read_bytes() == BODY
    done = subprocess.run(("curl", "-sS", "-r", "10-19", f"{base}{PATH}"), capture_output=True, check=True)
    assert done.stdout == BODY[10:20]


def test_a_damaged_bundle_is_not_served(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "b")
    (folder / "mirror/example.org/data/a.zip").write_bytes(BODY[:-1] + b"?")
    ended = datafetch_("serve", str(folder), cwd=tmp_path)
    assert ended.code == 13
    assert "mirror/example.org/data/a.zip: sha256" in ended.err


def test_a_port_that_is_taken_is_told_in_one_line(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "b")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = datafetch_("serve", str(folder), "--port", port, cwd=tmp_path)
    assert ended.code == 2
    assert ended.err.splitlines()[0].startswith(f"error: cannot listen at 127.0.0.1 port {port}")


@pytest.mark.parametrize("how", [(), ("--stream",), ("--split", "test")])
def test_a_plain_get_from_another_process_takes_it_for_a_mirror(tmp_path: Path, how: tuple[str, ...]) -> None:
    with Upstream().serve() as server:
        args = ("bundle", "export", "pods", "-o", "b", "--mirror", server.url, "--mirror-only")
        assert datafetch_(*args, cwd=tmp_path).code == 0
    with serve(tmp_path / "b") as url:
        args = ("get", "pods", "--mirror", url, "--mirror-only", "-o", "out", *how)
        ended = datafetch_(*args, cwd=tmp_path)
        assert ended.code == 0, ended.err
        whole = ask(url, "/data.csail.mit.edu/personal_rep/pods.zip")[2]
    assert whole == archive("pods", "real")
    wanted = expected("pods", "real")
    if how == ("--split", "test"):
        wanted = {path: data for path, data in wanted.items() if not path.startswith("pods/train")}
        found = set(files_below(tmp_path / "out"))
        assert "pods/pods_info.json" in found
        assert not [path for path in found if path.startswith("pods/train/")]
    else:
        assert files_below(tmp_path / "out") == wanted


def test_the_line_to_type_names_choices_recipes_and_what_was_brought(tmp_path: Path) -> None:
    with Upstream().serve() as server:
        args = (
            "bundle",
            "export",
            "pods",
            "--negatives",
            "--split",
            "test",
            "-o",
            "b",
            "--mirror",
            server.url,
        )
        assert datafetch_(*args, cwd=tmp_path).code == 0
    with start(("serve", "b"), tmp_path) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split(" at ")[1].split()[0]
        line = process.stdout.readline().strip()
        os.kill(process.pid, signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert line == f"datafetch get pods --negatives --split test --mirror {url} --mirror-only"
