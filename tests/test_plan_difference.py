"""The plan is the difference: it asks for all that is missing, for nothing that is there, and it ends."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from datafetch.model import Artifact, Http, Seen, Shard, Shards, State, Step, UrlList, Verb, Window
from datafetch.plan.budget import estimate
from datafetch.plan.difference import difference
from datafetch.plan.window import covers

URL = Http(("https://example.org/a.zip",))
LIST = UrlList(file="list", read="map", keys=("id",), url=("<url>",), save_as="<id>.jpg")


def artifact(
    name: str, folder: str = "set", source: Http | UrlList = URL, size: int | None = None
) -> Artifact:
    return Artifact(name, source, folder, unpack=True, size=size)


TABLE = [
    (State.ABSENT, [Step(Verb.GET, "a")]),
    (State.PARTIAL, [Step(Verb.GET, "a")]),
    (State.FETCHED, [Step(Verb.EXTRACT, "a")]),
    (State.STAGED, [Step(Verb.BUILD, "set")]),
    (State.BUILT, []),
]


def test_a_list_waits_until_the_folder_that_it_is_staged_for_is_built() -> None:
    """It was read while it moved into its folder, and was not found."""
    holder = Artifact("list", Http(("http://x/list",)), "p_list")
    items = Artifact("items", UrlList("list", "lines", ("link",), ("<link>",), "<row>.jpg"), "p")
    sorted_ = Artifact("val", Http(("http://x/val",)), "p", unpack=True, after=("list",))
    wanted = (holder, items, sorted_)
    seen = {"list": Seen(State.STAGED), "items": Seen(), "val": Seen(State.FETCHED)}
    assert difference(wanted, seen).steps == (Step(Verb.BUILD, "p_list"),)
    seen["list"] = Seen(State.BUILT)
    assert set(difference(wanted, seen).steps) == {Step(Verb.GET, "items"), Step(Verb.EXTRACT, "val")}


def test_a_folder_that_is_never_built_leaves_its_list_where_it_is() -> None:
    holder = Artifact("list", Http(("http://x/list",)), "p_list")
    mate = Artifact("mate", Http(("http://x/mate",)), "p_list")
    items = Artifact("items", UrlList("list", "lines", ("link",), ("<link>",), "<row>.jpg"), "p")
    seen = {"list": Seen(State.STAGED), "mate": Seen(), "items": Seen()}
    assert Step(Verb.GET, "items") not in difference((holder, mate, items), seen).steps
    assert Step(Verb.GET, "items") in difference((holder, mate, items), seen, {"mate"}).steps


def test_each_state_has_its_step() -> None:
    for state, steps in TABLE:
        assert list(difference([artifact("a")], {"a": Seen(state)}).steps) == steps, state


def test_what_was_never_seen_is_absent() -> None:
    assert difference([artifact("a")], {}).steps == (Step(Verb.GET, "a"),)


def test_a_folder_waits_for_all_its_artifacts() -> None:
    wanted = [artifact("a"), artifact("b")]
    assert Verb.BUILD not in {s.verb for s in difference(wanted, {"a": Seen(State.STAGED)}).steps}
    both = {"a": Seen(State.STAGED), "b": Seen(State.BUILT)}
    assert difference(wanted, both).steps == (Step(Verb.BUILD, "set"),)


def test_a_list_waits_for_the_artifact_that_holds_it() -> None:
    wanted = [artifact("list"), artifact("images", source=LIST)]
    assert [s.name for s in difference(wanted, {}).steps] == ["list"]
    assert Step(Verb.GET, "images") in difference(wanted, {"list": Seen(State.STAGED)}).steps


def test_only_lost_paths_are_asked_for_again() -> None:
    lost = frozenset({"set/x.jpg"})
    for state, verb in ((State.ABSENT, Verb.GET), (State.FETCHED, Verb.EXTRACT)):
        assert difference([artifact("a")], {"a": Seen(state, lost=lost)}).steps == (Step(verb, "a", lost),)


def test_what_failed_for_good_is_left_alone() -> None:
    assert not difference([artifact("a")], {}, {"a"})


NEXT = {State.ABSENT: State.FETCHED, State.PARTIAL: State.FETCHED, State.FETCHED: State.STAGED}
STATES = st.sampled_from(list(State))


@given(st.lists(st.tuples(st.sampled_from(["one", "two", "three"]), STATES), min_size=1, max_size=8))
def test_when_every_step_succeeds_the_plan_ends_empty_with_all_built(rows: list[tuple[str, State]]) -> None:
    wanted = [artifact(f"a{i}", folder) for i, (folder, _) in enumerate(rows)]
    seen = {f"a{i}": Seen(state) for i, (_, state) in enumerate(rows)}
    for _ in range(3 * len(wanted) + 3):
        plan = difference(wanted, seen)
        if not plan:
            break
        for step in plan.steps:
            if step.verb is Verb.BUILD:
                for one in wanted:
                    if one.folder == step.name:
                        assert seen[one.name].state in (State.STAGED, State.BUILT)
                        seen[one.name] = Seen(State.BUILT)
            else:
                assert seen[step.name].state is not State.BUILT, "a plan never asks for what is there"
                seen[step.name] = Seen(NEXT[seen[step.name].state])
    assert all(now.state is State.BUILT for now in seen.values())


def test_the_budget_counts_archives_and_trees_and_says_what_is_unknown() -> None:
    wanted = [artifact("a", size=100), artifact("b", size=50), artifact("c"), artifact("d", size=7)]
    seen = {"a": Seen(State.PARTIAL, bytes_here=40), "b": Seen(State.FETCHED), "d": Seen(State.BUILT)}
    budget = estimate(wanted, seen, {})
    assert (budget.fetch, budget.unknown) == (60, 1)
    assert budget.disk == 60 + 100 + 50
    known = estimate(wanted, seen | {"c": replace(Seen(), size=1000)}, {})
    assert (known.fetch, known.unknown) == (1060, 0)


def test_shards_that_are_unpacked_as_they_come_need_room_for_two_beside_the_result() -> None:
    shards = Shards(tuple(Shard(f"a{letter}", (f"https://x/a{letter}",)) for letter in "abcdefghijkl"))
    wanted = [Artifact("x.tar.gz", shards, "x", unpack=True, size=1200)]
    assert estimate(wanted, {}, {}).disk == 2400
    budget = estimate(wanted, {}, {"x.tar.gz": 2})
    assert (budget.fetch, budget.disk) == (1200, 1200 + 200)
    assert "2 of its 12 shards" in budget.lines[0].note


def test_lists_that_name_files_alike_are_brought_one_after_the_other() -> None:
    """Both at once would fetch a file that both list twice, and then refuse to publish it."""
    wanted = [artifact("list"), *(artifact(name, source=LIST) for name in ("query", "gallery"))]
    wanted.append(artifact("train", source=replace(LIST, save_as="train/<id>.jpg")))
    here = {"list": Seen(State.BUILT)}
    assert [step.name for step in difference(wanted, here).steps] == ["query", "train"]
    assert [step.name for step in difference(wanted, here, ["query"]).steps] == ["gallery", "train"]
    for state in (State.STAGED, State.BUILT):
        steps = difference(wanted, {**here, "query": Seen(state)}).steps
        assert [step.name for step in steps if step.verb is Verb.GET] == ["gallery", "train"]


WINDOWS = st.lists(st.builds(Window, st.integers(1, 9), st.none() | st.integers(1, 9)), max_size=4)


@example([Window(3, None), Window(1, 1)], 1, 0)
@given(WINDOWS, st.integers(1, 9), st.none() | st.integers(0, 4))
def test_windows_cover_what_they_hold_row_by_row(windows: list[Window], first: int, more: int | None) -> None:
    def rows(window: Window) -> set[int]:
        return set(range(window.first, (window.last or 20) + 1))

    wanted = Window(first, None if more is None else first + more)
    held = set().union(*map(rows, windows))
    endless = any(window.last is None for window in windows)
    assert covers(windows, wanted) == (rows(wanted) <= held and (wanted.last is not None or endless))
