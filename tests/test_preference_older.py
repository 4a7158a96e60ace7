"""Lots are drawn as upstream's scripts draw them: with all that a table holds, in the order of its rows."""

from __future__ import annotations

import random
from pathlib import Path

import rules
import taste
from test_get_preference import documents, found_in, get, put
from test_preference_faults import brought_pictures

from datafetch.annotate.preference.older import clicked, rated
from datafetch.annotate.preference.windows import Hit
from datafetch.annotate.preference.words import Words


def test_of_several_rows_of_a_user_the_last_long_one_counts_and_the_first_says_where(tmp_path: Path) -> None:
    """A shorter row that came later stood for its user, who was left out then."""
    tables, out = taste.clicks(), tmp_path / "out"
    rows = tables["user_data.txt"].decode().splitlines()
    users = [row.partition(",")[0] for row in rows if row.count(";") >= 3]
    rows += [f"{users[0]},one;two,x", f"{users[1]},,"]
    files = brought_pictures(tables) | {"item_data.txt": tables["item_data.txt"]}
    mine = put(tmp_path / "mine", files | {"subset_user_2000.txt": "\n".join(rows).encode()})
    ended = get("pog", out, "--from", str(mine), "--offline", "--users", "subset")
    assert ended.code == 0, ended.err
    assert documents(out, "pog") == rules.pog(rows, found_in(out, "pog", "images"))


def test_which_ratings_are_for_test_does_not_depend_on_which_pictures_are_here() -> None:
    sequences = {f"u{n}": [Hit(f"i{n}_{k}", 1 + k % 5) for k in range(n + 2)] for n in range(30)}
    names = {
        hit.item: (f"{hit.item}.jpg", f"40K/{hit.item}.jpg") for own in sequences.values() for hit in own
    }
    whole = rated(sequences, names, 42)
    here = {item: names[item] for item in sorted(names)[::2]}
    for (_, every), (_, some) in zip(whole.items(), rated(sequences, here, 42).items(), strict=True):
        kept = [
            {"user_id": one["user_id"], "interaction_sequence": own, "num_interactions": len(own)}
            for one in every
            if (own := [hit for hit in one["interaction_sequence"] if hit["item_id"][:-4] in here])  # type: ignore[attr-defined]
        ]
        assert kept == list(some)


def test_a_user_who_can_have_no_record_takes_part_in_the_lot() -> None:
    sequences = {f"u{n}": [Hit(f"i{k}") for k in range(n % 5 + 1)] for n in range(40)}
    made = clicked(sequences, {f"i{k}": f"i{k}.jpg" for k in range(5)}, Words(), Words(), 42)
    order = list(sequences)
    random.Random(42).shuffle(order)
    shares = {"train": order[:32], "val": order[32:34], "test": order[34:]}
    for split, records in made.items():
        assert [one["user_id"] for one in records] == [
            user for user in shares[split] if len(sequences[user]) > 1
        ]
