"""One verification of a dataset: its manifest surveyed, strays looked for, every portion held against the tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from datafetch.errors import Damaged, DatafetchError, Interrupted, NoRoom, TimeLimit
from datafetch.layout.digests import Digests
from datafetch.layout.manifest import Line, write_sorted
from datafetch.model import Event
from datafetch.store.files import remove_tree
from datafetch.store.home import Home
from datafetch.store.lines import merged
from datafetch.verify.crew import Crew
from datafetch.verify.damage import add_damaged, write_damaged
from datafetch.verify.findings import DAMAGED, Findings
from datafetch.verify.looked import Looked
from datafetch.verify.portion import Level, Task
from datafetch.verify.strays import find_strays
from datafetch.verify.survey import OutOfOrder, Survey, survey


@dataclass(frozen=True, slots=True)
class Verified:
    """What one verification found. Of `files` in the manifest `ok` passed; of `read` ones the content was read.

    `stopped` is why it ended before all was looked at, if it did. `findings` is to be closed.
    """

    level: Level
    files: int
    ok: int
    read: int
    bytes: int  # of the files of the manifest
    tree_digest: str  # that of the manifest
    findings: Findings
    stopped: DatafetchError | None = None

    @property
    def is_damaged(self) -> bool:
        """Whether something is to be repaired."""
        return next(self.findings.damaged(), None) is not None


def verify(
    home: Home,
    level: Level,
    *,
    full: bool,
    emit: Callable[[Event], None],
    go_on: Callable[[], None] = lambda: None,
    processes: int = 0,
) -> Verified:
    """Compares the tree with the manifest; what comes back names every difference.

    A file whose sight is unchanged since its hash was last right costs a stat only, unless `full`. Writes only what
    it saw, when hashes were checked: the next run need not read those again, also when this one is killed; a `full`
    one that ended early goes on where it stopped. Holds eight bytes a file.

    `go_on` raises TimeLimit or Interrupted to stop: what was found by then comes back, unless that is nothing yet.
    Raises Damaged for a manifest that is none, NoRoom for a folder that cannot be read. `processes` is how many read
    where it pays, one for each core unless said.
    """
    with ExitStack() as stack:
        looked = stack.enter_context(Looked(home, level, full=full))
        task = Task(str(home.root), str(home.manifest), looked.known, level)
        crew = stack.enter_context(Crew(task, go_on, processes))
        try:
            known = survey(home.manifest, crew.give, go_on)
        except OutOfOrder:
            crew.close()
            task = task._replace(manifest=str(stack.enter_context(_in_order(home))))
            crew = stack.enter_context(Crew(task, go_on, processes))
            known = survey(Path(task.manifest), crew.give, go_on)
        with ExitStack() as unless_done:
            findings = unless_done.enter_context(Findings(home.state))
            found = _look(home, level, known, crew, looked, findings, emit, go_on)
            unless_done.pop_all()
        if level in (Level.HASH, Level.DECODE):
            with suppress(NoRoom):  # a dataset that may only be read can be verified all the same
                _keep(home, found, looked)
        return found


def _look(
    home: Home,
    level: Level,
    known: Survey,
    crew: Crew,
    looked: Looked,
    findings: Findings,
    emit: Callable[[Event], None],
    go_on: Callable[[], None],
) -> Verified:
    ok = read = done = 0
    stopped: DatafetchError | None = None
    with Findings(home.state) as strays:
        try:
            find_strays(home.root, known, strays, go_on)  # while the processes are at work
            for portion, answer in crew.answers():
                ok, read, done = ok + answer.ok, read + answer.read, done + portion.files
                findings.add(answer.findings, answer.counts)
                looked.add(answer.sights)
                if answer.read:
                    emit(Event("verifying", "", done=done, total=known.files))
        except (TimeLimit, Interrupted) as error:
            stopped = error
        findings.extend(strays)
    return Verified(level, known.files, ok, read, known.bytes, known.tree_digest, findings, stopped)


def _keep(home: Home, found: Verified, looked: Looked) -> None:
    """Write down what was seen to be right, and what a later look at sizes would not show to be wrong."""
    wrong = Digests()
    if found.findings.counts[DAMAGED]:
        wrong = Digests.of(finding.path for finding in found.findings if finding.why == DAMAGED)
    looked.end(wrong, whole=found.stopped is None)
    if found.stopped is None:
        write_damaged(home, found.findings.hidden())
    else:
        add_damaged(home, found.findings.hidden())


@contextmanager
def _in_order(home: Home) -> Iterator[Path]:
    """A copy of the manifest that is sorted by path and has each once. Raises Damaged where none can be written."""
    copy = home.manifest.with_name(f"sorted.{home.manifest.name}")
    try:
        write_sorted(copy, merged((home.manifest,), Line))
    except NoRoom as error:
        text = f"{home.manifest} is not in order, and no copy can be made: {error}"
        raise Damaged(text, error.hint) from error
    try:
        yield copy
    finally:
        remove_tree(copy)
