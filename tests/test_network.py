"""What the environment says of the network, by the unmodified command line: TLS, proxies, logins, addresses."""

from __future__ import annotations

import asyncio
import base64
import datetime
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import trustme
from process import Ended, datafetch_
from proxy import Proxy
from tiny import get

from datafetch.demo.server import FaultServer, Seen, Thing, redirect
from datafetch.model import Settings
from datafetch.transfer.http import client, open_url

DATA = b"\x01\x02 some bytes \xff" * 5000
OPEN = ("--allow-private",)


def authority(folder: Path) -> tuple[trustme.CA, Path]:
    """A certificate authority of this test, and the file with its certificate."""
    made, file = trustme.CA(), folder / "authority.pem"
    made.cert_pem.write_to_path(str(file))
    return made, file


def behind(certificate: trustme.LeafCert) -> FaultServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return FaultServer(lambda path: Thing(DATA), context)


def port_of(server: FaultServer) -> int:
    return int(server.url.rpartition(":")[2])


def failure(ended: Ended) -> tuple[int, str, str]:
    problem = ended.report["problems"][0]
    return ended.code, problem["why"], f"{problem['text']} {problem['hint']}"


# --- TLS ----------------------------------------------------------------------------------------------------


def test_a_server_of_an_authority_in_ssl_cert_file_is_trusted(tmp_path: Path) -> None:
    made, file = authority(tmp_path)
    with behind(made.issue_cert("127.0.0.1")) as server:
        env = {"SSL_CERT_FILE": str(file)}
        assert get(tmp_path, {"a": f"{server.url}/a"}, *OPEN, env=env).code == 0
    assert (tmp_path / "out" / "tiny" / "a").read_bytes() == DATA


@pytest.mark.skipif(shutil.which("openssl") is None, reason="only openssl names the files of such a folder")
def test_a_server_of_an_authority_in_ssl_cert_dir_is_trusted(tmp_path: Path) -> None:
    made, file = authority(tmp_path)
    folder = tmp_path / "certificates"
    folder.mkdir()
    command = ("openssl", "x509", "-hash", "-noout", "-in", str(file))
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    shutil.copy(file, folder / f"{name}.0")
    with behind(made.issue_cert("127.0.0.1")) as server:
        url = {"a": f"{server.url}/a"}
        assert get(tmp_path, url, *OPEN, env={"SSL_CERT_DIR": str(folder)}).code == 0


PAST = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


@pytest.mark.parametrize("fault", ["unknown authority", "expired", "another host", "of its own making"])
def test_a_server_that_cannot_be_trusted_is_refused_before_it_is_asked(fault: str, tmp_path: Path) -> None:
    made, file = authority(tmp_path)
    match fault:
        case "unknown authority":
            certificate = trustme.CA().issue_cert("127.0.0.1")
        case "expired":
            certificate = made.issue_cert("127.0.0.1", not_before=PAST, not_after=PAST.replace(year=2021))
        case "another host":
            certificate = made.issue_cert("example.org", "127.0.0.2")
        case _:
            certificate = trustme.CA().issue_cert("127.0.0.1")
    env = {} if fault == "of its own making" else {"SSL_CERT_FILE": str(file)}
    with behind(certificate) as server:
        ended = get(tmp_path, {"a": f"{server.url}/a"}, *OPEN, env=env)
        assert server.seen == ()
    code, why, text = failure(ended)
    assert (code, why) == (5, "tls"), ended.err
    assert "certificate" in text
    assert {"expired": "expired", "another host": "127.0.0.1"}.get(fault, "SSL_CERT_FILE") in text
    assert ended.err.count("error:") <= 1


def test_nothing_switches_the_check_of_certificates_off(tmp_path: Path) -> None:
    helped = datafetch_("get", "--help", cwd=tmp_path).out
    assert not [word for word in ("insecure", "certificate", "tls", "ssl") if word in helped.lower()]
    (tmp_path / ".curlrc").write_text("insecure\n")
    env = {"PYTHONHTTPSVERIFY": "0", "CURL_INSECURE": "1", "GIT_SSL_NO_VERIFY": "1"}
    with behind(trustme.CA().issue_cert("127.0.0.1")) as server:
        assert failure(get(tmp_path, {"a": f"{server.url}/a"}, *OPEN, env=env))[:2] == (5, "tls")


# --- Proxies ------------------------------------------------------------------------------------------------


@pytest.fixture
def plain() -> Iterator[FaultServer]:
    with FaultServer(lambda path: Thing(DATA)) as server:
        yield server


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_plain_request_goes_through_the_proxy(name: str, plain: FaultServer, tmp_path: Path) -> None:
    with Proxy(("127.0.0.1", port_of(plain))) as proxy:
        ended = get(tmp_path, {"a": "http://files.example/a"}, env={name: f"http://{proxy.address}"})
        assert ended.code == 0, ended.err
        assert proxy.asked == [("GET", "http://files.example/a")]


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY"])
def test_a_tls_request_goes_through_a_tunnel_and_is_checked_end_to_end(name: str, tmp_path: Path) -> None:
    made, file = authority(tmp_path)
    with behind(made.issue_cert("files.example")) as server, Proxy(("127.0.0.1", port_of(server))) as proxy:
        env = {name: f"http://{proxy.address}", "SSL_CERT_FILE": str(file)}
        ended = get(tmp_path, {"a": "https://files.example/a"}, env=env)
        assert ended.code == 0, ended.err
        assert proxy.asked == [("CONNECT", "files.example:443")]
        wrong = get(tmp_path, {"b": "https://other.example/b"}, env=env)
        assert failure(wrong)[:2] == (5, "tls")


@pytest.mark.parametrize("skip", ["127.0.0.1", "*", "example.com, 127.0.0.1"])
def test_no_proxy_goes_straight(skip: str, plain: FaultServer, tmp_path: Path) -> None:
    with Proxy(("127.0.0.1", port_of(plain))) as proxy:
        env = {"ALL_PROXY": f"http://{proxy.address}", "NO_PROXY": skip}
        assert get(tmp_path, {"a": f"{plain.url}/a"}, *OPEN, env=env).code == 0
        assert proxy.asked == []


def kept(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file())


@pytest.mark.parametrize("proxy_answers", ["it", "407", "not at all", "not an address"])
def test_the_login_of_a_proxy_is_for_it_alone_and_never_shown(
    proxy_answers: str, plain: FaultServer, tmp_path: Path
) -> None:
    login = "user:other" if proxy_answers == "407" else "user:hunter2"
    with Proxy(("127.0.0.1", port_of(plain)), login) as proxy:
        address = proxy.address
        if proxy_answers == "not at all":
            with socket.create_server(("127.0.0.1", 0)) as free:
                address = f"127.0.0.1:{free.getsockname()[1]}"
        elif proxy_answers == "not an address":
            address = "[::bad:99999999"
        env = {"HTTP_PROXY": f"http://user:hunter2@{address}"}
        options = ("-v", "--retries", "0")
        ended = get(tmp_path, {"a": "http://files.example/a"}, *options, env=env)
        if proxy_answers == "it":
            assert ended.code == 0
            assert proxy.logins == ["user:hunter2"]
        else:
            assert ended.code in (5, 7), ended.err
    assert "hunter2" not in ended.out + ended.err
    assert b"hunter2" not in kept(tmp_path)
    assert all("hunter2" not in str(seen.headers) for seen in plain.seen)


def test_a_proxy_is_not_sent_to_an_address_that_is_private_by_its_spelling(
    plain: FaultServer, tmp_path: Path
) -> None:
    """What the proxy makes of a name, it does not tell: only spellings can be refused."""
    hosts = ("localhost", "127.0.0.1", "0x7f.1", "[::ffff:10.0.0.1]", "169.254.169.254", "a.localhost")
    urls = {f"f{at}": f"http://{host}/x" for at, host in enumerate(hosts)}
    with Proxy(("127.0.0.1", port_of(plain))) as proxy:
        ended = get(tmp_path, urls, env={"ALL_PROXY": f"http://{proxy.address}"})
        assert ended.code == 5
        assert [problem["why"] for problem in ended.report["problems"]] == ["refused"] * len(hosts)
        assert proxy.asked == []


def test_a_redirect_through_a_proxy_to_a_private_address_is_refused(tmp_path: Path) -> None:
    answer = redirect("http://169.254.169.254/latest/meta-data/")
    with FaultServer(lambda path: answer) as server, Proxy(("127.0.0.1", port_of(server))) as proxy:
        ended = get(tmp_path, {"a": "http://files.example/a"}, env={"ALL_PROXY": f"http://{proxy.address}"})
        assert failure(ended)[:2] == (5, "refused")
        assert len(proxy.asked) == 1


# --- Logins -------------------------------------------------------------------------------------------------


def login(seen: Seen) -> str:
    return base64.b64decode(seen.headers.get("authorization", "").removeprefix("Basic ")).decode()


def test_a_login_of_netrc_goes_to_its_host_and_not_along_a_redirect(tmp_path: Path) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login ann password hunter2\n")
    netrc.chmod(0o600)
    with FaultServer(lambda path: Thing(DATA)) as other:
        away = redirect(f"http://localhost:{port_of(other)}/elsewhere")
        with FaultServer({"/a": away, "/b": redirect("/c"), "/c": Thing(DATA)}.get) as server:
            urls = {"a": f"{server.url}/a", "b": f"{server.url}/b"}
            ended = get(tmp_path, urls, *OPEN, "-v")
            assert ended.code == 0, ended.err
            assert {(seen.path, login(seen)) for seen in server.seen} == {
                (path, "ann:hunter2") for path in ("/a", "/b", "/c")
            }
        assert [(seen.path, login(seen)) for seen in other.seen] == [("/elsewhere", "")]
    assert "hunter2" not in ended.out + ended.err
    assert b"hunter2" not in kept(tmp_path)


# --- Addresses ----------------------------------------------------------------------------------------------


@contextmanager
def deaf(port: int) -> Iterator[None]:
    """[::1]:port neither takes nor refuses a connection: its queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_INET6))
        listener.bind(("::1", port))
        listener.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket(socket.AF_INET6))
            waiting.setblocking(False)
            waiting.connect_ex(("::1", port))
        probe = stack.enter_context(socket.socket(socket.AF_INET6))
        probe.settimeout(0.3)
        try:
            probe.connect(("::1", port))
        except TimeoutError:
            yield
        else:
            pytest.skip("this system takes connections beyond its queue")


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")
@pytest.mark.parametrize("dead", ["deaf", "refusing"])
def test_a_dead_ipv6_address_costs_less_than_a_second(dead: str, plain: FaultServer) -> None:
    async def ask(url: str) -> float:
        async with client(Settings(root="/", allow_private=True)) as http:
            began = time.monotonic()
            async with open_url(http, url) as answer:
                assert answer.status == 200
                return time.monotonic() - began

    port = port_of(plain)
    with deaf(port) if dead == "deaf" else ExitStack():
        assert asyncio.run(ask(f"http://localhost:{port}/x")) < 1
    assert len(plain.seen) == 1


# --- Connections --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 3])
def test_files_of_one_host_share_its_connections_and_come_as_they_are(
    most: int, plain: FaultServer, tmp_path: Path
) -> None:
    urls = {f"f{at}": f"{plain.url}/{at}" for at in range(20)}
    ended = get(tmp_path, urls, *OPEN, "-j", "8", "-x", str(most))
    assert ended.code == 0, ended.err
    assert len(plain.seen) == 20
    assert len({seen.port for seen in plain.seen}) <= most
    assert {seen.headers["accept-encoding"] for seen in plain.seen} == {"identity"}
    assert os.listdir(tmp_path / "out" / "tiny")
