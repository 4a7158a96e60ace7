"""Checksum files: the lines that `md5sum` prints, lying beside a recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from datafetch.model import Checksum
from datafetch.recipe.issues import Bad, printable
from datafetch.recipe.values import DIGITS, digest

_LINE = re.compile(r"([0-9A-Fa-f]+) [ *](\S.*)")


@dataclass(frozen=True, slots=True)
class Known:
    """What checksum files say: file name -> its checksums; and where each name was read."""

    of: Mapping[str, tuple[Checksum, ...]] = field(default_factory=dict)
    lines: Mapping[str, tuple[str, int]] = field(default_factory=dict)  # name -> (file, line)


def algorithm_of(file: str) -> str:
    """md5, sha1 or sha256, by the ending of the file's name. Raises Bad."""
    ending = file.rpartition(".")[2]
    if ending not in DIGITS:
        raise Bad(f'expected a file that ends in .md5, .sha1 or .sha256, found "{printable(file)}"')
    return ending


def read(file: str, data: bytes) -> Known:
    """What one file says; empty lines and those that begin with # say nothing. Raises Bad, with the line."""
    algorithm = algorithm_of(file)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Bad(f"{file}: expected UTF-8 text, found byte 0x{data[error.start]:02x}") from None
    of: dict[str, tuple[Checksum, ...]] = {}
    lines: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line.rstrip())
        if not found:
            raise Bad(f'{file}:{number}: expected "digest  name", found "{printable(line)}"')
        name = found[2]
        if name in of:
            raise Bad(f"{file}:{number}: {printable(name)} stands twice, first in line {lines[name][1]}")
        try:
            of[name] = (digest(algorithm, found[1], file),)
        except Bad as bad:
            raise Bad(f"{file}:{number}: {bad}") from None
        lines[name] = (file, number)
    return Known(of, lines)


def merge(files: tuple[Known, ...]) -> Known:
    """What several files say together."""
    of: dict[str, tuple[Checksum, ...]] = {}
    lines: dict[str, tuple[str, int]] = {}
    for known in files:
        for name, checksums in known.of.items():
            of[name] = (*of.get(name, ()), *checksums)
        lines = {**known.lines, **lines}
    return Known(of, lines)
