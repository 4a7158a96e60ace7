"""Pictures that hosts send, with status 200, in place of one that is gone: known digests and addresses."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signature:
    md5: str
    size: int | None  # bytes; None where only the digest was published
    what: str


KNOWN = (
    Signature("880a7a58e05d3e83797f27573bb6d35c", 2051, "Flickr's 'photo unavailable'"),
    Signature("596246739a83bb45e30e13437e0810d9", None, "a warning sign of a crawl for ImageNet"),
    Signature("969e595182a947c7fdaaef4a34401760", None, "a forbidden sign of a crawl for ImageNet"),
    Signature("af5db09e39ca35d8930b4e59962e09e5", None, "a logo of parked domains, of a crawl for ImageNet"),
    Signature("92a7b583bda7e8343bf90cba0c1067d6", 3172, "the placeholder of datafetch demo"),
)

# Where a dead link leads. Hosts and mirrors differ (s.yimg.com, l.yimg.com), the path does not.
TARGETS = (
    "/pw/images/en-us/photo_unavailable.png",
    "/pw/images/en-us/photo_unavailable_l.png",
)


def is_placeholder(body: bytes, known: tuple[Signature, ...] = KNOWN) -> bool:
    """Whether a body is, byte for byte, a picture known to stand for one that is gone."""
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return any(sign.md5 == digest and sign.size in (None, len(body)) for sign in known)


def leads_to_placeholder(url: str) -> bool:
    """Whether a redirect to `url` says that the picture is gone; nothing need be fetched to know."""
    return url.partition("#")[0].partition("?")[0].endswith(TARGETS)
