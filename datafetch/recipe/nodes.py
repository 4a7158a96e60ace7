"""YAML text to a tree of nodes that know their lines; no anchors, no tags, no key twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import yaml

from datafetch.recipe.issues import Bad, Issues

MAX_BYTES = 1 << 20
MAX_DEPTH = 20

Value = str | int | float | bool | None


class Scalar(NamedTuple):
    line: int
    value: Value


class Items(NamedTuple):
    line: int
    items: list[Node]


class Entries(NamedTuple):
    line: int
    entries: dict[str, tuple[int, Node]]  # key -> line of the key, value


Node = Scalar | Items | Entries

# The core schema of YAML 1.2: `no`, `on` and dates stay text, as does what only resembles a number: 007, 1e5.
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?[0-9]{1,15}\.[0-9]{1,15}")


class _Stop(Exception):
    """Nothing after this point can be read."""


def read(data: bytes, issues: Issues) -> Node | None:
    """The one document of a recipe file; None when it cannot be read, with the reason in `issues`."""
    if len(data) > MAX_BYTES:
        issues.add(0, "", f"expected at most {MAX_BYTES:,} bytes, found {len(data):,}")
        return None
    try:
        return _tree(data.decode("utf-8-sig"), issues)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        issues.add(line, "", f"expected UTF-8 text, found byte 0x{data[error.start]:02x}")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        issues.add(
            mark.line + 1 if mark else 0, "", f"not valid YAML: {_lower(error.problem or 'unreadable')}"
        )
    except yaml.YAMLError as error:
        issues.add(0, "", f"not valid YAML: {_lower(str(error).splitlines()[0])}")
    except _Stop:
        pass
    return None


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _tree(text: str, issues: Issues) -> Node | None:
    events = iter(yaml.parse(text, Loader=yaml.CSafeLoader))
    tree: Node | None = None
    documents = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                issues.add(_line(event), "", "expected one document in a file, found a second")
                raise _Stop
            tree = _node(next(events), events, issues, 1)
    if tree is None:
        issues.add(0, "", "expected a recipe, found an empty file")
    return tree


def _node(event: yaml.Event, events: Iterator[yaml.Event], issues: Issues, depth: int) -> Node:
    line = _line(event)
    if depth > MAX_DEPTH:
        issues.add(line, "", f"nested deeper than {MAX_DEPTH} levels")
        raise _Stop
    if isinstance(event, yaml.AliasEvent):
        issues.add(line, "", f'an alias "*{event.anchor}": anchors and aliases are not part of the language')
        return Scalar(line, "")
    assert isinstance(event, (yaml.ScalarEvent, yaml.SequenceStartEvent, yaml.MappingStartEvent))
    if event.anchor:
        issues.add(line, "", f'an anchor "&{event.anchor}": anchors and aliases are not part of the language')
    if event.tag:
        issues.add(line, "", f'a tag "{event.tag}": tags are not part of the language')
    if isinstance(event, yaml.ScalarEvent):
        return Scalar(line, _plain(event.value) if event.implicit[0] else event.value)
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not isinstance(inner := next(events), yaml.SequenceEndEvent):
            items.append(_node(inner, events, issues, depth + 1))
        return Items(line, items)
    return _entries(line, events, issues, depth)


def _entries(line: int, events: Iterator[yaml.Event], issues: Issues, depth: int) -> Entries:
    entries: dict[str, tuple[int, Node]] = {}
    while not isinstance(inner := next(events), yaml.MappingEndEvent):
        key = _line(inner)
        name = inner.value if isinstance(inner, yaml.ScalarEvent) else None
        if name is None:
            issues.add(key, "", "expected a key that is text, found a list, a map or an alias")
        _node(inner, events, issues, depth + 1)  # for what it may say of anchors and tags
        value = _node(next(events), events, issues, depth + 1)
        if name is not None and name in entries:
            issues.add(key, f"key {name}", f"stands twice, first in line {entries[name][0]}")
        elif name is not None:
            entries[name] = (key, value)
    return Entries(line, entries)


def _plain(text: str) -> Value:
    """The value of a scalar without quotes."""
    lower = text.lower()
    if lower in _WORDS and text in (lower, lower.upper(), lower.capitalize()):
        return _WORDS[lower]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def describe(node: Node) -> str:
    """What a node is, for the second half of `expected …, found …`."""
    match node:
        case Items():
            return "a list"
        case Entries():
            return "a map"
        case Scalar(value=None):
            return "nothing"
        case Scalar(value=bool() as value):
            return "true" if value else "false"
        case Scalar(value=int() | float() as value):
            return f"the number {value}"
        case Scalar(value=value):
            text = str(value)
            return f'"{text if len(text) <= 60 else text[:57] + "..."}"'
    raise Bad("no such node")
