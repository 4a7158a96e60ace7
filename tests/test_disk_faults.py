"""A disk that fails in the middle of a run and goes on failing: one line, exit code 12, and the next run finishes."""

from __future__ import annotations

import errno
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from disklayer import Spec
from warm import Warm
from worlds import Origin, unpacking, whole

WORLD = unpacking(members=4, large=20_000)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    with Warm(tmp_path_factory.mktemp("said")) as made:
        yield made


# The way out failed too, and Python told of the first failure as one that nobody had asked about: a traceback.
@pytest.mark.parametrize(
    "code", [errno.EMFILE, errno.ENOSPC, errno.EROFS], ids=lambda code: errno.errorcode[code]
)
@pytest.mark.parametrize("at", [60, 170, 240])
def test_what_goes_on_failing_is_told_in_a_line(tmp_path: Path, warm: Warm, at: int, code: int) -> None:
    WORLD.begin(tmp_path / "case", random.Random(0))
    with Origin(WORLD.files) as origin:
        words = WORLD.words(tmp_path / "case", origin.mirror("case"))
        layer = Spec(str(tmp_path / "case"), "main", at, code, lasting=True).dump()
        failed = warm(*words, cwd=tmp_path / "case", layer=layer)
        again = warm(*words, cwd=tmp_path / "case")
    assert (failed.code, "Traceback" in failed.err) == (12, False), failed.err
    assert not whole(again, tmp_path / "case/out", WORLD)
