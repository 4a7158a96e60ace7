"""A layout's rules made ready for one artifact: what they match among its members, and what they fill."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from datafetch.layout.patterns import CHOOSY, ROOT, Capture, Pattern, Segment, captures_of, parse, regex
from datafetch.layout.subset import Stand, stand_of
from datafetch.model import Artifact, Bundled, Http, Rule, Shards

ANY = Capture("*")  # a whole file name, whatever it is; no pattern can spell it


@dataclass(frozen=True, slots=True)
class Match:
    root: str  # what `<root>` stands for, without a last slash; "" also where the pattern has none
    captures: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ReadyRule:
    """One alternative of one rule, for one artifact. Folder and file are matched apart: folders are few."""

    order: tuple[int, int]  # place of the rule in the layout, and of the alternative in the rule
    pattern: Pattern  # what members must look like, without the artifact's name
    rooted: bool
    numbered: bool  # the last segment of `to` holds a capture of a member
    folder: re.Pattern[str]
    file: re.Pattern[str]
    template: str  # of %-formatting, with the captures as names
    straight: str | None  # that of the folders alone, where files keep their names, whatever these are
    stand: Stand  # which folders of the target tell its split and class

    def match_folder(self, folder: str) -> Match | None:
        found = self.folder.fullmatch(folder)
        if found is None:
            return None
        captures = found.groupdict()
        return Match(captures.pop(ROOT, None) or "", captures)

    def fill(self, captures: Mapping[str, str]) -> str:
        return self.template % captures


def holds_many(artifact: Artifact) -> bool:
    """Whether the artifact is a folder of files, rather than one file under its own name."""
    return artifact.unpack or not isinstance(artifact.source, Http | Shards | Bundled)


def compile_rule(rule: Rule, order: int, artifact: Artifact) -> tuple[ReadyRule, ...]:
    """The alternatives of the rule that speak of this artifact. Raises ValueError for what is no pattern."""
    ready = []
    for turn, source in enumerate(rule.sources):
        named = split_name(parse(source), artifact.name)
        if named is None:
            continue
        members, known = named
        to = fill_known(parse(rule.to), known)
        # A pattern that ends with the name of a file artifact means that file.
        if not members.segments and not holds_many(artifact):
            members = Pattern(((ANY,),))
        if members.segments:
            ready.append(_ready((order, turn), members, to))
    return tuple(ready)


def match(rule: ReadyRule, path: str) -> Match | None:
    """What the pattern captures of a member path, or None."""
    folder, _, name = path.rpartition("/")
    above = rule.match_folder(folder)
    last = rule.file.fullmatch(name) if above else None
    if above is None or last is None:
        return None
    return Match(above.root, {**above.captures, **last.groupdict()})


def fill(rule: ReadyRule, captures: Mapping[str, str]) -> str:
    """The target, relative to the artifact's folder. Raises KeyError where a capture is missing."""
    return rule.fill(captures)


def split_name(pattern: Pattern, name: str) -> tuple[Pattern, Mapping[str, str]] | None:
    """The pattern without the segments that match the artifact's name, and what they captured."""
    depth = name.count("/") + 1
    head, rest = pattern.segments[:depth], pattern.segments[depth:]
    if len(head) < depth or ROOT in captures_of(head):
        return None
    found = re.fullmatch(regex(head), name)
    return (Pattern(rest), found.groupdict()) if found else None


def fill_known(pattern: Pattern, captures: Mapping[str, str]) -> tuple[Segment, ...]:
    """The segments with the captures that are already known written in."""
    return tuple(
        tuple(captures.get(piece.name, piece) if isinstance(piece, Capture) else piece for piece in segment)
        for segment in pattern.segments
    )


def _ready(order: tuple[int, int], members: Pattern, to: tuple[Segment, ...]) -> ReadyRule:
    *folders, last = members.segments
    rooted = bool(folders) and folders[0] == (Capture(ROOT),)
    if rooted:
        rest = tuple(folders[1:])
        folder = f"(?:(?P<{ROOT}>.+)/)?{regex(rest)}" if rest else f"(?P<{ROOT}>.*)"
    else:
        folder = regex(tuple(folders))
    file = ".+" if last == (ANY,) else regex((last,))
    return ReadyRule(
        order=order,
        pattern=members,
        rooted=rooted,
        numbered=bool(captures_of(to[-1:])),
        folder=re.compile(folder, re.DOTALL),
        file=re.compile(file, re.DOTALL),
        template=_filled(to),
        straight=f"{_filled(to[:-1])}/" if len(to) > 1 and _keeps_names(members, to) else None,
        stand=stand_of(to),
    )


def _keeps_names(members: Pattern, to: tuple[Segment, ...]) -> bool:
    """Whether any file that lies in a folder of the pattern is put below `to` under its own name."""
    last = members.segments[-1]
    if last != to[-1] or len(last) != 1 or not isinstance(last[0], Capture) or last == (ANY,):
        return False
    elsewhere = captures_of((*members.segments[:-1], *to[:-1]))
    return last[0].name not in (*elsewhere, *CHOOSY)


def _filled(to: tuple[Segment, ...]) -> str:
    return "/".join("".join(_template(piece) for piece in segment) for segment in to)


def _template(piece: str | Capture) -> str:
    return piece.replace("%", "%%") if isinstance(piece, str) else f"%({piece.name})s"


def file_name(artifact: Artifact) -> str:
    """What an artifact that is one file is called: its last part, or its address's if only that has a dot."""
    own = artifact.name.rpartition("/")[2]
    match artifact.source:
        case Http(urls=(url, *_)):
            address = url.partition("?")[0].partition("#")[0].rpartition("/")[2]
        case Bundled(path=path):
            address = path.rpartition("/")[2]
        case _:
            address = ""
    plain = re.fullmatch(r"[\w][\w.+-]*\.\w+", address)
    return address if plain and "." not in own else own
