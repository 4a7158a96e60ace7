"""The static check of a layout: whatever the archives hold, no two files can land on one path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from datafetch.foldnames import fold
from datafetch.layout.patterns import IMAGES, ROOT, SPLITS, Capture, Pattern, Segment, captures_of, parse
from datafetch.layout.ready import file_name, fill_known, holds_many, split_name
from datafetch.model import Artifact, Rule


@dataclass(frozen=True, slots=True)
class _Target:
    """Where files of one artifact may land by one rule (-1: without a rule)."""

    artifact: Artifact
    rule: int
    segments: tuple[Segment, ...]
    open: bool = False  # anything may follow below

    def __str__(self) -> str:
        return f"{Pattern(self.segments)}{'/…' if self.open else ''}"


def check_layout(artifacts: Sequence[Artifact], rules: Sequence[Rule]) -> tuple[tuple[int, str], ...]:
    """Everything wrong with a layout, as (index of the rule, or -1; message). Empty means:

    every pattern parses; each alternative captures what `to` needs, and nothing captured is lost, so that
    members of one alternative never meet; every rule speaks of an artifact, and every unpacked artifact has
    a rule where there are rules at all; no two rules, nor one rule for two artifacts, can put two files on
    one path. Alternatives of one rule may meet, and artifacts that are never chosen together (other values
    of one option): placing and building refuse those by name. Lists that name files alike may, too: what one
    of them has is no file of the others.
    """
    issues: list[tuple[int, str]] = []
    for index, rule in enumerate(rules):
        issues += [(index, message) for message in _check_rule(artifacts, rule)]
    if issues:
        return tuple(issues)
    targets: list[_Target] = []
    for artifact in artifacts:
        own = list(_targets(artifact, rules))
        if not own and rules and artifact.unpack:
            issues.append((-1, f"no rule of the layout begins with {artifact.name}"))
        targets += own or [_unruled(artifact)]
    for a, b in combinations(targets, 2):
        alternatives = a.artifact == b.artifact and a.rule == b.rule
        apart = _exclusive(a.artifact, b.artifact) or _by_turns(a.artifact, b.artifact)
        if not alternatives and not apart and _may_meet(a, b):
            one, other = f"{a.artifact.name} at {a}", f"{b.artifact.name} at {b}"
            issues.append((max(a.rule, b.rule), f"two files could land on one path: {one}, {other}"))
    return tuple(issues)


def _by_turns(a: Artifact, b: Artifact) -> bool:
    """Whether what one of them has is no file of the other."""
    return a.shares_names(b) or a.mends(b) or b.mends(a)


def _check_rule(artifacts: Sequence[Artifact], rule: Rule) -> list[str]:
    try:
        to = parse(rule.to)
        sources = [parse(source) for source in rule.sources]
    except ValueError as error:
        return [str(error)]
    issues = []
    if ROOT in to.captures:
        issues.append(f"{rule.to}: <root> cannot be used in 'to'")
    for pattern in sources:
        issues += _check_source(artifacts, pattern, to)
    return list(dict.fromkeys(issues))


def _check_source(artifacts: Sequence[Artifact], pattern: Pattern, to: Pattern) -> list[str]:
    captured, needed = pattern.captures, to.captures
    issues = [f"{pattern} captures <{name}> twice" for name in captured if captured.count(name) > 1]
    issues += [f"{to} needs <{x}>, which {pattern} does not capture" for x in needed if x not in captured]
    named = [(a, split) for a in artifacts if (split := split_name(pattern, a.name)) is not None]
    if not named:
        issues.append(f"{pattern} begins with the name of no artifact")
    for artifact, (members, known) in named:
        if not members.segments and holds_many(artifact):
            issues.append(f"{pattern} ends with the artifact's name; say which of its members, as in <file>")
        elif (Capture(ROOT),) in members.segments[1:] or members.segments == ((Capture(ROOT),),):
            issues.append(f"{pattern}: <root> stands right after the artifact's name and before the file")
        lost = set(members.captures) - {*needed, ROOT}
        issues += [
            f"{to} must hold <{x}> of {pattern}, else files could land on one path" for x in sorted(lost)
        ]
        crowded = [x for x in fill_known(to, known) if len(captures_of((x,))) > 1]
        issues += [f"{to}: two captures in {Pattern((x,))} could make one name of two files" for x in crowded]
    return issues


def _targets(artifact: Artifact, rules: Sequence[Rule]) -> Sequence[_Target]:
    home = parse(artifact.folder).segments
    found = {}
    for index, rule in enumerate(rules):
        for source in rule.sources:
            named = split_name(parse(source), artifact.name)
            if named is not None:
                target = _Target(artifact, index, home + fill_known(parse(rule.to), named[1]))
                found[index, str(target)] = target
    return list(found.values())


def _unruled(artifact: Artifact) -> _Target:
    name = artifact.name if holds_many(artifact) else file_name(artifact)
    literal: tuple[Segment, ...] = tuple((part,) for part in name.split("/"))
    return _Target(artifact, -1, parse(artifact.folder).segments + literal, holds_many(artifact))


def _exclusive(a: Artifact, b: Artifact) -> bool:
    other = dict(b.choose)
    return any(other.get(option, value) != value for option, value in a.choose)


def _may_meet(a: _Target, b: _Target) -> bool:
    short, long = sorted((a, b), key=lambda target: len(target.segments))
    if len(short.segments) < len(long.segments) and not short.open:
        # Deeper by pattern: only a file named like a folder could meet, which placing refuses by name.
        return False
    if len(short.segments) == len(long.segments) and short.open != long.open:
        return False
    return all(map(_segments_meet, short.segments, long.segments))


def _segments_meet(a: Segment, b: Segment) -> bool:
    return any(_globs_meet(one, other) for one in _spellings(a) for other in _spellings(b))


def _spellings(segment: Segment) -> list[str]:
    """The segment as folded globs: NUL is one character or more, the closed captures are written out."""
    texts = [""]
    for piece in segment:
        ends: Sequence[str]
        match piece:
            case Capture(name="split"):
                ends = SPLITS
            case Capture(name="image"):
                ends = ["\0" + ext for ext in IMAGES]
            case Capture():
                ends = ["\0"]
            case literal:
                ends = [literal]
        texts = [text + end for text in texts for end in ends]
    return [fold(text) for text in texts]


def _globs_meet(a: str, b: str) -> bool:
    """Whether one string fits both; NUL is one character or more."""
    reached = {(0, 0)}
    seen = set(reached)
    while reached:
        i, j = reached.pop()
        if i == len(a) and j == len(b):
            return True
        if i == len(a) or j == len(b):
            continue
        if a[i] != b[j] and "\0" not in (a[i], b[j]):
            continue
        # One character goes by; a NUL may take it and stay for more.
        after_i = {i + 1, i} if a[i] == "\0" else {i + 1}
        after_j = {j + 1, j} if b[j] == "\0" else {j + 1}
        new = {(x, y) for x in after_i for y in after_j} - seen
        seen |= new
        reached |= new
    return False
