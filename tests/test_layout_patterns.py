"""Patterns and rules: what parses, what matches, what the static check refuses."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from datafetch.foldnames import fold
from datafetch.layout.names import Meeting, meeting, meets
from datafetch.layout.patterns import SPLITS, Capture, Pattern, parse
from datafetch.layout.ready import compile_rule, file_name, fill, match
from datafetch.layout.rules import check_layout
from datafetch.model import Artifact, Bundled, Http, Rule

LITERALS = st.text("abAB._-% ü", min_size=1, max_size=5).filter(lambda text: text not in (".", ".."))
CAPTURES = st.sampled_from(["class", "split", "image", "file", "k", "x1"]).map(Capture)
SEGMENTS = st.one_of(
    LITERALS.map(lambda a: (a,)),
    CAPTURES.map(lambda a: (a,)),
    st.tuples(LITERALS, CAPTURES),
    st.tuples(CAPTURES, LITERALS),
    st.tuples(CAPTURES, LITERALS, CAPTURES),
)
PATTERNS = st.lists(SEGMENTS, min_size=1, max_size=4).map(lambda segments: Pattern(tuple(segments)))


def archive(name: str = "real", folder: str = "pods", **more: object) -> Artifact:
    return Artifact(name, Http(("https://host.example/a.zip",)), folder, unpack=True, **more)  # type: ignore[arg-type]


def captured(source: str, path: str, name: str = "real") -> tuple[str, dict[str, str]] | None:
    (ready,) = compile_rule(Rule((source,), "x"), 0, archive(name))
    found = match(ready, path)
    return None if found is None else (found.root, dict(found.captures))


@given(PATTERNS)
def test_parse_and_str_are_inverses(pattern: Pattern) -> None:
    assert parse(str(pattern)) == pattern
    assert str(parse(str(pattern))) == str(pattern)


@given(st.text("<>ab/.\\\0", max_size=12))
def test_whatever_parses_is_written_back_as_it_was(text: str) -> None:
    try:
        pattern = parse(text)
    except ValueError:
        return
    assert str(pattern) == text
    assert not {"", ".", ".."} & set(text.split("/"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("/abs", "absolute"),
        ("a//b", "segment ''"),
        ("a/", "segment ''"),
        ("a/../b", "segment '..'"),
        ("./a", "segment '.'"),
        ("a\\b", "backslash"),
        ("a\0", "NUL"),
        ("<Class>", "not a capture"),
        ("<class", "not a capture"),
        ("a>b", "not a capture"),
        ("<a><b>", "nothing separates"),
        ("x<root>/a", "whole segment"),
        ("<a>_<b>_<c>_<d>", "more than 3"),
    ],
)
def test_what_is_no_pattern_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text)


@pytest.mark.parametrize(
    ("source", "path", "expected"),
    [
        (
            "real/<split>/<class>/<image>",
            "train/a/0.jpg",
            ("", {"split": "train", "class": "a", "image": "0.jpg"}),
        ),
        ("real/<split>/<file>", "training/0.jpg", None),
        ("real/<image>", "0.JPEG", ("", {"image": "0.JPEG"})),
        ("real/<image>", "0.txt", None),
        ("real/<image>", ".jpg", None),
        ("real/<root>/<image>", "0.jpg", ("", {"image": "0.jpg"})),
        ("real/<root>/<image>", "a/b/0.jpg", ("a/b", {"image": "0.jpg"})),
        ("real/<root>/info.json", "pods/info.json", ("pods", {})),
        ("real/<root>/<class>_masks/<file>", "x/a_masks/f", ("x", {"class": "a", "file": "f"})),
        (
            "real/<class>/<k>_<prompt>.jpg",
            "a/0_A <new1>_b.jpg",
            ("", {"class": "a", "k": "0", "prompt": "A <new1>_b"}),
        ),
        ("real/<file>", "a/b", None),
        ("real/<file>", "line\nbreak", ("", {"file": "line\nbreak"})),
        ("real/a.b/<file>", "axb/f", None),
    ],
)
def test_matching(source: str, path: str, expected: object) -> None:
    assert captured(source, path) == expected


def test_captures_of_the_artifacts_name_fill_the_target() -> None:
    rule = Rule(("synthetic/<set>/<root>/<class>/<image>",), "50%/<set>/<class>_x/<image>")
    (ready,) = compile_rule(rule, 0, archive("synthetic/dreambooth_cfg_5"))
    found = match(ready, "pods/cfg_5.0/mugs/0_100%s.jpg")
    assert found is not None
    assert fill(ready, found.captures) == "50%/dreambooth_cfg_5/mugs_x/0_100%s.jpg"


def test_a_rule_for_another_artifact_says_nothing() -> None:
    assert (
        compile_rule(Rule(("negatives/<file>", "real/x/<file>"), "<file>"), 0, archive("synthetic/a")) == ()
    )


# --- The static check --------------------------------------------------------------------------------------------

SETS = (archive("synthetic/a", "pods_a"), archive("synthetic/b", "pods_b"))


def rules(*pairs: tuple[str, str]) -> tuple[Rule, ...]:
    return tuple(Rule(tuple(source.split(" | ")), to) for source, to in pairs)


@pytest.mark.parametrize(
    "layout",
    [
        rules(
            ("real/<root>/<split>/<class>/<file>", "<split>/<class>/<file>"), ("real/<root>/i.json", "i.json")
        ),
        rules(("real/<a>/<file>", "<a>_negatives/<file>"), ("real/<a>/<b>/<file>", "<a>/<b>/<file>")),
        rules(("real/<root>/x/<image> | real/<root>/<image>", "<image>")),
        rules(("real/train/<file>", "train/<file>"), ("real/val/<file>", "test/<file>")),
        rules(("real/<split>/<file>", "<split>/<file>"), ("real/masks/<file>", "masks/<file>")),
        (),
    ],
)
def test_a_sound_layout_passes(layout: tuple[Rule, ...]) -> None:
    assert check_layout((archive(),), layout) == ()


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        (rules(("real/<class>/<file>", "<file>")), "must hold <class>"),
        (rules(("real/<file>", "<class>/<file>")), "needs <class>"),
        (rules(("real/<a>/<file> | real/<file>", "<a>/<file>")), "needs <a>"),
        (rules(("real/<a>/<a>", "<a>")), "captures <a> twice"),
        (rules(("real/<a>/<b>", "<a>_<b>")), "two captures in <a>_<b>"),
        (rules(("real/<root>/<file>", "<root>/<file>")), "<root> cannot be used in 'to'"),
        (rules(("real/a/<root>/<file>", "<file>")), "<root> stands right after"),
        (rules(("real/<root>", "x")), "<root> stands right after"),
        (rules(("real", "x")), "say which of its members"),
        (rules(("fake/<file>", "<file>")), "begins with the name of no artifact"),
        (rules(("real/<file>", "../<file>")), "segment '..'"),
        (rules(("real/<file>", "/<file>")), "absolute"),
        (rules(("real/<file>", "a//<file>")), "segment ''"),
        (rules(("real/a/<file>", "<file>"), ("real/b/<file>", "<file>")), "could land on one path"),
        (rules(("real/a/<file>", "x/<file>"), ("real/<split>/info", "X/info")), "could land on one path"),
        (rules(("real/a/<image>", "<image>"), ("real/i.JPG", "i.JPG")), "could land on one path"),
        (rules(("real/<split>/<f>", "<split>/<f>"), ("real/a/<f>", "Train/<f>")), "could land on one path"),
        (rules(("real/a/<f>", "pre_<f>/x"), ("real/b/<f>", "<f>_post/x")), "could land on one path"),
    ],
)
def test_an_unsound_layout_is_named(layout: tuple[Rule, ...], words: str) -> None:
    issues = check_layout((archive(),), layout)
    assert any(words in message for _, message in issues), issues


def test_literals_that_cannot_be_equal_do_not_meet() -> None:
    layout = rules(("real/a/<f>", "a_<f>"), ("real/b/<f>", "b_<f>"), ("real/c/<image>", "<image>/x"))
    assert check_layout((archive(),), layout) == ()


def test_one_rule_for_two_artifacts_of_one_folder_is_refused() -> None:
    layout = rules(("synthetic/<set>/<file>", "<file>"))
    assert check_layout(SETS, layout) == ()
    together = (archive("synthetic/a", "pods"), archive("synthetic/b", "pods"))
    assert "could land on one path" in check_layout(together, layout)[0][1]
    assert check_layout(together, rules(("synthetic/<set>/<file>", "<set>/<file>"))) == ()


def test_artifacts_that_are_never_chosen_together_may_meet() -> None:
    a = archive("a", choose=(("variant", "a"),))
    b = archive("b", choose=(("variant", "b"),))
    assert check_layout((a, b), rules(("a/<file>", "<file>"), ("b/<file>", "<file>"))) == ()


def test_an_archive_without_a_rule_is_named() -> None:
    issues = check_layout(SETS, rules(("synthetic/a/<file>", "<file>")))
    assert issues == ((-1, "no rule of the layout begins with synthetic/b"),)


def test_a_file_without_a_rule_must_not_meet_what_rules_place() -> None:
    note = Artifact("notes.txt", Http(("https://host.example/n",)), "pods")
    assert check_layout((archive(), note), rules(("real/<image>", "<image>"))) == ()
    assert "notes.txt" in check_layout((archive(), note), rules(("real/<file>", "<file>")))[0][1]


def test_an_archive_that_stands_as_it_is_must_not_meet_a_rule() -> None:
    loose = Artifact("lists", Http(("https://host.example/n",)), "pods", unpack=True)
    layout = rules(("real/<a>/<file>", "<a>/<file>"), ("lists/<file>", "<file>"))
    assert check_layout((archive(), loose), layout) == ()


@pytest.mark.parametrize(
    ("artifact", "name"),
    [
        (Artifact("im2text.tar.gz", Http(("https://h.example/x.bin",)), "f"), "im2text.tar.gz"),
        (Artifact("set/list", Http(("https://h.example/a/urls.txt?x=1/y.z",)), "f"), "urls.txt"),
        (Artifact("list", Http(("https://h.example/..%2f..%2fevil.txt",)), "f"), "list"),
        (Artifact("synsets", Bundled("lists/ilsvrc14.txt"), "f"), "ilsvrc14.txt"),
    ],
)
def test_the_name_of_a_single_file(artifact: Artifact, name: str) -> None:
    assert file_name(artifact) == name


TARGETS = [
    "<f>",
    "<split>/<f>",
    "a/<f>",
    "<class>/<image>",
    "train/<f>",
    "<class>_x/<f>",
    "A/b.jpg",
    "a/<f>.jpg",
]


@given(
    st.sampled_from(TARGETS),
    st.sampled_from(TARGETS),
    st.dictionaries(st.sampled_from(["f", "class"]), st.text("abxX._j", min_size=1, max_size=3)),
    st.dictionaries(st.sampled_from(["f", "class"]), st.text("abxX._j", min_size=1, max_size=3)),
    st.sampled_from(SPLITS),
)
def test_rules_that_pass_the_check_never_meet(
    one: str, other: str, left: dict[str, str], right: dict[str, str], split: str
) -> None:
    """Fill both targets with anything: what the check lets pass folds to two paths."""
    sources = [
        f"real/{k}/" + "/".join(f"<{c}>" for c in parse(to).captures) for k, to in ((1, one), (2, other))
    ]
    assume(all(not source.endswith("/") for source in sources))
    if check_layout((archive(),), rules((sources[0], one), (sources[1], other))):
        return
    image = {"split": split, "image": "b.jpg"}
    filled = [
        compile_rule(Rule((source,), to), 0, archive())[0].fill({"f": "b", "class": "a", **image, **values})
        for source, to, values in ((sources[0], one, left), (sources[1], other, right))
    ]
    assert fold(filled[0]) != fold(filled[1])


# --- Names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "folders", "met"),
    [
        (["a", "b"], [], None),
        (["a", "a"], [], Meeting("a", "a", "two files")),
        (["a", "A"], [], Meeting("a", "A", "two files")),
        (["a/x", "A/y"], [], Meeting("a", "A", "two folders")),
        (["a/b/x", "A/y"], [], Meeting("a", "A", "two folders")),
        (["ü"], ["u\u0308"], Meeting("ü", "u\u0308", "a file and a folder")),
        (["ß"], ["SS"], Meeting("ß", "SS", "a file and a folder")),
        (["a", "a/b"], [], Meeting("a", "a", "a file and a folder")),
        (["a/b", "a/c", "a/b/d"], [], Meeting("a/b", "a/b", "a file and a folder")),
        ([], ["a", "a", "a/b"], None),
        (["a/b"], ["A"], Meeting("A", "a", "two folders")),
        (["x/a", "y/a"], ["x", "y"], None),
    ],
)
def test_meeting(files: list[str], folders: list[str], met: Meeting | None) -> None:
    assert meeting(files, folders) == met


# "'a' and 'a' have one name" was said of a file and a folder, and one member was named twice.
@pytest.mark.parametrize(
    ("placed", "said", "which"),
    [
        ([("a", "x"), ("a/b", "y")], "a file and a folder have one name, 'a'", ("x", "y")),
        ([("a/b", "y"), ("a", "x")], "a file and a folder have one name, 'a'", ("x", "y")),
        ([("b", "w"), ("a", "x"), ("a", "y")], "two files have one name, 'a'", ("x", "y")),
        (
            [("a", "x"), ("A", "y")],
            "two files, 'a' and 'A', have one name, letter case and Unicode form aside",
            ("x", "y"),
        ),
        (
            [("a/1", "x"), ("a/2", "y"), ("A/1", "z")],
            "two folders, 'a' and 'A', have one name, letter case and Unicode form aside",
            ("x", "z"),
        ),
    ],
)
def test_names_that_meet_are_told_with_what_they_are(
    placed: list[tuple[str, str]], said: str, which: tuple[str, str]
) -> None:
    met = meeting(path for path, _ in placed)
    assert met is not None and str(met) == said
    assert meets(met, placed) == which


@given(st.lists(st.text("aAüÜ\u0308uU/", min_size=1, max_size=4), max_size=6))
def test_meeting_is_what_it_says(paths: list[str]) -> None:
    files = [
        path for path in paths if not path.startswith("/") and not path.endswith("/") and "//" not in path
    ]
    spelled: dict[str, set[str]] = {}
    for path in files:
        parts = path.split("/")
        for depth in range(1, len(parts)):
            spelled.setdefault(fold("/".join(parts[:depth])), set()).add("/".join(parts[:depth]))
    apart = (
        len({fold(path) for path in files}) == len(files)
        and all(len(spellings) == 1 for spellings in spelled.values())
        and not spelled.keys() & {fold(path) for path in files}
    )
    assert (meeting(files) is None) == apart


@given(st.text(max_size=8))
def test_folding_twice_changes_nothing(name: str) -> None:
    assert fold(fold(name)) == fold(name)
