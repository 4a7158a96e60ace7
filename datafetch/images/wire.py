"""What a worker process and its supervisor say to each other: msgpack in frames, over one socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from datafetch.images.check import Limits
from datafetch.transfer.gait import Grant
from datafetch.transfer.told import Told

LENGTH = 4  # bytes of the length before each frame
TOGETHER = 64  # messages that wait for no more


class Begin(msgspec.Struct, array_like=True, frozen=True, tag=0):
    """The first message: what holds for all of a list."""

    staging: str
    limits: Limits
    image: bool  # a full decode must succeed
    allow_private: bool
    mirrors: tuple[str, ...]
    total: float  # seconds for one item, redirects included
    low_speed: int | None  # bytes per second; None takes the usual
    gated: bool  # every byte is asked for with Claim before it counts
    ignore_opt_out: bool  # take also what its host withholds from training
    held: int  # bytes of one transfer that may wait in memory
    placeholders: tuple[str, ...]  # MD5 of pictures that stand for one that is gone
    samples: str = ""  # folder for a few of the bodies that are turned away; empty keeps none


class Share(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """How many requests this process may have under way, of all hosts together."""

    most: int


class Terms(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """How a host may be asked from now on. What is not asked goes `Back` when it may not be at all, and then the
    host is forgotten.
    """

    host: int
    grant: Grant


class Job(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """One address to ask. `path` is where a good body goes, below the staging folder."""

    number: int
    host: int  # whose terms hold
    url: str
    path: str
    never: str  # an origin that no redirect may lead to, or empty


class Allow(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """The answer to a Claim."""

    number: int
    size: int


class Answered(msgspec.Struct, array_like=True, frozen=True):
    """An answer, and when it was asked for among how many."""

    at: float  # on the monotonic clock
    among: int
    told: Told


class Came(msgspec.Struct, array_like=True, frozen=True, tag=0):
    """The network's part of a job is done; its Ended follows once the body has been decoded."""

    number: int
    answered: Answered


class Ended(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """A job came to its end: the file is written, not yet durable, or `why` says what kept it from that."""

    number: int
    received: int = 0  # bytes of body
    sha256: str = ""
    width: int | None = None
    height: int | None = None
    answered: Answered | None = None  # when an answer came and no Came told it
    why: str = ""
    url: str = ""  # of a failure: where it happened, free of secrets
    text: str = ""
    wait: float | None = None  # seconds that the server asks for
    unnameable: bool = False  # no file can have the path


class Back(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """Jobs that were not asked."""

    numbers: tuple[int, ...]


class Claim(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """`size` bytes came: how many of them may be taken?"""

    number: int
    size: int


class Trouble(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """A fault that no other job would escape, such as a full disk: the run must end."""

    text: str
    hint: str


ToWorker = Begin | Share | Terms | Job | Allow
FromWorker = Came | Ended | Back | Claim | Trouble
M = TypeVar("M")


class Wire(asyncio.Protocol, Generic[M]):
    """One end. `got` is called with the messages of a frame, `lost` once when the other end is gone.

    Messages travel together, as many as come within `slack` seconds: a system call, and a turn of the other's
    loop, cost more than a message.
    """

    def __init__(
        self,
        decoder: msgspec.msgpack.Decoder[list[M]],
        got: Callable[[list[M]], None],
        lost: Callable[[], None],
        slack: float = 0.0,
    ) -> None:
        self._decoder = decoder
        self._encoder = msgspec.msgpack.Encoder()
        self._got, self._lost = got, lost
        self._slack = slack
        self._loop = asyncio.get_running_loop()
        self._out: list[msgspec.Struct] = []
        self._in = bytearray()
        self._transport: asyncio.Transport | None = None
        self._later: asyncio.Handle | None = None
        self._soon = False

    def send(self, message: msgspec.Struct, *, now: bool = False) -> None:
        """Queued until there is a connection; into nothing once the other end is gone. `now` waits for no other."""
        self._out.append(message)
        if self._soon:
            return
        if now or not self._slack or len(self._out) >= TOGETHER:
            self._soon = True
            self._loop.call_soon(self._flush)
        elif self._later is None:
            self._later = self._loop.call_later(self._slack, self._flush)

    def close(self) -> None:
        """What was sent still goes out."""
        if self._transport is not None:
            self._flush()
            self._transport.close()

    def _flush(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        self._soon = False
        if self._transport is None or not self._out:
            return
        if not self._transport.is_closing():
            frame = self._encoder.encode(self._out)
            self._transport.write(len(frame).to_bytes(LENGTH, "little") + frame)
        self._out = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._in += data
        start = 0
        while len(self._in) - start >= LENGTH:
            end = start + LENGTH + int.from_bytes(self._in[start : start + LENGTH], "little")
            if len(self._in) < end:
                break
            messages = self._decoder.decode(self._in[start + LENGTH : end])
            start = end
            self._got(messages)
        del self._in[:start]

    def connection_lost(self, error: Exception | None) -> None:
        self._lost()


def to_worker() -> msgspec.msgpack.Decoder[list[ToWorker]]:
    return msgspec.msgpack.Decoder(list[ToWorker])


def from_worker() -> msgspec.msgpack.Decoder[list[FromWorker]]:
    return msgspec.msgpack.Decoder(list[FromWorker])
