"""Numbers, times and tables as text: pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def size(count: int | None) -> str:
    """Bytes in powers of 1000, three digits at most: "1.2 GB"; "unknown" for None."""
    if count is None:
        return "unknown"
    value = float(count)
    for unit in UNITS:
        if value < 999.5 or unit == UNITS[-1]:
            digits = 0 if unit == "B" or value >= 99.95 else 1
            return f"{value:.{digits}f} {unit}"
        value /= 1000
    raise AssertionError("unreachable")


def number(count: int) -> str:
    return f"{count:,}"


def duration(seconds: float) -> str:
    """ "0.4 s", "12 s", "3 min 20 s", "2 h 05 min"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def plural(count: int, word: str) -> str:
    """ "1 file", "2 files", "3 copies", "4 classes"."""
    if count == 1:
        return f"1 {word}"
    if word.endswith("s"):
        return f"{number(count)} {word}es"
    return f"{number(count)} {word[:-1]}ies" if word.endswith("y") else f"{number(count)} {word}s"


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = (), width: int | None = None) -> list[str]:
    """Rows as aligned lines, two blanks between columns. Columns in `right` are flushed right.

    With a width, the last column is wrapped to stay inside it; without, lines are as long as they are.
    """
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    indent = sum(widths) + 2 * len(widths)
    lines = []
    for row in rows:
        cells = [
            cell.rjust(wide) if i in right else cell.ljust(wide)
            for i, (cell, wide) in enumerate(zip(row, widths, strict=False))
        ]
        last = [row[-1]]
        if width is not None and indent + len(row[-1]) > width:
            last = textwrap.wrap(row[-1], max(width - indent, 20)) or [""]
        lines.append("  ".join([*cells, last[0]]).rstrip())
        lines.extend(" " * indent + more for more in last[1:])
    return lines


def fields(pairs: Sequence[tuple[str, str]], width: int | None = None) -> list[str]:
    """Label and text, one pair a line, wrapped; pairs without text are left out."""
    return table([(label, text) for label, text in pairs if text], width=width)


def cut(line: str, width: int | None) -> str:
    """The line, shortened with an ellipsis to stay inside the width."""
    return line if width is None or len(line) <= width else line[: width - 1].rstrip() + "…"


COLOURS = {
    "complete": 32,
    "built": 32,
    "ok": 32,
    "partial": 33,
    "manual": 33,
    "historic": 33,
    "withdrawn": 33,
    "warning": 33,
}
COLOURS |= dict.fromkeys(("error", "failed", "missing", "damaged", "undecodable", "extra"), 31)
_WORDS = re.compile(rf"(?<![\w/.-])({'|'.join(COLOURS)})(?![\w/.-])")


def colour(line: str) -> str:
    """The line with the words that say how things stand in colour. It says the same without."""
    return _WORDS.sub(lambda found: f"\x1b[{COLOURS[found[0]]}m{found[0]}\x1b[0m", line)
