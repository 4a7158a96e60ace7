"""M1, M2 of scripts/bench: a list at a host with a hard limit, in a rate and in connections at once. How much of what
it allows is used, and how many requests it has to refuse, is counted in the log of the server (nginx).
"""

import contextlib
import random
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench_servers import free_port, up
from bench_transfer import HOST, ours

RATE, PICTURES = 100, 6_000  # requests a second, rows: a minute
AT_ONCE, SLOW = 4, 240  # requests at once, rows of a second each: a minute as well
BODY, PER_SECOND = 4_800, 4_000  # bytes; one needs a second, as the first 4,000 come at once

CONF = """daemon off; worker_processes 1; pid {0}/pid; error_log {0}/errors;
events {{ worker_connections 512; }}
http {{ log_format short '$msec $status $request_time $uri'; log_not_found off; client_body_temp_path {0}/t;
proxy_temp_path {0}/t; fastcgi_temp_path {0}/t; uwsgi_temp_path {0}/t; scgi_temp_path {0}/t;
limit_req_zone $server_port zone=rate:1m rate={rate}r/s; limit_req_status 429;
limit_conn_zone $server_port zone=crowd:1m; limit_conn_status 503;
server {{ listen 127.0.0.1:{1}; root {0}/site; access_log {0}/rate short;
location /{host}/pictures/ {{ limit_req zone=rate burst={burst} nodelay; }} }}
server {{ listen 127.0.0.1:{2}; root {0}/site; access_log {0}/crowd short;
location /{host}/pictures/ {{ limit_conn crowd {at_once}; limit_rate {per_second}; }} }} }}
"""


def manners() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        registry = make(folder)
        with server(folder) as (by_rate, by_crowd):
            for number, log, url, recipe, most, what in (
                ("M1", "rate", by_rate, "fast", RATE, f"{RATE} requests a second"),
                ("M2", "crowd", by_crowd, "slow", AT_ONCE, f"{AT_ONCE} requests at once"),
            ):
                words = ours(registry, recipe, "-j", "64", "-x", "32", "--allow-private", "--mirror-only")
                out = folder / f"out-{log}"
                out.mkdir()
                subprocess.run(words(url), cwd=out, check=True)
                used, refused, asked = counted(folder / log, most, crowd=log == "crowd")
                print(
                    f"{number}  a host that allows {what}: {used:.0%} of that used, bar >= 90 % "
                    f"{'holds' if used >= 0.9 else 'FALLS SHORT'}; {refused} of {asked} refused, bar <= 1 % "
                    f"{'holds' if refused <= 0.01 * asked else 'FALLS SHORT'}",
                    flush=True,
                )


def counted(log: Path, most: int, *, crowd: bool) -> tuple[float, int, int]:
    """The share of what was allowed that was used, requests refused, and all; of pictures only."""
    rows = [line.split() for line in log.read_text().splitlines()]
    pictures = [(float(at), status, float(took)) for at, status, took, uri in rows if "/pictures/" in uri]
    served = [(at, took) for at, status, took in pictures if status == "200"]
    begun = min(at - took for at, took in served)
    seconds = max(at for at, _ in served) - begun
    busy = sum(took for _, took in served) if crowd else len(served)
    return busy / (most * seconds), len(pictures) - len(served), len(pictures)


def make(folder: Path) -> Path:
    """Bodies, lists and recipes."""
    site = folder / "site" / HOST
    (site / "pictures").mkdir(parents=True)
    (folder / "recipes").mkdir()
    for number in range(PICTURES):
        (site / "pictures" / f"{number}.bin").write_bytes(random.Random(number).randbytes(BODY))
    for name, count in (("fast", PICTURES), ("slow", SLOW)):
        rows = (f"{number:06} https://{HOST}/pictures/{number}.bin\n" for number in range(count))
        (site / name).write_text("".join(rows))
        (folder / "recipes" / f"{name}.yaml").write_text(
            f"name: {name}\ntitle: {name}\nartifacts:\n"
            f"  - {{name: list, url: 'https://{HOST}/{name}', checksums: unknown}}\n"
            "  - name: pictures\n    url_list:\n      file: list\n      read: lines\n      keys: [id, link]\n"
            "      url: <link>\n      save_as: <id>.bin\n"
        )
    return folder / "recipes"


@contextlib.contextmanager
def server(folder: Path) -> Iterator[tuple[str, str]]:
    ports = free_port(), free_port()
    (folder / "conf").write_text(
        CONF.format(
            *(folder, *ports),
            **{"rate": RATE, "burst": RATE // 10, "at_once": AT_ONCE, "per_second": PER_SECOND, "host": HOST},
        )
    )
    with up(folder, ports[0]):
        yield f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"
