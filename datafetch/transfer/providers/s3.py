"""S3: `s3://` addresses, those of AWS, and those of a custom endpoint; signed where there are credentials.

Credentials that the AWS variables name sign at once. Those that have to be looked for (a profile, the role of
the machine) are looked for when an object is refused without: public data is asked for anonymously. Where one
way is refused the other is tried, since a signature may be refused what is public.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from datafetch.errors import TransferFailed
from datafetch.model import Why
from datafetch.schemes import Object
from datafetch.transfer.addresses import origin
from datafetch.transfer.asking import Asking, Headers
from datafetch.transfer.failures import failed
from datafetch.transfer.http import Answer
from datafetch.transfer.providers.address import parsed
from datafetch.transfer.providers.buckets import (
    FIRST_REGION,
    Spot,
    canonical,
    code_of,
    is_region,
    may_sign,
    moved,
    promise,
    region_said,
    spot_of,
    url_of,
    why_of_code,
)
from datafetch.transfer.providers.sign import Signer
from datafetch.transfer.providers.variables import Variable, endpoint, first
from datafetch.transfer.retry import why_of_status

_ERROR = 64 << 10  # bytes of an error document
_PROMISE: Headers = (("x-amz-checksum-mode", "ENABLED"),)
_NAMED = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a bucket is asked."""

    signed: bool
    region: str = ""
    tried: frozenset[bool] = frozenset()  # of both ways, those that were refused


@dataclass(slots=True)
class S3:
    endpoint: str = ""  # empty: AWS
    region: str = ""
    named: bool = False  # whether the environment names credentials
    signer: Signer = field(default_factory=Signer)
    variables: tuple[Variable, ...] = ()  # that of the endpoint and that of the region
    _manners: dict[str, _Manner] = field(default_factory=dict)  # by bucket: what has worked
    _told: bool = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> S3:
        """As the AWS variables say."""

        where = endpoint(environment, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        region = first(environment, "AWS_REGION", "AWS_DEFAULT_REGION")
        if region.text and not is_region(region.text):
            region = Variable(region.name, wrong="it names no region")
        return cls(where.text, region.text, bool(first(environment, *_NAMED).text), variables=(where, region))

    def address(self, url: str) -> str | None:
        found = parsed(url)
        if not isinstance(found, Object):
            return None
        for variable in self.variables:
            variable.check()
        return url_of(found, self.endpoint, self.region or FIRST_REGION)

    def answers_at(self, url: str) -> bool:
        return spot_of(url, self.endpoint) is not None

    @asynccontextmanager
    async def open(self, asking: Asking, url: str, headers: Headers) -> AsyncIterator[Answer]:
        spot = spot_of(url, self.endpoint)
        assert spot is not None, "answers_at was asked before"
        manner = self._manners.get(spot.bucket) or _Manner(self._at_once(asking))
        refusal: TransferFailed | None = None
        while True:
            here = moved(spot, manner.region) if manner.region else spot
            signed: Headers | None = None
            if manner.signed and not asking.mirror:
                signed = await self._signed(here) if may_sign(here.url, self.endpoint) else None
                if signed is None and refusal is not None:
                    raise refusal
                manner = replace(manner, signed=signed is not None)
            plain = headers if signed else headers + _PROMISE
            async with asking.open(here.url, plain, signed or ()) as answer:
                if answer.status in (200, 206, 416):
                    self._manners[spot.bucket] = replace(manner, tried=frozenset())
                    answer.promise = promise(answer.status, answer.headers)
                    yield answer
                    return
                code = code_of(await answer.start(_ERROR))
                further = None if asking.mirror else self._further(manner, here, answer, code)
                refusal = self._refusal(asking, here.url, answer, code)
                if further is None:
                    raise refusal
            manner = further

    async def _signed(self, spot: Spot) -> Headers | None:
        region = spot.region or self.region or FIRST_REGION
        try:
            return await asyncio.to_thread(self.signer.sign, canonical(spot.url), region, _PROMISE)
        except ValueError as error:
            hint = "mend the AWS variables or ~/.aws, or unset them to ask anonymously"
            raise failed(Why.FORBIDDEN, spot.url, str(error), hint=hint) from None

    def _at_once(self, asking: Asking) -> bool:
        """Whether to sign before anyone has refused."""
        if asking.mirror or not self.named:
            return False
        if not self.signer.installed and not self._told:
            self._told = True
            asking.note(
                "AWS credentials are set, but S3 is asked anonymously: pip install 'datafetch[s3]' signs"
            )
        return self.signer.installed

    def _further(self, manner: _Manner, here: Spot, answer: Answer, code: str) -> _Manner | None:
        """How to ask once more; None when nothing is left to try.

        The bucket is in another region      there
        refused one way                      the other way, unless it was refused too
        """
        asked = origin(answer.url) == origin(here.url)  # nobody else may say where it lies
        said = region_said(here, answer.headers.get("x-amz-bucket-region", "")) if asked else ""
        if answer.status in (301, 307, 400) and said not in ("", here.region) and not manner.region:
            return replace(manner, region=said)
        tried = manner.tried | {manner.signed}
        refused = answer.status in (401, 403) or why_of_code(code) is Why.FORBIDDEN
        if not refused or not self.signer.installed or len(tried) > 1:
            return None
        return replace(manner, signed=not manner.signed, tried=tried)

    def _refusal(self, asking: Asking, url: str, answer: Answer, code: str) -> TransferFailed:
        why = why_of_code(code) or why_of_status(answer.status)
        who = "the mirror" if asking.mirror else "S3"
        words = _WORDS.get(code) or f"{who} answered {answer.status} {code}".rstrip()
        return failed(
            why, asking.at(url), words, answer.later, "" if asking.mirror else self._hint(url, why, code)
        )

    def _hint(self, url: str, why: Why, code: str) -> str:
        if why is not Why.FORBIDDEN:
            return ""
        if not may_sign(url, self.endpoint):
            return "name it with https: what anyone on the way can read is not signed"
        if code in _HINTS:
            return _HINTS[code]
        if not self.signer.installed:
            return "pip install 'datafetch[s3]' signs with your AWS credentials; without them it is refused"
        return (
            "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, to credentials that may read it"
        )


_WORDS = {
    "NoSuchKey": "the bucket has no such key",
    "NoSuchBucket": "there is no such bucket",
    "NoSuchVersion": "the object has no such version",
    "AccessDenied": "S3 denies access to the object",
    "InvalidAccessKeyId": "S3 does not know the AWS access key",
    "SignatureDoesNotMatch": "S3 does not accept the signature: the secret key is another one",
    "ExpiredToken": "the AWS session token has expired",
    "InvalidObjectState": "the object lies in an archive class and has to be restored first",
    "RequestTimeTooSkewed": "the clock of this machine is wrong by more than S3 accepts",
    "SlowDown": "S3 asks for fewer requests",
}
_HINTS = {
    "InvalidObjectState": "ask the owner of the bucket to restore it, or name another copy with --mirror URL",
    "RequestTimeTooSkewed": "set the clock",
    "ExpiredToken": "get a new session token",
}
