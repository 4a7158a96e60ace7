"""Faults at every step: system calls that fail, and processes that die, at the n-th write."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

# Every call of ours that changes a disk, and those that a disk may fail.
CALLS = ("open", "write", "fsync", "mkdir", "rename", "replace", "link", "unlink", "rmdir", "utime")


class Died(BaseException):
    """Stands for the end of the process: nothing is written after it, whatever handlers and `finally` try."""


class Steps:
    """Counts the calls, and at the call `at` (from 0) does what `then` says; -1 only counts."""

    def __init__(self, at: int = -1, then: Callable[[], None] = lambda: None) -> None:
        self.at, self.then, self.count, self.over = at, then, 0, False

    def __call__(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if self.over:
                raise Died
            self.count += 1
            if self.count - 1 == self.at:
                self.then()
            return real(*args, **options)

        return call

    def die(self) -> None:
        self.over = True
        raise Died


@contextmanager
def stepping(steps: Steps) -> Iterator[Steps]:
    """Put `steps` between the code and the system."""
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, steps(getattr(os, name)))
        yield steps


def count(work: Callable[[], object]) -> int:
    """How many steps the work takes when nothing goes wrong."""
    with stepping(Steps()) as steps:
        work()
    return steps.count


def dies_at(step: int, work: Callable[[], object]) -> None:
    """Run the work until it dies just before a step."""
    steps = Steps(step)
    steps.then = steps.die
    with stepping(steps):
        try:
            work()
        except Died:
            return
    raise AssertionError(f"step {step} never came")


def fails_at(step: int, code: int, work: Callable[[], object]) -> None:
    """Run the work with one system call failing; what comes of it passes through."""

    def fail() -> None:
        raise OSError(code, os.strerror(code))

    with stepping(Steps(step, fail)):
        work()


def killed_at(step: int, work: Callable[[], object]) -> None:
    """Run the work in a child process that SIGKILL ends just before a step."""
    child = os.fork()
    if child == 0:
        try:
            with stepping(Steps(step, lambda: os.kill(os.getpid(), signal.SIGKILL))):
                work()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the work ended before it was killed"
