"""What is said at the end of a run."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from datafetch.cli.output import say

if TYPE_CHECKING:
    from datafetch.report import Report


def say_report(report: Report, *, as_json: bool, quiet: bool) -> int:
    """Prints the report, or the little that is left to say of it after `quiet`; the exit code."""
    from datafetch.console.screens import report_line
    from datafetch.console.text import size

    if as_json:
        say(json.dumps(report.as_json(), ensure_ascii=False))
    elif report.exit_code in (130, 143):
        kept = f"{size(report.transferred)} fetched and kept" if report.transferred else "nothing is lost"
        say(f"{report.dataset}: interrupted, {kept}; run the same command again to go on")
    elif not quiet or report.exit_code:
        say(report_line(report))
        for note in report.notes if quiet else ():  # else they were told as they came
            print(f"note: {note}", file=sys.stderr)
    elif report.upstream:  # all is well here, and yet there is something to decide
        from datafetch.run.standing import told, worth_telling

        for one in filter(worth_telling, report.upstream):
            print(f"note: {told(one)}", file=sys.stderr)
    return report.exit_code
