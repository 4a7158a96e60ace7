"""store.journal: rows survive whatever happens to the file after them."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

import msgspec
import pytest
from faults import count, dies_at, fails_at, killed_at
from hypothesis import given
from hypothesis import strategies as st

from datafetch.errors import NoRoom
from datafetch.model import Fetched, Window
from datafetch.store.journal import (
    Asked,
    Built,
    Done,
    Gone,
    Journal,
    Known,
    Part,
    Staged,
    Wrote,
    fold,
    known,
    read,
)

FETCHED = Fetched("archives/real", 10, "ab", "http://x/", "2026-01-01T00:00:00Z", (("md5", "cd"),))
PART = Part("http://x/", '"tag"', "", 10, "boot", ((0, 4, 7),))
BUILT = Built(files=2, bytes=10)


class Line(msgspec.Struct, frozen=True):
    n: int
    text: str = ""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal" / "real.jsonl"


def test_rows_come_back_as_written(path):
    rows = [Line(1, "é\n"), Line(2), Line(3, '"\\')]
    with Journal(path) as journal:
        journal.append(rows[0])
        journal.extend(rows[1:], durable=False)
        assert journal.rows(Line) == rows
    with Journal(path) as journal:
        journal.append(Line(4))
        assert journal.rows(Line) == [*rows, Line(4)]


def test_absent_journal_has_no_rows(path):
    assert Journal(path).rows(Line) == []
    assert known(path) == Known()
    assert not path.exists()


def test_fold_keeps_the_last_word_of_each_kind():
    gone = Gone("http://x/")
    assert fold([PART, gone]) == Known(part=PART, gone=gone)
    assert fold([PART, gone, Done(FETCHED)]) == Known(done=FETCHED)
    assert fold([Done(FETCHED), BUILT, PART]) == Known(part=PART, done=FETCHED, built=BUILT)


def test_artifact_rows_come_back_as_written(path):
    with Journal(path) as journal:
        for row in (PART, Done(FETCHED), BUILT):
            journal.append(row)
    assert known(path) == Known(done=FETCHED, built=BUILT)


@pytest.mark.parametrize(
    "garbage", [b"\x00\x00\n", b"[1\n", b"\n", b'{"n":"x"}\n', b"\xff\xfe\n", b"{}" * 3 + b"\n"]
)
def test_garbage_line_is_skipped_and_counted(path, garbage):
    with Journal(path) as journal:
        journal.append(Line(1))
    with path.open("ab") as file:
        file.write(garbage)
    with Journal(path) as journal:
        journal.append(Line(2))
    found = read(path, Line)
    assert found.rows == (Line(1), Line(2))
    assert found.garbage == 1


@given(cut=st.integers(0, 200), more=st.integers(0, 3))
def test_torn_anywhere_whole_rows_stay_and_writing_goes_on(tmp_path_factory, cut, more):
    path = tmp_path_factory.mktemp("torn") / "j"
    rows = [Line(n, "x" * n) for n in range(6)]
    with Journal(path) as journal:
        journal.extend(rows, durable=False)
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    kept = [row for n, row in enumerate(rows) if cut >= len(b"".join(whole.splitlines(True)[: n + 1])) - 1]
    assert Journal(path).rows(Line) == kept
    assert read(path, Line).garbage == 0
    with Journal(path) as journal:
        for n in range(more):
            journal.append(Line(100 + n), durable=False)
        assert journal.rows(Line) == kept + [Line(100 + n) for n in range(more)]


def test_killed_at_any_step_loses_no_row_that_was_durable(path):
    def work() -> None:
        with Journal(path) as journal:
            journal.append(Line(0))

    for step in range(count(work) + 2):
        before = Journal(path).rows(Line)
        with suppress(AssertionError):  # fewer steps than when the folder had to be made
            dies_at(step, work)
        assert Journal(path).rows(Line)[: len(before)] == before
    killed_at(1, work)
    before = len(Journal(path).rows(Line))
    work()
    assert len(Journal(path).rows(Line)) == before + 1


def test_full_disk_is_told_and_the_journal_can_be_read_on(path):
    with Journal(path) as journal:
        journal.append(Line(1))
        with pytest.raises(NoRoom, match="no space"):
            fails_at(0, errno.ENOSPC, lambda: journal.append(Line(2)))
        journal.append(Line(3))
        assert journal.rows(Line) == [Line(1), Line(3)]


def test_disk_that_fills_in_the_middle_of_a_row_costs_that_row_only(path, monkeypatch):
    real = os.write
    with Journal(path) as journal:
        journal.append(Line(1))
        answers = iter((3, OSError(errno.ENOSPC, "full")))

        def write(fd: int, data: bytes) -> int:
            answer = next(answers)
            if isinstance(answer, OSError):
                raise answer
            return real(fd, data[:answer])

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write)
            with pytest.raises(NoRoom):
                journal.append(Line(2))
        journal.append(Line(3))
        assert journal.rows(Line) == [Line(1), Line(3)]


def test_compacting_keeps_exactly_the_rows_given(path):
    with Journal(path) as journal:
        journal.extend(Line(n) for n in range(100))
        journal.replace([Line(7)])
        journal.append(Line(8))
        assert journal.rows(Line) == [Line(7), Line(8)]
    assert os.listdir(path.parent) == [path.name]


def test_journal_that_is_a_link_is_refused(path, tmp_path):
    path.parent.mkdir()
    path.symlink_to(tmp_path / "outside")
    with pytest.raises(NoRoom, match="link"), Journal(path) as journal:
        journal.append(Line(1))
    with pytest.raises(NoRoom, match="link"):
        known(path)
    assert not (tmp_path / "outside").exists()


def test_rows_asked_for_add_up_and_those_that_were_looked_at_are_known():
    rows = [Asked(1, 5), Staged(5), Asked(9), Built(5, 5)]
    found = fold(rows)
    assert found.asked == (Window(1, 5), Window(9))
    assert found.brought == (Window(1, 5),)


def test_what_is_held_of_a_part_is_what_its_rows_tell_and_never_twice():
    """It showed itself as `plan` taking the room set aside for a part for bytes that were here."""
    part = Part("http://x/", '"tag"', "", 1000, "boot", ((0, 100, 1), (500, 600, 2)))
    rows = [Wrote(100, 200, 3), Wrote(0, 250, 4), Wrote(600, 650, 5)]
    assert fold([part, *rows]).held == 250 + 150
    assert fold([part]).held == 200
    assert fold([]).held == 0
