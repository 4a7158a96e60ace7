"""Servers that mean harm: where they may lead us, what they may learn, and how much they may cost."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pycurl
import pytest
from process import environment
from proxy import Proxy
from tiny import get, recipe

from datafetch.demo.server import Answer, Exchange, FaultServer, Thing, redirect, status
from datafetch.errors import TransferFailed
from datafetch.model import Settings, Why
from datafetch.transfer import line
from datafetch.transfer.addresses import safe_url
from datafetch.transfer.engine import Limits
from datafetch.transfer.http import client, open_url

DATA = b"\x01\x02 some bytes \xff" * 5000


@contextmanager
def canary() -> Iterator[tuple[int, list[object]]]:
    """A port of both loopback addresses, where nobody may come; and who came."""
    came: list[object] = []
    with ExitStack() as stack:
        first = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = first.getsockname()[1]
        listeners = [first]
        try:
            six = socket.create_server(("::1", port), family=socket.AF_INET6)
            listeners.append(stack.enter_context(six))
        except OSError:
            pass  # no IPv6 here

        def listen(listener: socket.socket) -> None:
            try:
                while True:
                    came.append(listener.accept())
            except OSError:
                return

        for listener in listeners:
            threading.Thread(target=listen, args=(listener,), daemon=True).start()
        yield port, came
        for listener in listeners:
            listener.shutdown(socket.SHUT_RDWR)


def refusal(url: str, **settings: object) -> TransferFailed:
    async def ask() -> None:
        async with client(Settings(root="/", **settings)) as http, open_url(http, url):  # type: ignore[arg-type]
            pass

    with pytest.raises(TransferFailed) as caught:
        asyncio.run(ask())
    return caught.value


SPELLINGS = [
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0.0.0.0",
    "localhost",
    "LocalHost.",
    "a.localhost",
    "①②⑦.⓪.⓪.①",
    "１２７.0.0.1",
    "127。0。0。1",
    "ⓛocalhost",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "0xa9fea9fe",
    "172.16.0.1",
    "192.168.0.1",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_private_address_is_dialled(spelling: str) -> None:
    with canary() as (port, came):
        assert refusal(f"http://{spelling}:{port}/").why is Why.REFUSED
        assert came == []


def test_no_redirect_to_any_spelling_is_followed() -> None:
    with canary() as (port, came):
        table: dict[str, Answer] = {
            f"/{at}": redirect(f"http://{spelling}:{port}/")
            for at, spelling in enumerate(filter(str.isascii, SPELLINGS))
        }
        with FaultServer(table.get) as server:
            for path in table:
                assert refusal(f"{server.url}{path}", mirrors=(server.url,)).why is Why.REFUSED, path
        assert came == []


# --- Names --------------------------------------------------------------------------------------------------


@contextmanager
def resolving(monkeypatch: pytest.MonkeyPatch, *entries: str) -> Iterator[None]:
    """libcurl itself resolves these names so: "name:port:address,address"."""
    real = line.fixed

    def fixed(*words: object) -> Mapping[int, object]:
        return {**real(*words), pycurl.RESOLVE: list(entries)}  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(line, "fixed", fixed)
        yield


@pytest.mark.parametrize("address", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "127.0.0.1,[::1]"])
def test_a_name_that_leads_to_a_private_address_is_not_dialled(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with canary() as (port, came):
        with resolving(monkeypatch, f"inside.example:{port}:{address}"):
            assert refusal(f"http://inside.example:{port}/").why is Why.REFUSED
        assert came == []


def test_a_name_that_leads_elsewhere_the_second_time_is_checked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rebinding: first the mirror, which may be private; then the same name and port as no mirror of ours."""
    with FaultServer(lambda path: redirect(f"http://rebind.example:{canary_port}/x")) as server:
        with canary() as (canary_port, came):
            port = server.url.rpartition(":")[2]
            entries = (f"mirror.example:{port}:127.0.0.1", f"rebind.example:{canary_port}:127.0.0.1")
            with resolving(monkeypatch, *entries):
                failed = refusal(f"http://mirror.example:{port}/", mirrors=(f"http://mirror.example:{port}",))
            assert failed.why is Why.REFUSED
            assert "rebind.example" in str(failed)
            assert came == []
        assert len(server.seen) == 1


@pytest.mark.parametrize("scheme", ["file", "ftp", "gopher", "dict", "ldap", "scp", "javascript", "data"])
def test_no_other_scheme_is_spoken(scheme: str, tmp_path: Path) -> None:
    with canary() as (port, came):
        assert refusal(f"{scheme}://127.0.0.1:{port}/etc/passwd", allow_private=True).why is Why.REFUSED
        with FaultServer(lambda path: redirect(f"{scheme}://127.0.0.1:{port}/x")) as server:
            assert refusal(f"{server.url}/", allow_private=True).why is Why.REFUSED
        assert came == []


# --- Secrets ------------------------------------------------------------------------------------------------

SIGNED = (
    "X-Amz-Credential=AKIAhunter2&X-Amz-Signature=hunter2&token=hunter2&sig=hunter2&X-Goog-Signature=hunter2"
)


@pytest.mark.parametrize(
    "answer", [Thing(DATA), status(403), status(503), redirect("/b?access_token=hunter2")]
)
def test_a_signed_address_shows_its_signature_to_its_server_only(answer: Answer, tmp_path: Path) -> None:
    seen_in_processes: list[bytes] = []

    def find(path: str) -> Answer:
        lines = [each.read_bytes() for each in Path("/proc").glob("[0-9]*/cmdline") if each.exists()]
        seen_in_processes.extend(words for words in lines if b"hunter2" in words)
        return Thing(DATA) if path == "/b" else answer

    with FaultServer(find) as server, Proxy(("127.0.0.1", int(server.url.rpartition(":")[2]))) as proxy:
        env = {"HTTP_PROXY": f"http://ann:hunter2@{proxy.address}"}
        urls = {"a": f"http://files.example/a?{SIGNED}&plain=1"}
        ended = get(tmp_path, urls, "-v", "--retries", "1", env=env)
        assert server.seen[0].path == f"/a?{SIGNED}&plain=1"
    assert "hunter2" not in ended.out + ended.err
    for path in (tmp_path / "out").rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes(), path
    assert seen_in_processes == []


@pytest.mark.parametrize(
    "name",
    ["token", "access_token", "sig", "signature", "X-Amz-Signature", "X-Amz-Security-Token", "X-Goog-Signature",
     "Signature", "Key-Pair-Id", "apikey", "api_key", "password", "auth", "AWSAccessKeyId", "sessionid", "jwt"],
)  # fmt: skip
def test_what_may_be_a_secret_in_a_query_is_not_shown(name: str) -> None:
    for url in (
        f"https://h/x?{name}=hunter2",
        f"https://h/x?a=1&{name}=hunter2&b=2",
        f"http://h?{name}=hunter2",
    ):
        assert "hunter2" not in safe_url(url)


def test_a_body_of_nothing_but_framing_ends(tmp_path: Path) -> None:
    """The extension of a chunk may be endless; it is no byte of the body, and counts as none for the speed."""
    answer = endless(CHUNKED + b"5;", b"a" * (1 << 16))

    async def ask(url: str) -> None:
        limits = Limits(low_speed_time=1)
        settings = Settings(root="/", allow_private=True)
        async with client(settings) as http, open_url(http, url, limits=limits) as found:
            assert [chunk async for chunk in found.chunks()] == []

    with FaultServer(lambda path: answer) as server, pytest.raises(TransferFailed) as caught:
        asyncio.run(asyncio.wait_for(ask(server.url), 10))
    assert caught.value.why is Why.TOO_SLOW


# --- Costs --------------------------------------------------------------------------------------------------

MOST = 24 << 20  # bytes that a hostile answer may add to the memory of a run


def endless(head: bytes, more: bytes) -> Answer:
    """Sends `more` until the other side has gone, or a gigabyte is through."""

    def answer(exchange: Exchange) -> None:
        exchange.raw(head)
        for _ in range((1 << 30) // len(more)):
            exchange.raw(more)

    return answer


def raw(data: bytes) -> Answer:
    def answer(exchange: Exchange) -> None:
        exchange.raw(data)
        exchange.hang_up()

    return answer


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LINES = b"X-Flood: " + b"a" * 8000 + b"\r\n"
HOSTILE: dict[str, Answer] = {
    "headers without end": endless(OK, LINES * 16),
    "one header without end": endless(OK + b"X-Flood: ", b"a" * (1 << 17)),
    "a status line without end": endless(b"HTTP/1.1 200 ", b"a" * (1 << 17)),
    "interim answers without end": endless(b"", b"HTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\n" * 4000),
    "trailers without end": endless(CHUNKED + b"5\r\nhello\r\n0\r\n", LINES * 16),
    "a chunk size without end": endless(CHUNKED, b"0" * (1 << 17)),
    "a chunk size beyond all numbers": raw(CHUNKED + b"FFFFFFFFFFFFFFFFFF\r\nhello"),
    "a negative chunk size": raw(CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size that is none": raw(CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n"),
    "two lengths": raw(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    "two lengths in one": raw(OK + b"Content-Length: 5, 6\r\n\r\nhello!"),
    "a negative length": raw(OK + b"Content-Length: -5\r\n\r\nhello!"),
    "a length that is none": raw(OK + b"Content-Length: five\r\n\r\nhello!"),
    "NUL in a header": raw(OK + b"X-A: a\0b\r\nContent-Length: 5\r\n\r\nhello"),
    "HTTP/0.9": raw(b"hello" * 100),
    "HTTP/2 without asking": raw(b"HTTP/2 200\r\nContent-Length: 5\r\n\r\nhello"),
    "a body without end": endless(OK + b"\r\n", b"a" * (1 << 17)),
    "a chunked body without end": endless(CHUNKED, b"20000\r\n" + b"a" * (1 << 17) + b"\r\n"),
    "more than a length beyond all numbers": endless(
        OK + b"Content-Length: 9" + b"9" * 30 + b"\r\n\r\n", b"a" * 4096
    ),
}
# What nothing but its size ends: the recipe says how long the file is.
SIZE = "  - {name: sized, url: 'URL', checksums: unknown, size: 1000000}\n"

MEASURED = """
import resource, sys
from datafetch.cli import run
code = run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def measured(folder: Path, url: str) -> tuple[int, str, int]:
    """Exit code, stderr, and the most memory in bytes of a run that gets one file."""
    named = recipe(folder, {}, SIZE.replace("URL", url))
    words = ("get", *named, "-o", "out", "--json", "--allow-private", "--retries", "1")
    command = (sys.executable, "-c", MEASURED, *words)
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=60
    )
    lines = done.stderr.splitlines()
    return done.returncode, done.stderr, int(lines[-1]) * 1024


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> int:
    """The memory of a run that meets an honest server."""
    with FaultServer(lambda path: Thing(bytes(1_000_000))) as server:
        code, err, most = measured(tmp_path_factory.mktemp("usual"), f"{server.url}/x")
    assert code == 0, err
    return most


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_ends_as_failed_in_little_memory(name: str, usual: int, tmp_path: Path) -> None:
    with FaultServer(lambda path: HOSTILE[name]) as server:
        code, err, most = measured(tmp_path, f"{server.url}/x")
        assert 1 <= len(server.seen) <= 3
    assert code == 5, err
    assert "Traceback" not in err
    assert most - usual < MOST
    assert not (tmp_path / "out" / "tiny").exists()
