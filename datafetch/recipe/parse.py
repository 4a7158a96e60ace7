"""Nodes to a document: every key known, every type right, every issue with its line."""

from __future__ import annotations

import types
from functools import cache
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import msgspec

from datafetch.recipe import nodes
from datafetch.recipe.document import (
    ArtifactEntry,
    ChecksumEntry,
    ChoiceEntry,
    FinishEntry,
    JoinEntry,
    PlaceEntry,
    RecipeEntry,
    RuleEntry,
    SortEntry,
    TermsEntry,
    UrlListEntry,
)
from datafetch.recipe.issues import Issues, listed, nearest, printable, suggest
from datafetch.recipe.nodes import Entries, Items, Node, Scalar, describe

Path = tuple[str | int, ...]
Lines = dict[Path, int]

# How an entry is called in a message.
NOUNS: dict[type, str] = {
    RecipeEntry: "a recipe",
    ArtifactEntry: "an artifact",
    RuleEntry: "a layout rule",
    FinishEntry: "a finish",
    ChoiceEntry: "a choice",
    TermsEntry: "terms",
    UrlListEntry: "a url_list",
    PlaceEntry: "a manual place",
    SortEntry: "a sort",
    JoinEntry: "a join",
    ChecksumEntry: "a checksum",
}
_TYPES = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a map",
}


class Document(NamedTuple):
    """A recipe file as written, blanks standing where a value could not be used."""

    entry: RecipeEntry
    lines: Lines
    broken: frozenset[Path]  # paths that have an issue, and all above them
    blank: frozenset[Path]  # paths where a blank stands

    def judged(self, path: Path) -> bool:
        """Whether there is an issue at this path already, so that another would only confuse."""
        return path in self.broken or any(path[:end] in self.blank for end in range(1, len(path)))

    def line(self, path: Path) -> int:
        """The line of a value, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)


def parse(data: bytes, issues: Issues) -> Document | None:
    """The document in these bytes; None when nothing of it can be used. Every fault is in `issues`."""
    tree = nodes.read(data, issues)
    if tree is None:
        return None
    if not isinstance(tree, Entries):
        issues.add(tree.line, "", f"expected a recipe, found {describe(tree)}")
        return None
    reader = _Reader(issues)
    entry = reader.convert(tree, (RecipeEntry,), (), "")
    return Document(entry, reader.lines, frozenset(reader.broken), frozenset(reader.blank))


class _Field(NamedTuple):
    name: str
    kinds: tuple[Any, ...]  # the alternatives, None left out
    required: bool


@cache
def fields_of(entry: type[msgspec.Struct]) -> dict[str, _Field]:
    """Key in the file -> field of the entry."""
    return {f.encode_name: _Field(f.name, _kinds(f.type), f.required) for f in msgspec.structs.fields(entry)}


def _kinds(kind: Any) -> tuple[Any, ...]:
    if get_origin(kind) is Annotated:
        return _kinds(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(one for each in get_args(kind) if each is not type(None) for one in _kinds(each))
    return (kind,)


def _label(path: Path, node: Node) -> str:
    """How the entry at this path is called in a message; empty when it has no name of its own."""
    match path:
        case ("artifacts", int() as index):
            if isinstance(node, Entries) and "name" in node.entries:
                _, name = node.entries["name"]
                if isinstance(name, Scalar) and isinstance(name.value, str):
                    return f"artifact {name.value}"
            return f"artifact {index + 1}"
        case ("layout", int() as index):
            return f"layout rule {index + 1}"
        case ("finish", int() as index):
            return f"finish {index + 1}"
        case ("choices", str() as name):
            return f"choice {name}"
    return ""


def where(label: str, path: Path) -> str:
    """`artifact real, key url_list.read`"""
    inside = path[2:] if label else path
    key = ".".join(str(step + 1) if isinstance(step, int) else step for step in inside)
    return ", ".join(printable(part) for part in (label, f"key {key}" if key else "") if part)


def _blank(kind: Any) -> Any:
    """What stands for a value that broke a rule, so that the rest of the file can still be judged."""
    first = _kinds(kind)[0]
    if isinstance(first, type) and issubclass(first, msgspec.Struct):
        fields = fields_of(first).values()
        return first(**{f.name: _blank(f.kinds[0]) for f in fields if f.required})
    return (get_origin(first) or first)()


class _Reader:
    """Walks nodes and types side by side."""

    def __init__(self, issues: Issues) -> None:
        self.issues = issues
        self.lines: Lines = {}
        self.broken: set[Path] = set()
        self.blank: set[Path] = set()

    def _issue(self, path: Path, line: int, label: str, message: str) -> None:
        self.issues.add(line, where(label, path), message)
        self.broken.update(path[:end] for end in range(1, len(path) + 1))

    def convert(self, node: Node, kinds: tuple[Any, ...], path: Path, label: str) -> Any:
        """The value as the first of these types that fits, else a blank one with the reason in the issues."""
        self.lines.setdefault(path, node.line)
        label = _label(path, node) or label
        for kind in kinds:
            if _fits(node, kind):
                return self._value(node, kind, path, label)
        names = dict.fromkeys(NOUNS.get(kind) or _TYPES[get_origin(kind) or kind] for kind in kinds)
        found = describe(node)
        if isinstance(node, Scalar) and isinstance(node.value, int | float) and str in kinds:
            found += f'; write "{str(node.value).lower()}" in quotes'
        self._issue(path, node.line, label, f"expected {listed(tuple(names))}, found {found}")
        self.blank.add(path)
        return _blank(kinds[0])

    def _value(self, node: Node, kind: Any, path: Path, label: str) -> Any:
        match node:
            case Scalar(value=value):
                return value
            case Items(items=items):
                inner = _kinds(get_args(kind)[0])
                return [self.convert(item, inner, (*path, index), label) for index, item in enumerate(items)]
            case Entries() if get_origin(kind) is dict:
                return self._dict(node, _kinds(get_args(kind)[1]), path, label)
            case Entries():
                return self._struct(node, kind, path, label)

    def _dict(self, node: Entries, inner: tuple[Any, ...], path: Path, label: str) -> dict[str, Any]:
        values = {}
        for key, (line, value) in node.entries.items():
            self.lines[*path, key] = line
            values[key] = self.convert(value, inner, (*path, key), label)
        return values

    def _struct(self, node: Entries, kind: type[msgspec.Struct], path: Path, label: str) -> Any:
        fields = fields_of(kind)
        values: dict[str, Any] = {}
        meant = set()  # by keys that are misspelt
        for key, (line, value) in node.entries.items():
            self.lines[*path, key] = line
            if key in fields:
                values[fields[key].name] = self.convert(value, fields[key].kinds, (*path, key), label)
            else:
                message = f"not a key of {NOUNS[kind]}; {suggest(key, tuple(fields), 'keys')}"
                self._issue((*path, key), line, label, message)
                meant.add(nearest(key, fields))
        for key, field in fields.items():
            if field.required and key not in node.entries:
                if key not in meant:
                    self._issue((*path, key), node.line, label, f"missing; {NOUNS[kind]} needs it")
                self.broken.add((*path, key))
                values[field.name] = _blank(field.kinds[0])
        return kind(**values)


def _fits(node: Node, kind: Any) -> bool:
    match node:
        case Entries():
            return get_origin(kind) is dict or (isinstance(kind, type) and issubclass(kind, msgspec.Struct))
        case Items():
            return get_origin(kind) is list
        case Scalar(value=value):
            return type(value) is kind
