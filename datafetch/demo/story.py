"""The events of a demo run told as a story, and its tree in a few lines; plain text of at most 80 columns."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from datafetch.model import Event, Outcome, Why

WIDTH = 80
NAMES = 29  # columns of the names on the left

_WENT_WRONG = {
    Why.SHORT: "the connection broke off half-way",
    Why.CONNECTION: "the connection broke off",
    Why.THROTTLED: "the server was overloaded (503)",
    Why.SERVER_ERROR: "the server failed",
    Why.CHECKSUM: "arrived damaged: its md5 differs",
    Why.NOT_AN_IMAGE: "a login page instead of the image",
    Why.HTML: "a login page instead of the file",
    Why.GONE: "gone for good (410)",
    Why.PLACEHOLDER: "a picture that says 'no longer here'",
}
_OVERCOME = {
    Why.SHORT: "fetched again, whole",
    Why.CHECKSUM: "fetched again, and its md5 fits",
    Why.NOT_AN_IMAGE: "asked again, and the image decodes",
    Why.GONE: "recorded as missing, not asked again",
    Why.PLACEHOLDER: "recognised, recorded as missing, not kept",
}


def story(events: Sequence[Event]) -> tuple[str, ...]:
    """What went wrong, in the order it happened, each with how it was overcome; then what is gone for
    good.
    """
    lines: list[str] = []
    for at, event in enumerate(events):
        if event.kind == "retry":
            lines += _told(event, _answer(event, events[at + 1 :]))
        elif event.kind == "failed":
            lines += _told(event, event.text)
        elif event.kind == "item" and event.outcome is not Outcome.OK:
            lines += _told(event, _OVERCOME.get(_why(event), f"recorded as {event.outcome}"))
    if not lines:
        return ("nothing went wrong: all of it was here already",)
    items = [event for event in events if event.kind == "item"]
    missing = sum(event.count for event in items if event.outcome is Outcome.MISSING)
    total = sum(event.count for event in items)
    gone = (f"{missing} of {total} images are gone for good",) if missing else ()
    return ("what went wrong, and how it was overcome", *lines, *gone)


def _told(event: Event, answer: str) -> Iterator[str]:
    # An image has no name of its own in events; the end of its address says which it is.
    picture = event.url.rpartition("/")[2] if event.url.endswith(".png") else ""
    name = f"{event.name}/{picture}" if picture else event.name
    yield _cut(f"  {name:<{NAMES}} {_WENT_WRONG.get(_why(event), event.text or event.why)}")
    yield _cut(f"  {'':<{NAMES}}   -> {answer}")


def _answer(event: Event, later: Sequence[Event]) -> str:
    """How a transfer went on after it was tried again."""
    started = next((e for e in later if e.kind == "started" and e.name == event.name), None)
    if started is not None and started.done:
        return f"continued at byte {started.done:,}"
    if event.why == Why.THROTTLED:
        return "waited as long as it asked, then fetched"
    return _OVERCOME.get(_why(event), "asked again, and it came")


def _why(event: Event) -> Why:
    return Why(event.why) if event.why in Why.__members__.values() else Why.UNKNOWN


def tree(root: Path, folders: Sequence[str]) -> tuple[str, ...]:
    """The built folders: one line each and one for each entry, with its number of files and a first name."""
    lines = []
    for folder in sorted(folder for folder in folders if (root / folder).is_dir()):
        lines.append(f"{folder + '/':<{NAMES}} {_files(len(_below(root / folder)))}")
        for entry in sorted(os.scandir(root / folder), key=lambda entry: entry.name):
            if not entry.is_dir(follow_symlinks=False):
                lines.append(_cut(f"  {entry.name}"))
                continue
            found = _below(Path(entry.path))
            more = " …" if len(found) > 1 else ""
            lines.append(
                _cut(
                    f"  {entry.name + '/':<{NAMES - 2}} {_files(len(found))}   {found[0] if found else ''}",
                    more,
                )
            )
    return tuple(lines)


def _below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _files(count: int) -> str:
    return f"{count:>3} {'file ' if count == 1 else 'files'}"


def _cut(line: str, more: str = "") -> str:
    return line + more if len(line + more) <= WIDTH else f"{line[: WIDTH - 2]} …"
