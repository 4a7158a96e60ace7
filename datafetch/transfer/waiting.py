"""Between two tries: as long as the table says, the host's other transfers too if it says so."""

from __future__ import annotations

from datafetch.errors import TransferFailed
from datafetch.model import Event
from datafetch.transfer.addresses import shown_host
from datafetch.transfer.failures import Throttled
from datafetch.transfer.retry import Verdict, backoff, wait_for
from datafetch.transfer.wanted import Wanted, Ways


async def wait(
    wanted: Wanted, ways: Ways, url: str, failure: TransferFailed, count: int, verdict: Verdict
) -> None:
    """Waits as long as the verdict says, the host's other transfers too if it says so; raises on a no."""
    asked = failure.seconds if isinstance(failure, Throttled) else None
    seconds = 0.0
    if verdict.wait or verdict.host_wide:
        seconds = wait_for(asked, backoff(count, ways.chance(), ways.patience), ways.patience)
    if verdict.host_wide:
        ways.hosts.slow(shown_host(url), seconds)
    if not verdict.again:
        if asked:
            failure.hint = f"the server asks to come back in {_span(asked)}"
        raise failure
    soon = f"again in {_span(seconds)}" if seconds >= 0.5 else "again at once"
    text = f"{failure}; {soon}"
    ways.emit(Event("retry", wanted.name, count=count, why=failure.why, url=failure.url, text=text))
    if not verdict.host_wide:
        await ways.hosts.pause(seconds)


def _span(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
