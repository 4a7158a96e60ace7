"""The peak of a plan: the bound of several at once, the order that takes least, and what is chosen."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.model import (
    Artifact,
    Http,
    Members,
    Recipe,
    Rule,
    Seen,
    Shard,
    Shards,
    State,
    Step,
    UrlList,
    Verb,
)
from datafetch.plan.difference import difference
from datafetch.plan.inodes import files_to_come
from datafetch.plan.order import Order, narrowed, ranked
from datafetch.plan.peak import PER_FILE, Disk, Here, peak

URL = Http(("https://example.org/a.zip",))


def artifact(name: str, size: int | None, folder: str = "set", unpack: bool = True) -> Artifact:
    return Artifact(name, URL, folder, unpack=unpack, size=size)


def sized(*sizes: int) -> list[Artifact]:
    return [artifact(f"a{index}", size) for index, size in enumerate(sizes)]


def test_narrow_is_chosen_when_only_that_fits() -> None:
    wanted = sized(400, 800, 200, 600)
    wide = peak(wanted, {}, Disk(free=2800), {})
    assert (wide.bytes, wide.order, wide.ranks, wide.fits) == (2800, Order.WIDE, (), True)
    narrow = peak(wanted, {}, Disk(free=2799), {})
    assert (narrow.bytes, narrow.order, narrow.fits) == (2200, Order.NARROW, True)
    assert narrow.ranks == ("a1", "a3", "a0", "a2")
    assert not peak(wanted, {}, Disk(free=2199), {}).fits


@pytest.mark.parametrize(
    ("most", "order", "fits"),
    [(2800, Order.WIDE, True), (2200, Order.NARROW, True), (2199, Order.NARROW, False)],
)
def test_a_limit_counts_what_is_here_already(most: int, order: Order, fits: bool) -> None:
    wanted = sized(400, 800, 200, 600)
    found = peak(wanted, {}, Disk(taken=1000, most=1000 + most), {})
    assert (found.order, found.fits) == (order, fits)
    assert found.bytes == 1000 + (2800 if order is Order.WIDE else 2200)


def test_archives_that_are_kept_count_to_the_end() -> None:
    wanted = sized(400, 800)
    for disk in (Disk(kept=("a0", "a1")), Disk(kept=("a0", "a1"), free=1)):
        assert peak(wanted, {}, disk, {}).bytes == 2400


def test_what_a_killed_run_left_is_not_counted_twice() -> None:
    wanted = sized(400, 800)
    seen = {"a0": Seen(State.PARTIAL, 100), "a1": Seen(State.STAGED)}
    disk = Disk(taken=400 + 800 + 800, here={"a0": Here(400), "a1": Here(800, 800)})
    assert peak(wanted, seen, disk, {}).bytes == 2000  # the archive of a1 goes before a0 is unpacked
    assert peak(wanted, seen, replace(disk, free=0), {}).fits


# `du` saw 1.15 of the stated peak of 2,000 pictures of 20 kB: their last blocks and their lines were nobody's.
def test_files_that_nobody_counts_take_their_blocks_too() -> None:
    assert peak(sized(40_000_000), {}, Disk(), {}).bytes == 80_000_000 + 2000 * PER_FILE
    assert peak(sized(40_000_000), {}, Disk(files=250), {}).bytes == 80_000_000 + 250 * PER_FILE
    whole = [artifact("weights.bin", 40_000_000, unpack=False)]
    assert peak(whole, {}, Disk(), {}).bytes == 40_000_000


def test_under_a_limit_unknown_sizes_are_got_one_at_a_time() -> None:
    wanted = [artifact("a", None), artifact("b", 10)]
    assert peak(wanted, {}, Disk(free=1000), {}).order is Order.WIDE
    found = peak(wanted, {}, Disk(most=1000), {})
    assert (found.order, found.ranks, found.sure, found.fits) == (Order.NARROW, ("a", "b"), False, True)
    assert not peak(wanted, {}, Disk(taken=1000, most=1000), {}).fits


def test_what_is_written_while_it_is_got_has_no_archive() -> None:
    shards = Shards(tuple(Shard(letter, (f"https://x/{letter}",), 100) for letter in "abcd"))
    relayed = Artifact("x.tar.gz", shards, "x", unpack=True)
    assert peak([relayed], {}, Disk(), {"x.tar.gz": 2}).bytes == 400 + 200
    assert peak([relayed], {}, Disk(), {}).bytes == 400 + 400
    members = {"a": replace(Seen(), members=Members(30, 50, 5))}
    assert peak([artifact("a", 1000)], members, Disk(), {}).bytes == 50
    assert peak([artifact("a", 1000, unpack=False)], {}, Disk(), {}).bytes == 1000


def test_what_others_need_is_got_before_them() -> None:
    source = UrlList(file="list", read="map", keys=("id",), url=("<url>",), save_as="<id>.jpg")
    rows = Artifact("rows", source, "set")
    late = replace(artifact("late", 900), after=("list",))
    wanted = [rows, late, artifact("list", 1), artifact("big", 500)]
    sizes = {"rows": 0, "late": 900, "list": 1, "big": 500}
    assert ranked(wanted, {}, sizes) == ("list", "late", "big", "rows")


def test_one_archive_is_under_way_at_a_time() -> None:
    wanted = [artifact("a", 1), artifact("b", 2), artifact("c", 3, "other")]
    get = {name: Step(Verb.GET, name) for name in "abc"}
    ranks = ("c", "b", "a")
    assert narrowed(difference(wanted, {}), ranks).steps == (get["c"],)
    assert narrowed(difference(wanted, {}), ranks, {get["a"]}).steps == (get["a"],)
    fetched = difference(wanted, {"c": Seen(State.FETCHED)})
    assert narrowed(fetched, ranks).steps == (Step(Verb.EXTRACT, "c"),)
    staged = difference(wanted, {"c": Seen(State.STAGED)})
    build = Step(Verb.BUILD, "other")
    assert narrowed(staged, ranks).steps == (build, get["b"])
    assert narrowed(staged, ranks, {build}).steps == (build, get["b"])
    assert narrowed(staged, ranks, {Step(Verb.EXTRACT, "c")}).steps == (build,)


@given(st.lists(st.integers(1, 100), min_size=1, max_size=5))
def test_no_order_takes_less_than_the_largest_first(sizes: list[int]) -> None:
    found = peak(sized(*sizes), {}, Disk(free=0), {})
    least = min(
        max(sum(order[: at + 1]) + order[at] for at in range(len(order))) for order in permutations(sizes)
    )
    assert found.bytes == least <= found.wide


STATES = st.sampled_from([State.ABSENT, State.PARTIAL, State.FETCHED, State.STAGED, State.BUILT])


@given(
    st.lists(st.tuples(STATES, st.none() | st.integers(0, 99), st.booleans(), st.booleans()), max_size=6),
    st.none() | st.integers(0, 999),
)
def test_the_peak_is_never_below_what_is_here_nor_below_the_result(
    rows: list[tuple[State, int | None, bool, bool]], free: int | None
) -> None:
    wanted, seen, kept = [], {}, set()
    for index, (state, size, keep, other) in enumerate(rows):
        name = f"a{index}"
        wanted.append(artifact(name, size, "other" if other else "set"))
        whole = size or 0
        here = {State.PARTIAL: whole // 2, State.FETCHED: whole}.get(state, 0)
        seen[name] = Seen(state, here, files=int(state is State.BUILT))
        kept |= {name} if keep else set()
    taken = sum(now.bytes_here for now in seen.values())
    found = peak(wanted, seen, Disk(taken=taken, free=free, kept=kept), {})
    todo = [a for a in wanted if seen[a.name].state not in (State.STAGED, State.BUILT)]
    trees = sum(a.size or 0 for a in todo)
    stays = sum(a.size or 0 for a in todo if a.name in kept)
    assert found.bytes >= max(taken, trees + stays)
    assert found.fits is (free is None or found.bytes - taken <= free)


def test_files_are_counted_as_the_recipe_and_directories_count_them() -> None:
    rules = (Rule(("train/<root>/<file>",), "train/<file>"), Rule(("val/<root>/<file>",), "val/<file>"))
    wanted = (artifact("train", 1), artifact("val", 1))
    recipe = Recipe("set", "Set", wanted, rules, counts=(("set/train/*", "300"), ("set/val/**", "71..201")))
    assert files_to_come(recipe, wanted, {}) == 371
    assert files_to_come(recipe, wanted[:1], {}) == 300
    assert files_to_come(recipe, wanted, {"train": Seen(State.BUILT)}) == 71
    assert files_to_come(recipe, wanted, {"val": Seen(members=Members(1, 1, 5))}) == 305
    assert files_to_come(recipe, wanted, {"val": Seen(lost=frozenset({"set/val/0"}))}) == 301
    assert files_to_come(recipe, wanted, {}, ("train", "val")) is None
