"""The engine and the seam above it: who is dialled, what is sent to whom, and that all has an end."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import httpx2
import pytest

from datafetch.demo.server import FaultServer, Thing, redirect, status
from datafetch.errors import Offline, TransferFailed
from datafetch.model import Settings, Why
from datafetch.transfer.addresses import clean_url
from datafetch.transfer.engine import Ask, Engine, Fault, Limits, Trust, Whole
from datafetch.transfer.http import client, open_url
from tests.server import BODY, THING, serve

T = TypeVar("T")
TLS = Path(__file__).parent / "tls"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with serve() as running:
        yield running


def using(act: Callable[[httpx2.AsyncClient], Awaitable[T]], **settings: object) -> T:
    async def run() -> T:
        async with client(Settings(root="/", **settings)) as http:  # type: ignore[arg-type]
            return await act(http)

    return asyncio.run(run())


async def body(http: httpx2.AsyncClient, url: str, **how: object) -> bytes:
    async with open_url(http, url, **how) as answer:  # type: ignore[arg-type]
        return b"".join([chunk async for chunk in answer.chunks()])


def get(url: str, limits: Limits | None = None, **settings: object) -> bytes:
    return using(lambda http: body(http, url, limits=limits), **({"allow_private": True} | settings))


def refused(url: str, limits: Limits | None = None, **settings: object) -> TransferFailed:
    with pytest.raises(TransferFailed) as caught:
        get(url, limits, **settings)
    return caught.value


@contextmanager
def canary() -> Iterator[tuple[int, list[object]]]:
    """A listener that must see nobody: its port, and who came."""
    came: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def listen() -> None:
            try:
                while True:
                    came.append(listener.accept())
            except OSError:
                return

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield listener.getsockname()[1], came
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


# --- Addresses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"]
)
def test_a_private_address_is_refused_before_it_is_dialled(host: str) -> None:
    with canary() as (port, came):
        assert refused(f"http://{host}:{port}/", allow_private=False).why is Why.REFUSED
        assert came == []


def test_the_address_that_a_socket_would_dial_is_checked_as_well() -> None:
    async def dial(port: int) -> None:
        engine = Engine(Trust())
        try:
            await engine.send(Ask(f"http://127.0.0.1:{port}/"))
        finally:
            await engine.close()

    with canary() as (port, came):
        with pytest.raises(Fault) as caught:
            asyncio.run(dial(port))
        assert caught.value.why is Why.REFUSED
        assert came == []


def test_a_redirect_to_a_private_address_is_refused_and_never_dialled(server: FaultServer) -> None:
    with canary() as (port, came):
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", f"0:{port}"):
            url = f"{server.url}/to-private/{host}"
            assert refused(url, allow_private=False, mirrors=(server.url,)).why is Why.REFUSED
        assert came == []
    metadata = f"{server.url}/to-metadata"
    assert refused(metadata, allow_private=False, mirrors=(server.url,)).why is Why.REFUSED


def test_a_mirror_may_be_private(server: FaultServer) -> None:
    assert get(f"{server.url}/plain", allow_private=False, mirrors=(f"{server.url}/deeper",)) == BODY


def test_a_mirror_may_be_kept_from_leading_to_the_origin(server: FaultServer) -> None:
    url = f"{server.url}/to-plain"
    with pytest.raises(TransferFailed) as caught:
        using(lambda http: body(http, url, never=frozenset((server.url,))), allow_private=True)
    assert caught.value.why is Why.REFUSED


def test_offline_opens_nothing() -> None:
    with pytest.raises(Offline):
        get("http://127.0.0.1:9/", offline=True)


# --- Proxies, logins, secrets -------------------------------------------------------------------------------


@pytest.fixture
def proxy() -> Iterator[FaultServer]:
    with FaultServer(lambda path: THING) as running:
        yield running


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_the_proxy_of_the_environment_is_used(
    name: str, proxy: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, proxy.url)
    assert get("http://example.org/x", allow_private=False) == BODY
    assert [seen.path for seen in proxy.seen] == ["http://example.org/x"]


def test_no_proxy_goes_straight(
    server: FaultServer, proxy: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,example.com")
    assert get(f"{server.url}/plain") == BODY
    assert proxy.seen == ()


def test_a_proxy_is_not_sent_to_private_addresses(
    proxy: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    for url in ("http://10.0.0.1/", "http://localhost/", "http://0xa9fea9fe/", "http://[fd00:ec2::254]/"):
        assert refused(url, allow_private=False).why is Why.REFUSED
    assert proxy.seen == ()


def login(seen: object) -> str | None:
    header = seen.headers.get("authorization")
    return None if header is None else base64.b64decode(header.removeprefix("Basic ")).decode()


@pytest.mark.parametrize(
    ("netrc", "sent"),
    [
        ("machine 127.0.0.1 login u password p", "u:p"),
        ("machine example.org login u password p", None),
        ("default login u password p", None),
        ("nonsense {{{", None),
    ],
)
def test_a_login_of_netrc_is_only_for_the_host_it_names(
    netrc: str, sent: str | None, server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".netrc"
    path.write_text(netrc)
    path.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    get(f"{server.url}/plain")
    assert login(server.seen[0]) == sent


def test_secrets_go_to_their_origin_only(server: FaultServer) -> None:
    secrets = (("Authorization", "Bearer s3cret"), ("Cookie", "a=b"))
    paths = {"/to": redirect(f"{server.url}/plain"), "/here": redirect("/end"), "/end": THING}
    with FaultServer(paths.get) as first:
        using(lambda http: body(http, f"{first.url}/to", secrets=secrets), allow_private=True)
        using(lambda http: body(http, f"{first.url}/here", secrets=secrets), allow_private=True)
        assert all("authorization" in seen.headers and "cookie" in seen.headers for seen in first.seen)
    (elsewhere,) = server.seen
    assert not {"authorization", "cookie"} & set(elsewhere.headers)


def test_cookies_are_not_kept() -> None:
    answers = {"/a": status(200, b"x", Set_Cookie="id=1"), "/b": THING}

    async def both(http: httpx2.AsyncClient, url: str) -> None:
        await body(http, f"{url}/a")
        await body(http, f"{url}/b")

    with FaultServer(answers.get) as server:
        using(lambda http: both(http, server.url), allow_private=True)
        assert "cookie" not in server.seen[1].headers


# --- TLS ----------------------------------------------------------------------------------------------------


@pytest.fixture
def secure() -> Iterator[FaultServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
    answers = {"/plain": THING, "/down": redirect("http://127.0.0.1:1/x")}
    with FaultServer(answers.get, context) as running:
        yield running


def test_an_unknown_certificate_is_refused(secure: FaultServer) -> None:
    failed = refused(f"{secure.url}/plain")
    assert failed.why is Why.TLS
    assert "SSL_CERT_FILE" in failed.hint
    assert secure.seen == ()


def test_the_certificates_of_the_environment_are_trusted(
    secure: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "cert.pem"))
    assert get(f"{secure.url}/plain") == BODY
    assert refused(f"{secure.url}/down").why is Why.REFUSED  # from https to http


# --- Limits -------------------------------------------------------------------------------------------------


def test_a_dripping_server_is_given_up_by_its_speed(server: FaultServer) -> None:
    assert (
        refused(f"{server.url}/drip", Limits(low_speed=1000, low_speed_time=1, total=10)).why is Why.TOO_SLOW
    )


def test_a_silent_server_is_given_up(server: FaultServer) -> None:
    assert refused(f"{server.url}/silent", Limits(total=0.1)).why is Why.TIMEOUT


def test_an_endless_body_is_cut_off(server: FaultServer) -> None:
    assert refused(f"{server.url}/endless", Limits(body_bytes=1 << 20)).why is Why.TOO_LARGE
    assert refused(f"{server.url}/chunked", Limits(body_bytes=5000)).why is Why.TOO_LARGE


def test_a_port_where_nobody_listens_is_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    assert refused(f"http://127.0.0.1:{port}/").why is Why.CONNECTION


def test_an_interim_answer_is_not_the_answer(server: FaultServer) -> None:
    assert get(f"{server.url}/interim") == b"hello"


# --- The engine ---------------------------------------------------------------------------------------------


def test_a_slow_reader_holds_the_server_back() -> None:
    big = Thing(bytes(32 << 20))

    async def read(url: str) -> tuple[int, int]:
        engine = Engine(Trust())
        reply = await engine.send(Ask(url, permit_private=True))
        held = total = 0
        try:
            await asyncio.sleep(0.1)
            while batch := await reply.read():
                size = sum(map(len, batch))
                held, total = max(held, size), total + size
        finally:
            reply.close()
            await engine.close()
        return held, total

    with FaultServer(lambda path: big) as server:
        held, total = asyncio.run(read(f"{server.url}/x"))
    assert total == len(big.data)
    assert held <= 6 << 20


def test_connections_serve_again_and_a_closed_reply_harms_no_other(server: FaultServer) -> None:
    async def several(http: httpx2.AsyncClient) -> None:
        for _ in range(5):
            assert await body(http, f"{server.url}/plain") == BODY
        async with open_url(http, f"{server.url}/endless"):
            pass
        assert await body(http, f"{server.url}/plain") == BODY

    using(several, allow_private=True)
    assert len({seen.port for seen in server.seen[:5]}) == 1


def test_many_transfers_at_once_do_not_mix(server: FaultServer) -> None:
    things = {f"/{number}": Thing(bytes([number]) * (1000 + number)) for number in range(100)}

    async def all_of(http: httpx2.AsyncClient, url: str) -> list[bytes]:
        return await asyncio.gather(*(body(http, f"{url}{path}") for path in things))

    with FaultServer(things.get) as many:
        got = using(lambda http: all_of(http, many.url), allow_private=True)
    assert got == [thing.data for thing in things.values()]


def test_closing_ends_what_is_under_way(server: FaultServer) -> None:
    async def close_early() -> None:
        engine = Engine(Trust())
        reply = await engine.send(Ask(f"{server.url}/endless", permit_private=True))
        await engine.close()
        with pytest.raises(Fault):
            while await reply.read():
                pass
        reply.close()
        reply.close()

    asyncio.run(asyncio.wait_for(close_early(), 2))


def test_a_reply_may_be_closed_when_its_end_was_told(server: FaultServer) -> None:
    """Seen as RuntimeError "Curl handle is not registered" when a transfer was cancelled under load."""

    async def close_late() -> None:
        engine = Engine(Trust())
        reply = await engine.send(Ask(f"{server.url}/plain", permit_private=True))
        line = reply._line
        assert line is not None
        while not line.done:
            await asyncio.sleep(0)
        reply.close()
        again = await engine.send(Ask(f"{server.url}/plain", permit_private=True))
        assert b"".join(await again.read()) != b""
        again.close()
        await engine.close()

    asyncio.run(asyncio.wait_for(close_late(), 5))


def test_ends_that_come_at_once_are_all_told() -> None:
    async def chain() -> int:
        engine, told = Engine(Trust()), 0
        over = asyncio.get_running_loop().create_future()

        def ended(found: Whole | Fault) -> None:
            nonlocal told
            assert isinstance(found, Fault)
            told += 1
            if told == 50:
                over.set_result(None)
            else:
                engine.whole(
                    Ask("http://127.0.0.1:9/"), ended
                )  # a private address: refused when it is dialled

        engine.whole(Ask("http://127.0.0.1:9/"), ended)
        await asyncio.wait_for(over, 10)
        await engine.close()
        return told

    assert asyncio.run(chain()) == 50


def test_a_path_reaches_the_server_as_it_was_cleaned(server: FaultServer) -> None:
    path = "/plain/<new1> it's~a!$&()*+,;=:@é%2F%zz[1]?q='x'&r=a b/?<>|^`{}%41"
    with FaultServer(lambda path: THING) as plain:
        get(f"{plain.url}{path}")
        assert f"{plain.url}{plain.seen[0].path}" == clean_url(f"{plain.url}{path}")


def test_the_client_is_an_httpx_client(server: FaultServer) -> None:
    async def plain(http: httpx2.AsyncClient) -> httpx2.Response:
        return await http.get(f"{server.url}/plain", params={"a": "1"})

    response = using(plain, allow_private=True)
    assert (response.status_code, response.content) == (200, BODY)
    assert server.seen[0].path == "/plain?a=1"

    async def broken(http: httpx2.AsyncClient) -> None:
        await http.get(f"{server.url}/chunked-cut")

    with pytest.raises(httpx2.TransportError):
        using(broken, allow_private=True)
