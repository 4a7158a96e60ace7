"""The end of a run as Prometheus reads it from a file: the rules of node_exporter's textfile collector.

Each dataset has a file of its own, so that several share a folder. A family of metrics has the same HELP and TYPE in
all of them, which node_exporter wants, and every sample says its dataset and output directory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from datafetch.errors import UsageError
from datafetch.report import Report
from datafetch.store.files import write_apart
from datafetch.store.room import free_space

LARGEST = 1 << 20  # bytes of an earlier file that are looked at
_SUCCESS = "datafetch_last_success_timestamp_seconds"
_HELP = {
    "datafetch_last_run_timestamp_seconds": "When the last run ended, in seconds since 1970.",
    _SUCCESS: "When a run last ended with exit code 0, in seconds since 1970.",
    "datafetch_last_run_duration_seconds": "How long the last run took.",
    "datafetch_last_run_exit_code": "Exit code of the last run: 0 is complete, see the README for the others.",
    "datafetch_last_run_transferred_bytes": "Body bytes that the last run received.",
    "datafetch_last_run_peak_bytes": "Most bytes that the dataset took on disk during the last run.",
    "datafetch_items": "Items of the dataset by outcome, as the last run that could look left them.",
    "datafetch_on_disk_bytes": "Bytes of the published files of the dataset.",
    "datafetch_disk_free_bytes": "Bytes free where the dataset is built.",
    "datafetch_upstream_changed": "Files that upstream has in another version, or no more (--check-upstream).",
}


@dataclass(frozen=True, slots=True)
class End:
    """How one run ended."""

    dataset: str
    root: str  # the output directory
    at: float  # seconds since 1970
    seconds: float
    exit_code: int
    report: Report | None = None  # None when it ended before it could look


def target(given: Path, dataset: str) -> Path:
    """The file that is meant: in a folder, one called after the dataset. UsageError where none can be written."""
    path = Path(os.path.abspath(given))
    if path.is_dir():
        return path / f"datafetch_{dataset}.prom"
    if str(given).endswith("/") or not path.parent.is_dir():
        missing = path if str(given).endswith("/") else path.parent
        raise UsageError(f"--metrics-file {given}: there is no folder {missing}", f"mkdir -p {missing}")
    return path


def write(path: Path, end: End) -> None:
    """Put the metrics of a run in the place of those before, at once. Raises NoRoom and its like.

    When the last success was is taken over from them while there is no newer one.
    """
    before = _success_before(path, end) if end.exit_code else None
    write_apart(path, text(end, before).encode())


def text(end: End, success: float | None = None) -> str:
    """The file. `success` is when a run before this one last ended well, if that is known."""
    return "".join(_lines(end, success))


def _lines(end: End, success: float | None) -> Iterator[str]:
    own = {"dataset": end.dataset, "root": end.root}
    when = end.at if end.exit_code == 0 else success
    values: dict[str, list[tuple[Mapping[str, str], float]]] = {
        "datafetch_last_run_timestamp_seconds": [(own, end.at)],
        _SUCCESS: [] if when is None else [(own, when)],
        "datafetch_last_run_duration_seconds": [(own, end.seconds)],
        "datafetch_last_run_exit_code": [(own, end.exit_code)],
    }
    report = end.report
    if report is not None:
        values["datafetch_last_run_transferred_bytes"] = [(own, report.transferred)]
        values["datafetch_last_run_peak_bytes"] = [(own, report.peak)]
        outcomes = {name: count for name, count in report.counts.items() if name != "total"}
        if report.counts["total"]:  # a run without the lease has counted nothing
            values["datafetch_items"] = [(own | {"outcome": name}, n) for name, n in outcomes.items()]
            values["datafetch_on_disk_bytes"] = [(own, report.on_disk)]
        values["datafetch_disk_free_bytes"] = [(own, free_space(Path(report.root))[0])]
        if report.upstream:
            other = sum(one.state in ("changed", "gone") for one in report.upstream)
            values["datafetch_upstream_changed"] = [(own, other)]
    for name, samples in values.items():
        if samples:
            yield f"# HELP {name} {_escaped(_HELP[name])}\n# TYPE {name} gauge\n"
        for labels, value in samples:
            yield f"{name}{{{_labels(labels)}}} {_number(value)}\n"


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value, quoted=True)}"' for name, value in labels.items())


def _escaped(words: str, *, quoted: bool = False) -> str:
    """Text as the format has it; what is no UTF-8 becomes a question mark, since all of a file must be."""
    plain = words.encode("utf-8", "replace").decode().replace("\\", r"\\").replace("\n", r"\n")
    return plain.replace('"', r"\"") if quoted else plain


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _success_before(path: Path, end: End) -> float | None:
    """What an earlier file says of the last success of the same dataset; None when it says nothing that can be read."""
    labels = _labels({"dataset": end.dataset, "root": end.root})
    line = re.compile(rf"^{_SUCCESS}\{{{re.escape(labels)}\}} ([0-9.]{{1,20}})$", re.MULTILINE)
    try:
        with path.open("rb") as file:
            found = line.search(file.read(LARGEST).decode("utf-8", "replace"))
        return None if found is None else float(found[1])
    except (OSError, ValueError):
        return None
