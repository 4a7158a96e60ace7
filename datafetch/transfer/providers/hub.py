"""Hugging Face: `hf://` addresses and those of its hub, with the hub's promises, refusals and token.

HF_ENDPOINT names another hub, HF_TOKEN a token that the hub's own origin sees and nobody else; no other
variable and no file is read.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from datafetch.errors import TransferFailed
from datafetch.model import Checksum, Why
from datafetch.schemes import HubFile
from datafetch.transfer.addresses import origin
from datafetch.transfer.asking import Asking, Headers
from datafetch.transfer.failures import failed
from datafetch.transfer.http import Answer
from datafetch.transfer.numbers import count
from datafetch.transfer.promise import Promise
from datafetch.transfer.providers.address import parsed
from datafetch.transfer.providers.variables import Variable, endpoint, visible

_HUB = "https://huggingface.co"
_SHA256 = re.compile(r'"?([0-9a-f]{64})"?')
_FILE = re.compile(r"/(?P<page>(?:(?:datasets|spaces)/)?[^/]+/[^/]+)/resolve/[^/]+/.")

# The hub's X-Error-Code: what it means, in words.
_ABSENT = {
    "RepoNotFound": "the hub has no such repository, or it is a private one",
    "RevisionNotFound": "the repository has no such revision",
    "EntryNotFound": "the repository has no such file at this revision",
}


@dataclass(frozen=True, slots=True)
class Hub:
    endpoint: str = _HUB
    token: str = field(default="", repr=False)
    named: tuple[Variable, Variable] = field(default=(Variable(), Variable()), repr=False)  # those two

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Hub:
        """The hub that the environment names."""
        hub, token = endpoint(environment, "HF_ENDPOINT"), visible(environment, "HF_TOKEN")
        return cls(hub.text or ("" if hub.wrong else _HUB), token.text, (hub, token))

    def address(self, url: str) -> str | None:
        found = parsed(url)
        if not isinstance(found, HubFile):
            return None
        self.named[0].check()
        page = f"{found.kind}/{found.repository}" if found.kind else found.repository
        return f"{self.endpoint}/{page}/resolve/{quote(found.revision, safe='')}/{quote(found.path)}"

    def answers_at(self, url: str) -> bool:
        asked, own = urlsplit(url), urlsplit(self.endpoint)
        below = asked.path.startswith(f"{own.path}/") and _FILE.match(asked.path[len(own.path) :])
        return asked.netloc.lower() == own.netloc.lower() and below is not None

    @asynccontextmanager
    async def open(self, asking: Asking, url: str, headers: Headers) -> AsyncIterator[Answer]:
        home = origin(asking.at(url))
        promises = []

        def follow(answer: Answer, target: str) -> str:
            if origin(answer.url) == home:
                promises.append(_promise(answer.headers))
            return target

        if not asking.mirror and origin(url) == origin(self.endpoint):
            self.named[1].check()
        # Only the hub's own https, or an endpoint that the user has named, may see the token.
        secrets = (("Authorization", f"Bearer {self.token}"),) if self._may_know(url) else ()
        async with asking.open(url, headers, secrets, follow) as answer:
            here = origin(answer.url) == home
            refusal = self._refusal(url, asking, answer, here)
            if refusal is not None:
                await answer.discard()
                raise refusal
            if here:
                promises.append(_promise(answer.headers))
            answer.promise = next(filter(None, promises), Promise())
            yield answer

    def _may_know(self, url: str) -> bool:
        return bool(self.token) and origin(url) == origin(self.endpoint)

    def _refusal(self, url: str, asking: Asking, answer: Answer, here: bool) -> TransferFailed | None:
        """Why the hub, or the store that it sent us to, gives no file; None when the answer says enough."""
        asked, status = asking.at(url), answer.status
        if not here:
            # Its addresses hold a signature that expires: the hub makes a new one for each request.
            text = f"the store of the hub answered {status}: the address has expired"
            return failed(Why.SERVER_ERROR, asked, text) if status in (400, 401, 403) else None
        code = answer.headers.get("x-error-code", "").strip()
        if code in _ABSENT and status in (401, 403, 404):
            private = code == "RepoNotFound" and not self.token
            hint = "if it is private, set HF_TOKEN to a token that may read it" if private else ""
            return failed(Why.GONE, asked, _ABSENT[code], hint=hint)
        if status not in (401, 403) or (asking.mirror and not code):
            return None
        named = _FILE.search(urlsplit(url).path)
        page = f"{self.endpoint}/{unquote(named['page'])}" if named else self.endpoint
        if code == "GatedRepo":
            hint = f"accept its terms at {page}, and set HF_TOKEN to a token of that account"
            return failed(Why.FORBIDDEN, asked, "the repository is gated", hint=hint)
        if self.token:
            hint = f"see whether the account of HF_TOKEN may open {page}"
            return failed(Why.FORBIDDEN, asked, f"the hub answered {status} to HF_TOKEN", hint=hint)
        hint = f"set HF_TOKEN to a token that may read {page}"
        return failed(Why.FORBIDDEN, asked, f"the hub answered {status} without a token", hint=hint)


def _promise(headers: Mapping[str, str]) -> Promise:
    """What the hub says of a file in LFS or Xet. A plain ETag is the hash of git, not of the bytes alone."""
    found = _SHA256.fullmatch(headers.get("x-linked-etag", "").strip())
    checksums = (Checksum("sha256", found[1], "the hub"),) if found else ()
    return Promise(count(headers.get("x-linked-size", "")), checksums)
