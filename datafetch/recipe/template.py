"""`{name}` and `{a..l}`: what is filled when a recipe is read. `<name>` passes through untouched."""

from __future__ import annotations

import re
from collections.abc import Mapping

from datafetch.recipe.issues import Bad, suggest

Names = Mapping[str, str]

MAX_COUNT = 10_000  # more is a slip of the pen, not a dataset
MAX_TEXT = 1 << 16  # characters: names that double names must not fill the memory
MAX_CHAIN = 100  # names that stand for names
_BRACE = re.compile(r"\{([^{}]*)\}|[{}]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_COUNT = re.compile(r"([a-z])\.\.([a-z])|([A-Z])\.\.([A-Z])|([0-9]{1,9})\.\.([0-9]{1,9})")


def fill(text: str, names: Names) -> str:
    """The text with every `{name}` replaced once. Raises Bad for an unknown name, a count, a stray brace."""
    if "{" not in text and "}" not in text:
        return text
    found = [_one(brace, names) for brace in _BRACE.finditer(text)]
    if len(text) + sum(map(len, found)) > MAX_TEXT:
        raise Bad(f"expected at most {MAX_TEXT:,} characters once names are filled, found more")
    rest = iter(found)
    return _BRACE.sub(lambda _: next(rest), text)


def multiply(text: str, names: Names) -> tuple[str, ...]:
    """The texts that `{a..l}` or `{01..12}` count out, in order; the rightmost count runs fastest."""
    texts = [""]
    end = 0
    for found in _BRACE.finditer(text):
        count = _COUNT.fullmatch(found[1] or "")
        steps = _steps(count) if count else (_one(found, names),)
        if len(texts) * len(steps) > MAX_COUNT:
            raise Bad(f'expected a count of at most {MAX_COUNT:,}, found "{text}"')
        if len(texts) * len(steps) * (len(texts[0]) + found.start() - end + len(steps[0])) > 256 * MAX_TEXT:
            raise Bad("expected less text once names are filled, found more than fits")
        texts = [before + text[end : found.start()] + step for before in texts for step in steps]
        end = found.end()
    return tuple(before + text[end:] for before in texts)


def is_name(text: str) -> bool:
    """Whether this can be the name of a `let` or a matrix variable."""
    return _NAME.fullmatch(text) is not None


def _one(found: re.Match[str], names: Names) -> str:
    name = found[1]
    if name is None:
        raise Bad(f'expected {{name}}, found a single "{found[0]}"')
    if name in names:
        return names[name]
    if _COUNT.fullmatch(name):
        raise Bad(f"a count {{{name}}} stands only in shards and in matrix values")
    if not is_name(name):
        raise Bad(f'expected {{name}} or a count such as {{a..l}}, found "{{{name}}}"')
    raise Bad(f"{{{name}}} is not defined; {suggest(name, tuple(names), 'names')}")


def _steps(count: re.Match[str]) -> tuple[str, ...]:
    first, last = (part for part in count.groups() if part is not None)
    if first.isdigit():
        low, high = int(first), int(last)
        if high - low >= MAX_COUNT:
            raise Bad(f"expected a count of at most {MAX_COUNT:,}, found {{{count[0]}}}")
        width = len(first) if first.startswith("0") else 0
        steps = tuple(str(number).zfill(width) for number in range(low, high + 1))
    else:
        steps = tuple(chr(code) for code in range(ord(first), ord(last) + 1))
    if not steps:
        raise Bad(f"expected a count that goes up, found {{{count[0]}}}")
    return steps


def resolve(let: Mapping[str, str], bound: Names) -> tuple[dict[str, str], dict[str, str]]:
    """All names of a recipe: what the matrix has bound, and every `let`, filled from those and each other.

    The second map says what is wrong with which `let`; such a one is absent from the first.
    """
    names = dict(bound)
    wrong: dict[str, str] = {}
    for name in let:
        if not is_name(name):
            wrong[name] = "expected a name of letters, digits and _"
        elif name in bound:
            wrong[name] = "is a matrix variable already"
    for name in let:
        _resolve(name, (), let, names, wrong)
    return names, wrong


def _resolve(
    name: str, above: tuple[str, ...], let: Mapping[str, str], names: dict[str, str], wrong: dict[str, str]
) -> None:
    if name in names or name in wrong:
        return
    if name in above:
        circle = above[above.index(name) :]
        wrong |= dict.fromkeys(circle, f"goes in a circle: {' -> '.join((*circle, name))}")
        return
    if len(above) == MAX_CHAIN:
        wrong[name] = f"stands at the end of a chain of more than {MAX_CHAIN} names"
        return
    needed = [found[1] for found in _BRACE.finditer(let[name]) if found[1] in let]
    for inner in needed:
        _resolve(inner, (*above, name), let, names, wrong)
    if name in wrong:
        return
    broken = [inner for inner in needed if inner in wrong]
    if broken:
        wrong[name] = f"{{{broken[0]}}} has a fault of its own"
        return
    try:
        names[name] = fill(let[name], names)
    except Bad as bad:
        wrong[name] = str(bad)
