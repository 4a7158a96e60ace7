"""A file of the user's taken into a tree, where the file system shares blocks."""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path

import pytest

from datafetch.store.files import Tree
from datafetch.store.links import FICLONE, take


def test_the_digest_of_a_clone_is_of_the_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was read from the user's file, which somebody wrote to once it was cloned: the record was of other bytes."""
    mine = tmp_path / "mine"
    mine.write_bytes(b"as it was cloned")

    def clone(out: int, request: int, fd: int) -> int:
        """What FICLONE does, on any file system; then the user writes."""
        assert request == FICLONE
        os.write(out, os.pread(fd, 100, 0))
        mine.write_bytes(b"as it was written then")
        return 0

    monkeypatch.setattr(fcntl, "ioctl", clone)
    (tmp_path / "tree").mkdir()
    with Tree(tmp_path / "tree") as tree:
        size, sha256 = take(mine, tree, "a/mine", link=True, stop=lambda: False)
    data = (tmp_path / "tree/a/mine").read_bytes()
    assert data == b"as it was cloned"
    assert (size, sha256) == (len(data), hashlib.sha256(data).hexdigest())
