"""The servers of scripts/bench: nginx on this machine, with and without TLS, and a line with a long round trip."""

import asyncio
import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROUND_TRIP, PER_CONNECTION = 0.05, 8_000_000  # seconds, bytes per second
CONF = """daemon off; worker_processes 2; pid {0}/pid; error_log {0}/errors;
events {{ worker_connections 512; }}
http {{ access_log off; log_not_found off; sendfile on; client_body_temp_path {0}/t; proxy_temp_path {0}/t;
fastcgi_temp_path {0}/t; uwsgi_temp_path {0}/t; scgi_temp_path {0}/t;
server {{ listen 127.0.0.1:{1}; root {0}/site; }}
server {{ listen 127.0.0.1:{2} ssl; root {0}/site; ssl_certificate {0}/cert; ssl_certificate_key {0}/key; }} }}
"""
CERTIFICATE = (
    *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
    *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
)


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[tuple[str, str]]:
    """Two addresses of a server of `folder`/site, the second with TLS by the certificate `folder`/cert."""
    plain, secure = free_port(), free_port()
    (folder / "conf").write_text(CONF.format(folder, plain, secure))
    subprocess.run(
        [*CERTIFICATE, "-keyout", folder / "key", "-out", folder / "cert"], check=True, capture_output=True
    )
    with up(folder, plain):
        yield f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{secure}"


@contextlib.contextmanager
def up(folder: Path, port: int) -> Iterator[None]:
    """nginx by `folder`/conf, once it answers at a port."""
    server = subprocess.Popen(
        ["nginx", "-p", str(folder), "-c", str(folder / "conf")], stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


# --- A line that is slow ------------------------------------------------------------------------------------


@contextlib.contextmanager
def delaying(port: int) -> Iterator[str]:
    """A proxy before `port`: half of the round trip each way, and its rate for each connection."""
    loop = asyncio.new_event_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(slowly(reader, back), slowly(there, writer))
        except OSError:
            writer.close()

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What is read is written half a round trip later, no faster than the rate."""
    on_its_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)

    async def read() -> None:
        free = time.monotonic()
        while data := await reader.read(32 << 10):
            free = max(free, time.monotonic()) + len(data) / PER_CONNECTION
            await asyncio.sleep(free - time.monotonic())
            await on_its_way.put((time.monotonic() + ROUND_TRIP / 2, data))
        await on_its_way.put((0.0, b""))

    async def write() -> None:
        while (entry := await on_its_way.get())[1]:
            await asyncio.sleep(entry[0] - time.monotonic())
            writer.write(entry[1])
            await writer.drain()

    reading = asyncio.ensure_future(read())
    try:
        await write()
    except OSError:
        pass
    finally:
        reading.cancel()
        writer.close()
