"""A part of a zip from nginx, a server that none of us wrote: the bytes are those of its own log."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from shapes import RECIPE, archive, below, members

from datafetch import run
from datafetch.model import Choice, Settings, Subset
from datafetch.recipe import registry
from datafetch.report import Report

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
CONF = """user {2} {3}; daemon off; pid {0}/pid; error_log {0}/errors; worker_processes 1;
events {{ worker_connections 64; }}
http {{ log_format sent '$status $body_bytes_sent'; access_log {0}/sent sent; client_body_temp_path {0}/t;
proxy_temp_path {0}/t; fastcgi_temp_path {0}/t; uwsgi_temp_path {0}/t; scgi_temp_path {0}/t;
server {{ listen 127.0.0.1:{1}; root {0}/site; location /whole/ {{ alias {0}/site/; max_ranges 0; }} }} }}
"""
TREE = members()
ONE = Subset(splits=("test",), most=1)
CHOSEN = below(TREE, lambda path: ("test/" in path and path.endswith("/0.jpg")) or path.endswith("info.json"))


@contextmanager
def nginx(folder: Path) -> Iterator[str]:
    assert NGINX is not None
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    # Started by root, its workers would be nobody, who may not look into the folders of tests.
    names = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    (folder / "conf").write_text(CONF.format(folder, port, *names))
    with subprocess.Popen(
        [NGINX, "-p", str(folder), "-c", str(folder / "conf")], stderr=subprocess.DEVNULL
    ) as server:
        try:
            until = time.monotonic() + 10
            while time.monotonic() < until:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def sent(folder: Path) -> int:
    """Bytes of bodies, once the log holds them."""
    return sum(int(line.split()[1]) for line in (folder / "sent").read_text().splitlines())


def bring(folder: Path, subset: Subset) -> Report:
    recipe = registry.load("shapes", (folder / "recipes",))
    return run.get(recipe, Choice(), Settings(str(folder / "out"), allow_private=True, subset=subset))


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
@pytest.mark.parametrize("ranges", [True, False])
def test_nginx_gives_the_members_or_says_that_it_gives_no_ranges(ranges: bool, tmp_path: Path) -> None:
    data = archive(TREE).data
    for name in ("site", "recipes"):
        (tmp_path / name).mkdir()
    (tmp_path / "site/real.zip").write_bytes(data)
    os.utime(tmp_path / "site/real.zip", (1_600_000_000, 1_600_000_000))
    with nginx(tmp_path) as address:
        url = f"{address}/{'' if ranges else 'whole/'}real.zip"
        (tmp_path / "recipes/shapes.yaml").write_text(RECIPE.format(url=url, checksums="unknown"))
        report = bring(tmp_path, ONE)
        assert report.exit_code == 0, report.problems
        assert bring(tmp_path, ONE).transferred == 0
    found = {path for path in (tmp_path / "out/shapes").rglob("*") if path.is_file()}
    assert {path.relative_to(tmp_path / "out").as_posix(): path.read_bytes() for path in found} == CHOSEN
    if ranges:
        directory = len(data) - data.index(b"PK\x01\x02")
        assert sent(tmp_path) == report.transferred <= 0.02 * len(data) + directory
    else:
        assert any("ignores ranges" in note for note in report.notes)
