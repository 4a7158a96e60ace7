"""Where objects of S3 lie: the addresses of a bucket, its region, and what S3 answers about them; pure."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote, urlsplit

from datafetch.model import Checksum, Why
from datafetch.schemes import Object
from datafetch.transfer.addresses import origin
from datafetch.transfer.promise import Promise

FIRST_REGION = "us-east-1"  # where S3 looks first for a bucket that nobody has placed
_REGION = r"[a-z]{2}(?:-[a-z]+){1,3}-\d"
_LABEL = r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"  # other than AWS, everyone names regions as they like
_AWS = re.compile(
    rf"(?:(?P<bucket>[a-z0-9][a-z0-9.-]+)\.)?s3(?:[.-](?:dualstack\.)?(?P<region>{_REGION}))?"
    r"\.amazonaws\.com(?:\.cn)?"
)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one object is asked for."""

    url: str
    bucket: str
    region: str  # empty: not known
    key: str = ""  # percent-encoded, with its query; empty when the host decides, not the region


def url_of(found: Object, endpoint: str, region: str) -> str:
    """The https address of an object, or the one below a custom endpoint."""
    key = quote(found.key, safe="/~") + (
        f"?versionId={quote(found.version, safe='')}" if found.version else ""
    )
    return f"{endpoint}/{found.bucket}/{key}" if endpoint else _aws(found.bucket, key, region)


def _aws(bucket: str, key: str, region: str) -> str:
    """Where a region of AWS keeps an object. A name with dots fits no certificate, so there it is a path."""
    end = ".cn" if region.startswith("cn-") else ""
    host = f"s3.{region}.amazonaws.com{end}"
    return f"https://{host}/{bucket}/{key}" if "." in bucket else f"https://{bucket}.{host}/{key}"


def spot_of(url: str, endpoint: str) -> Spot | None:
    """The object that an address of AWS or of the endpoint names; None for an address of anyone else."""
    parts = urlsplit(url)
    rest = parts.path.removeprefix("/") + (f"?{parts.query}" if parts.query else "")
    own = urlsplit(endpoint)
    if endpoint and origin(url) == origin(endpoint):
        below = parts.path.removeprefix(f"{own.path}/") if parts.path.startswith(f"{own.path}/") else ""
        bucket, _, key = below.partition("/")
        return Spot(url, bucket, "") if key else None
    match = _AWS.fullmatch(parts.netloc.lower())
    if match is None or "X-Amz-Signature" in parts.query:  # one that is signed already stays as it is
        return None
    bucket, key = (match["bucket"], rest) if match["bucket"] else rest.partition("/")[::2]
    return Spot(url, bucket, match["region"] or "", key) if key else None


def may_sign(url: str, endpoint: str) -> bool:
    """Whether what a request is signed with may be seen there: in clear only by an endpoint that is named so."""
    return url.startswith("https:") or origin(url) == origin(endpoint)


def region_said(spot: Spot, text: str) -> str:
    """The region that a server names for an object; empty when it is none: of AWS it becomes part of a host."""
    name = text.strip()
    return name if is_region(name) and (not spot.key or re.fullmatch(_REGION, name)) else ""


def is_region(text: str) -> bool:
    """Whether a user may call a region so."""
    return re.fullmatch(_LABEL, text) is not None


def moved(spot: Spot, region: str) -> Spot:
    """The same object in another region."""
    url = _aws(spot.bucket, spot.key, region) if spot.key else spot.url
    return replace(spot, url=url, region=region)


def canonical(url: str) -> str:
    """The address as it is signed: every unusual character of its path encoded."""
    parts = urlsplit(url)
    return parts._replace(path=quote(unquote(parts.path), safe="/~")).geturl()


def promise(status: int, headers: Mapping[str, str]) -> Promise:
    """What S3 says of a whole object. Of one in parts the ETag is no md5, nor of one under a key of KMS.

    The ETag of a range is that of the whole object; a checksum beside a range may be that of the range.
    """
    if status not in (200, 206):
        return Promise()
    made = []
    etag = re.fullmatch(r'"([0-9a-f]{32})"', headers.get("etag", ""))
    by_key = headers.get("x-amz-server-side-encryption", "").startswith("aws:kms")
    if etag and not by_key and "x-amz-server-side-encryption-customer-algorithm" not in headers:
        made.append(Checksum("md5", etag[1], "S3"))
    if status == 200 and headers.get("x-amz-checksum-type", "") == "FULL_OBJECT":
        try:
            digest = b64decode(headers.get("x-amz-checksum-sha256", ""), validate=True).hex()
        except (Error, ValueError):
            digest = ""
        if len(digest) == 64:
            made.append(Checksum("sha256", digest, "S3"))
    return Promise(checksums=tuple(made))


def code_of(body: bytes) -> str:
    """The code in an error document; empty when there is none. Its message may repeat what is secret."""
    found = re.search(rb"<Code>([A-Za-z0-9.]{1,64})</Code>", body)
    return found[1].decode() if found else ""


def why_of_code(code: str) -> Why | None:
    """Our word for a code of S3; None when the status has to tell."""
    return next((why for why, codes in _WHYS.items() if code in codes), None)


_WHYS = {
    Why.GONE: frozenset(("NoSuchKey", "NoSuchBucket", "NoSuchVersion")),
    Why.FORBIDDEN: frozenset(
        """
        AccessDenied AccountProblem AllAccessDisabled ExpiredToken InvalidAccessKeyId InvalidObjectState
        InvalidToken NotSignedUp RequestTimeTooSkewed SignatureDoesNotMatch TokenRefreshRequired
        """.split()  # noqa: SIM905 - a list would be a dozen lines
    ),
    Why.THROTTLED: frozenset(
        ("SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "ServiceUnavailable")
    ),
    Why.SERVER_ERROR: frozenset(("InternalError", "OperationAborted", "RequestTimeout")),
}
