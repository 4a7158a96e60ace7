"""Whether a body may be the item that was asked for; hashed and decoded in one go, so that one thread hop
does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from datafetch.images.check import Limits, check, weigh
from datafetch.images.placeholders import is_placeholder
from datafetch.images.samples import Samples
from datafetch.model import UrlList, Why

_PAGES = (b"<!doctype html", b"<html")


class Judged(msgspec.Struct, frozen=True):
    sha256: str
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Judge:
    """Belongs to one list; may be called from any thread."""

    limits: Limits
    image: bool  # a full decode must succeed
    placeholders: Collection[
        str
    ] = ()  # MD5 of pictures that stand for one that is gone, beside those known of old
    samples: Samples | None = None  # where a few of the bodies that are none are kept

    @classmethod
    def of(cls, source: UrlList) -> Judge:
        return cls(Limits(min_bytes=source.min_bytes), source.check == "image", source.placeholders)

    def __call__(self, body: bytes) -> Judged | Why:
        """What is known of a good body, or why it is none. A placeholder is one whatever its size."""
        found = self._judge(body)
        if isinstance(found, Why) and self.samples is not None:
            self.samples.keep(found, body)
        return found

    def _judge(self, body: bytes) -> Judged | Why:
        if is_placeholder(body, self.placeholders):
            return Why.PLACEHOLDER
        if not self.image:
            why = weigh(body, self.limits) or (Why.HTML if _is_page(body) else None)
            return why or Judged(hashlib.sha256(body).hexdigest())
        found = check(body, self.limits)
        if isinstance(found, Why):
            return Why.NOT_AN_IMAGE if found is Why.SHORT else found
        return Judged(hashlib.sha256(body).hexdigest(), found.width, found.height)


def _is_page(body: bytes) -> bool:
    return body[:512].lstrip().lower().startswith(_PAGES)
