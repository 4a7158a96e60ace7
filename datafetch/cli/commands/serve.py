"""`serve`: a bundle as a mirror for other machines."""

from __future__ import annotations

import json
import sys
from typing import Annotated

from datafetch.cli.app import GET, app
from datafetch.cli.commands.bundle import Bundle
from datafetch.cli.help import PanelCommand
from datafetch.cli.options.declare import grouped, option
from datafetch.cli.options.output import Telling
from datafetch.cli.output import print_lines, say, watching

LOOPBACK = "127.0.0.1"


@app.command("serve", cls=PanelCommand, rich_help_panel=GET)
@grouped
def serve_command(
    *,
    where: Bundle,
    host: Annotated[
        str, option("--host", help="address to listen at (default 127.0.0.1)", metavar="HOST")
    ] = "",
    port: Annotated[int, option("--port", help="and port (default: a free one)", min=0, metavar="N")] = 0,
    check: Annotated[
        bool, option("--check/--no-check", help="first compare every file with SHA256SUMS (default)")
    ] = True,
    telling: Telling,
) -> int:
    """Offer a bundle as a --mirror to other machines, until Ctrl-C.

    Only files that SHA256SUMS names below mirror/ are given, to whoever asks: listen where you trust the network.
    """
    from datafetch.bundle import importing
    from datafetch.bundle.server import until_stopped

    with watching(where.name, telling) as watcher:
        document = importing.opened(where.resolve(), watcher, whole=check)

    def told(url: str) -> None:
        lines = {one.name: importing.command(where, one, url) for one in document.datasets}
        if telling.as_json:
            say(json.dumps({"url": url, "datasets": lines}, ensure_ascii=False))
        else:
            print_lines([f"serving {where} at {url} until Ctrl-C", *lines.values()])

    until_stopped(where.resolve(), host or LOOPBACK, port, told)
    if not telling.quiet:
        print("stopped", file=sys.stderr)
    return 0
