"""Templates of a URL list: `<name>`, `<row>`, `<row:012>` and `<ext>` filled from one row, and paths made safe."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

BLANK = re.compile(r"<([^<>:]+)(?::(\d+))?>")
# What may not stand in a file name: separators and control characters. Everything else is kept as upstream
# has it.
UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f]")
# Names that DOS reserves, with any extension: a tree that holds one cannot be copied to such a machine.
DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(?=$|\.)")
UNTIL_KNOWN = "jpg"  # what `<ext>` stands for, see `extensions`
LONGEST_NAME = 255  # bytes, of one path component on every file system in use


def fill(template: str, row: int, fields: Mapping[str, str]) -> str | None:
    """`template` with its blanks filled; None when the row lacks a field, or it is empty or broken text."""
    return _fill(template, row, fields, str)


def candidates(templates: Sequence[str], row: int, fields: Mapping[str, str]) -> tuple[str, ...]:
    """The addresses of a row in the order to ask: of each template that can be filled, without repeats."""
    if len(templates) == 1:
        url = (fill(templates[0], row, fields) or "").strip()
        return (url,) if url else ()
    filled = (fill(template, row, fields) for template in templates)
    return tuple(dict.fromkeys(url.strip() for url in filled if url and url.strip()))


def save_path(template: str, row: int, fields: Mapping[str, str]) -> str | None:
    """A safe relative path: slashes of `template` make folders, those inside a captured value become `-`.

    None when a field is missing, empty or broken text. The same row gives the same path on every machine,
    and no component is empty, `.` or `..`, reserved, longer than a file name may be, or ends in a blank or
    dot.
    """
    filled = _fill(template, row, fields, lambda value: UNSAFE.sub("-", value))
    if filled is None:
        return None
    return "/".join(safe_name(part) for part in filled.split("/") if part) or None


def safe_name(name: str) -> str:
    """`name` as one component of a path that every file system takes; a name that already is one stays as it
    is.
    """
    safe = UNSAFE.sub("-", name).rstrip(" .")
    safe = DEVICE.sub(r"\1_", safe, count=1) if DEVICE.match(safe) else safe
    if not safe:
        return "_"
    return safe if len(safe.encode()) <= LONGEST_NAME else _shortened(safe)


def suffixed(path: str, key: str) -> str:
    """`path` with a few digits of `key`'s digest before its extension: the stable name of a second
    claimant.
    """
    folder, slash, name = path.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    mark = hashlib.sha256(key.encode()).hexdigest()[:8]
    return folder + slash + safe_name(f"{stem}-{mark}{dot}{extension}" if stem else f"{name}-{mark}")


def _fill(template: str, row: int, fields: Mapping[str, str], clean: Callable[[str], str]) -> str | None:
    pieces: list[str] = []
    for before, name, width in _taken_apart(template):
        pieces.append(before)
        if name:
            value = str(row) if name == "row" else UNTIL_KNOWN if name == "ext" else fields.get(name, "")
            if not value:
                return None
            pieces.append(clean(value.zfill(width) if width else value))
    filled = "".join(pieces)
    return None if _is_broken(filled) else filled


@lru_cache(maxsize=256)
def _taken_apart(template: str) -> tuple[tuple[str, str, int], ...]:
    """Text, the name of the blank behind it, and the digits that this has at the least; none behind the last."""
    found: list[tuple[str, str, int]] = []
    end = 0
    for blank in BLANK.finditer(template):
        found.append((template[end : blank.start()], blank[1], int(blank[2] or 0)))
        end = blank.end()
    return (*found, (template[end:], "", 0))


def _is_broken(text: str) -> bool:
    """Whether `text` holds half a character: JSON can spell a lone surrogate, but no file and no address
    can.
    """
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _shortened(name: str) -> str:
    """Cut to fit, with a digest of the whole so that two long names stay two; the extension is kept."""
    stem, dot, extension = name.rpartition(".")
    tail = dot + extension if stem and len(extension.encode()) <= 16 else ""
    mark = "-" + hashlib.sha256(name.encode()).hexdigest()[:16]
    room = LONGEST_NAME - len((mark + tail).encode())
    return name.encode()[:room].decode("utf-8", "ignore") + mark + tail
