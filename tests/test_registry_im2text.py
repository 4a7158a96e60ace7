"""im2text as it ships: the twelve shards and the JSON with upstream's md5s, and where their members go."""

from __future__ import annotations

import pytest

from datafetch.layout.onepass import streams
from datafetch.layout.place import place
from datafetch.model import Checksum, Choice, Finish, Http, Settings, Shards, Status, UrlList
from datafetch.plan.choose import choose
from datafetch.recipe import registry

SBU = "https://www.cs.rice.edu/~vo9/sbucaptions"
BASE = "https://s3-us-west-2.amazonaws.com/samnco-static-files/datasets"
# Verbatim from upstream's im2text/download-dataset.sh.
MD5 = {
    "im2text.aa": "19d1fc999cee5b22536a6b4efa06ebab",
    "im2text.ab": "48d4b6268fbd455d3875668fd2a098b2",
    "im2text.ac": "920c548b3c6a1dd2d64b9d78e5621c15",
    "im2text.ad": "11e87d92b7bf649031daf60972f2e328",
    "im2text.ae": "cac05d8564fb8e48471e8b81e5a9f36b",
    "im2text.af": "dd50c189ac57aef173e3ce1125cde0b7",
    "im2text.ag": "c748cccabf17a1c0687d621a6c354b9c",
    "im2text.ah": "2811ef56b06ad53b1bb95a5abbca115c",
    "im2text.ai": "5473ad53d78a9ec35da0a4a8fbe30bb8",
    "im2text.aj": "088c93d5934a1432ec351b46359d44a4",
    "im2text.ak": "4da0fb1519d19150589286c640cc8784",
    "im2text.al": "93c44223d53d1694f65ac8f7da144f72",
    "im2text.json.tar.gz": "e22e89d7729989dc635cac60a7fd29fc",
}
RECIPE = registry.load("im2text")
PICTURES, CAPTIONS, *URLS = RECIPE.artifacts


def test_the_shards_stand_in_order_each_with_its_address_and_md5() -> None:
    assert isinstance(PICTURES.source, Shards)
    found = [(shard.name, shard.urls, shard.checksums) for shard in PICTURES.source.shards]
    names = list(MD5)[:12]
    assert found == [
        (name, (f"{BASE}/{name}",), (Checksum("md5", MD5[name], "im2text.md5"),)) for name in names
    ]


def test_the_captions_are_those_of_2016() -> None:
    assert CAPTIONS.source == Http((f"{BASE}/im2text.json.tar.gz",))
    assert CAPTIONS.checksums == (Checksum("md5", MD5["im2text.json.tar.gz"], "im2text.md5"),)


def test_nothing_that_nobody_stated_is_stated() -> None:
    assert {(each.size, each.note) for each in (PICTURES, CAPTIONS)} == {(None, "")}
    assert RECIPE.counts == ()
    assert RECIPE.needs is None
    assert {RECIPE.status, *(each.status for each in (PICTURES, CAPTIONS))} == {Status.HISTORIC}
    assert RECIPE.licence.startswith("unknown")
    assert "ordonez2011im2text" in RECIPE.citation


def test_a_bare_get_takes_the_shards_and_unpacks_them_as_they_come() -> None:
    shards = (PICTURES, CAPTIONS)
    assert choose(RECIPE, Choice()) == choose(RECIPE, Choice((("variant", "shards"),))) == shards
    settings = Settings(root="/")
    assert [streams(each, RECIPE.layout, settings) for each in shards] == [True, False]


def test_members_go_where_the_contract_wants_them() -> None:
    picture = "im2text/im2text_000000028267.jpg"
    assert place(PICTURES, RECIPE.layout, [picture]).targets == (f"im2text/{picture}",)
    for member in ("im2text.json", "im2text/im2text.json"):
        assert place(CAPTIONS, RECIPE.layout, [member]).targets == ("im2text/im2text.json",)
    assert RECIPE.finish[0] == Finish("captions", "im2text.json", prepro="im2texttalk")


def test_the_lists_are_those_of_the_facts_with_their_checksums() -> None:
    lists = {each.name: each for each in URLS if isinstance(each.source, Http)}
    assert isinstance(lists["list/json"].source, Http) and isinstance(lists["list/txt"].source, Http)
    assert lists["list/json"].source.urls == (f"{SBU}/sbu-captions-all.tar.gz",)
    assert lists["list/json"].size == 49_787_719
    assert [c.digest[:8] for c in lists["list/json"].checksums] == ["3d145fb5"]
    assert lists["list/txt"].source.urls[0] == f"{SBU}/SBUCaptionedPhotoDataset.tar.gz"
    assert [c.digest[:8] for c in lists["list/txt"].checksums] == ["9aec147b", "2bf37d5e"]
    assert lists["list/txt"].size is None


@pytest.mark.parametrize("source", ["json", "txt"])
def test_a_list_brings_its_pictures_by_row(source: str) -> None:
    chosen = choose(RECIPE, Choice((("variant", "urls"), ("source", source))))
    (pictures,) = [each for each in chosen if isinstance(each.source, UrlList)]
    assert isinstance(pictures.source, UrlList)
    assert pictures.source.save_as == "im2text_<row:012>.jpg" and pictures.source.window
    assert Finish("sbu", "im2text.json", pictures.name, prepro="im2texttalk") in RECIPE.finish
