"""Path patterns of a layout: `<name>` captures a segment or part of one; parse and str are inverses."""

from __future__ import annotations

import re
from dataclasses import dataclass

SPLITS = ("train", "test", "test_dense", "train_masks", "test_masks", "test_dense_masks")
IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif")
ROOT = "root"
CHOOSY = (ROOT, "split", "image")  # captures that do not take every name
MOST_CAPTURES = 3  # per segment; each one more multiplies the work of a match that fails

_CAPTURE = re.compile(r"<([a-z][a-z0-9_]*)>")
_EXTENSIONS = "|".join(re.escape(ext) for ext in IMAGES)


@dataclass(frozen=True, slots=True)
class Capture:
    """`<split>` matches only split names, `<image>` names with an image extension, others anything."""

    name: str

    def __str__(self) -> str:
        return f"<{self.name}>"


Segment = tuple[str | Capture, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    segments: tuple[Segment, ...]

    def __str__(self) -> str:
        return "/".join("".join(str(piece) for piece in segment) for segment in self.segments)

    @property
    def captures(self) -> tuple[str, ...]:
        """Every captured name, in order, repeated as written."""
        return captures_of(self.segments)


def captures_of(segments: tuple[Segment, ...]) -> tuple[str, ...]:
    return tuple(piece.name for segment in segments for piece in segment if isinstance(piece, Capture))


def parse(text: str) -> Pattern:
    """The pattern that `text` spells. Raises ValueError, in plain words, for anything that is not one."""
    if "\0" in text or "\\" in text:
        raise ValueError("a pattern cannot hold NUL or a backslash; folders are separated by /")
    if not text:
        raise ValueError("a pattern cannot be empty")
    if text.startswith("/"):
        raise ValueError(f"{text} is absolute; patterns are relative")
    return Pattern(tuple(_segment(part, text) for part in text.split("/")))


def _segment(part: str, text: str) -> Segment:
    if part in ("", ".", ".."):
        raise ValueError(f"{text} has the segment {part!r}; every segment must be a name")
    pieces: list[str | Capture] = []
    end = 0
    for found in _CAPTURE.finditer(part):
        if found.start() > end:
            pieces.append(part[end : found.start()])
        elif pieces:
            raise ValueError(f"{text}: nothing separates two captures in {part}")
        pieces.append(Capture(found[1]))
        end = found.end()
    if end < len(part):
        pieces.append(part[end:])
    for piece in pieces:
        if isinstance(piece, str) and ("<" in piece or ">" in piece):
            raise ValueError(f"{text}: {part} holds a < or > that is not a capture like <class>")
    if Capture(ROOT) in pieces and len(pieces) > 1:
        raise ValueError(f"{text}: <root> must be a whole segment")
    if sum(isinstance(piece, Capture) for piece in pieces) > MOST_CAPTURES:
        raise ValueError(f"{text}: more than {MOST_CAPTURES} captures in {part}")
    return tuple(pieces)


def regex(segments: tuple[Segment, ...]) -> str:
    """A regular expression for these segments, each capture a named group that takes as little as it can."""
    return "/".join("".join(_piece(piece) for piece in segment) for segment in segments)


def _piece(piece: str | Capture) -> str:
    if isinstance(piece, str):
        return re.escape(piece)
    match piece.name:
        case "split":
            return f"(?P<split>{'|'.join(SPLITS)})"
        case "image":
            return f"(?P<image>[^/]+?(?i:{_EXTENSIONS}))"
        case name:
            return f"(?P<{name}>[^/]+?)"
