"""Bytes that a thread makes ahead of who reads them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from datafetch.archive.packed import Forward
from datafetch.errors import DamagedArchive


def test_damage_is_told_each_time_that_somebody_reads_on() -> None:
    """The second read after damage waited for a thread that had ended."""

    def make() -> Iterator[bytes]:
        yield b"good"
        raise EOFError("it ends early")

    stream, told = Forward(make, "the stream"), []

    def read() -> None:
        for _ in range(3):
            with pytest.raises(DamagedArchive, match="the stream is damaged: it ends early") as raised:
                stream.pread(4, 4)
            told.append(raised.value)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(5)
    assert len(told) == 3
    assert stream.pread(4, 0) == b"good"  # going back starts anew
    stream.close()
