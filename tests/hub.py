"""The Hugging Face hub on loopback: it answers as the true one does, and keeps its large files elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from datafetch.demo.server import Answer, Exchange, FaultServer, Thing

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_canary_token_that_only_the_hub_may_see"


@dataclass
class FakeHub:
    """Files by `datasets/owner/name/resolve/revision/path`; `store` serves those in LFS."""

    store: FaultServer
    plain: dict[str, bytes] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)  # in LFS: the hub sends its readers to the store
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)  # status and X-Error-Code
    moved: dict[str, str] = field(default_factory=dict)
    private: bool = False
    said: dict[str, str] = field(default_factory=dict)  # headers of the redirect, instead of the true ones

    def find(self, path: str) -> Answer | None:
        key = path.removeprefix("/")
        return lambda exchange: self._answer(key, exchange)

    def _answer(self, key: str, exchange: Exchange) -> None:
        if key in self.moved:
            exchange.send(307, Location=f"/{self.moved[key]}")
        elif key in self.refused:
            status, code = self.refused[key]
            exchange.send(status, b'{"error":"no"}', X_Error_Code=code, Content_Type="application/json")
        elif self.private and exchange.seen.headers.get("authorization") != f"Bearer {TOKEN}":
            exchange.send(401, b"no", X_Error_Code="RepoNotFound")
        elif key in self.large:
            data = self.large[key]
            head = {
                "X-Repo-Commit": COMMIT,
                "X-Linked-Size": str(len(data)),
                "X-Linked-ETag": f'"{hashlib.sha256(data).hexdigest()}"',
                "ETag": '"of the redirect"',
                "Location": f"{self.store.url}/xet/{key}?X-Amz-Signature=s{exchange.seen.nth}",
                "Content-Length": "0",
            }
            exchange.head(302, head | self.said)
        elif key in self.plain:
            data = self.plain[key]
            git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            Thing(data, "text/plain", etag=f'"{git}"', modified=0)(exchange)
        else:
            exchange.send(404, b"Entry not found", X_Error_Code="EntryNotFound")


def in_turn(*answers: Answer) -> Answer:
    """One answer after another, whatever the address; the last one from then on."""
    left = list(answers)

    def answer(exchange: Exchange) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(exchange)

    return answer


@contextmanager
def hub(store: Answer | None = None) -> Iterator[tuple[FakeHub, FaultServer]]:
    """A hub and its server; `store` is how its store answers to everything, files of the hub by default."""

    def kept(path: str) -> Answer | None:
        data = fake.large.get(path.removeprefix("/xet/"))
        return store or (None if data is None else Thing(data))

    with FaultServer(kept) as behind:
        fake = FakeHub(behind)
        with FaultServer(fake.find) as running:
            yield fake, running
