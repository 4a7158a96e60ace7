"""From YAML to recipes: what every word of the language comes to."""

from __future__ import annotations

import textwrap

import pytest

from datafetch.model import (
    Bundled,
    Checksum,
    Http,
    Manual,
    Option,
    Place,
    Recipe,
    Rule,
    Shards,
    Status,
    Terms,
    UrlList,
)
from datafetch.recipe.expand import read
from datafetch.recipe.issues import Bad
from datafetch.recipe.lint import check


def recipes(text: str, **beside: str) -> tuple[Recipe, ...]:
    files = {name.replace("_", "."): content.encode() for name, content in beside.items()}

    def find(name: str) -> bytes:
        if name not in files:
            raise Bad(f"{name} cannot be read: no such file")
        return files[name]

    return tuple(one.recipe for one in read(textwrap.dedent(text).encode(), "r.yaml", find))


def recipe(text: str, **beside: str) -> Recipe:
    (one,) = recipes(text, **beside)
    return one


def test_the_smallest_recipe() -> None:
    made = recipe("{name: tiny, artifacts: [{name: all, url: https://h/tiny.zip}]}")
    (artifact,) = made.artifacts
    assert (made.name, made.title, made.file, made.min_complete) == ("tiny", "tiny", "r.yaml", 100.0)
    assert (artifact.source, artifact.folder) == (Http(("https://h/tiny.zip",)), "tiny")
    assert (artifact.size, artifact.checksums, artifact.default) == (None, (), True)


def test_everything_a_recipe_can_say_of_itself() -> None:
    made = recipe("""\
        name: full
        title: "{long} name"
        let: {long: A full}
        home: https://h/
        licence: MIT
        terms: {text: be kind, link: https://h/terms, accept: true}
        citation: |
          @article{a, title = {B}}
        status: historic
        note: |
          of long ago
        needs: 60 GB
        min_complete: 99.5%
        counts: {"full/*/*.jpg": 300, "full_extra/*": ">=71"}
        artifacts:
          - name: all
            url: [https://h/x.zip, http://mirror/x.zip]
            unpack: true
            size: 12
            checksums: [{md5: 0123456789abcdef0123456789ABCDEF, source: the authors}]
            status: manual
            note: odd
            skip: ["*_rej", "a/*.txt"]
          - {name: extra, url: https://h/y, folder: full_extra, size: unknown, checksums: unknown}
        """)
    assert made.title == "A full name"
    assert made.terms == Terms("be kind", "https://h/terms", True)
    assert made.citation == "@article{a, title = {B}}"
    assert (made.status, made.note, made.needs) == (Status.HISTORIC, "of long ago", 60 * 10**9)
    assert (made.min_complete, made.home, made.licence) == (99.5, "https://h/", "MIT")
    assert made.counts == (("full/*/*.jpg", "300"), ("full_extra/*", ">=71"))
    assert made.folders == ("full", "full_extra")
    artifact = made.artifacts[0]
    assert artifact.source == Http(("https://h/x.zip", "http://mirror/x.zip"))
    assert artifact.checksums == (Checksum("md5", "0123456789abcdef" * 2, "the authors"),)
    assert (artifact.size, artifact.status, artifact.note) == (12, Status.MANUAL, "odd")
    assert artifact.skip == ("*_rej", "a/*.txt")


def test_every_kind_of_source() -> None:
    made = recipe("""\
        name: s
        artifacts:
          - name: parts
            shards: "https://h/x.a{a..c}"
          - name: list
            url_list: {file: parts/x.json, read: map, keys: [domain, id], url: ["<link>", "https://h/<id>"],
                       save_as: "<domain>/<id>.jpg", check: image, min_bytes: 2052}
          - name: brought
            manual: [{at: baidu, link: "https://pan.baidu.com/s/1", code: 9fm8}]
            expect: {"*.jpg": 3, x.json: ">=1"}
          - name: here
            bundled: lists/ids.txt
        """)
    parts, images, brought, here = (artifact.source for artifact in made.artifacts)
    assert isinstance(parts, Shards)
    assert [(shard.name, shard.urls) for shard in parts.shards] == [
        (f"x.a{letter}", (f"https://h/x.a{letter}",)) for letter in "abc"
    ]
    assert images == UrlList(
        "parts/x.json",
        "map",
        ("domain", "id"),
        ("<link>", "https://h/<id>"),
        "<domain>/<id>.jpg",
        "image",
        2052,
    )
    place = Place("baidu", "https://pan.baidu.com/s/1", "9fm8")
    assert brought == Manual((place,), (("*.jpg", "3"), ("x.json", ">=1")))
    assert here == Bundled("lists/ids.txt")


def test_shards_may_be_listed() -> None:
    made = recipe("{name: s, artifacts: [{name: a, shards: ['https://h/{1..2}', https://h/x]}]}")
    (artifact,) = made.artifacts
    assert isinstance(artifact.source, Shards)
    assert [shard.name for shard in artifact.source.shards] == ["1", "2", "x"]


def test_checksum_files_are_looked_up_by_the_last_part_of_an_address() -> None:
    text = """\
        name: s
        checksums: [s.md5, s.sha256]
        artifacts:
          - {name: one, url: "https://h/one.zip?download=1", checksums: [{sha1: %s, source: card}]}
          - {name: many, shards: "https://h/x.a{a..b}"}
          - {name: other, url: "https://h/other.zip"}
        """
    made = recipe(
        text % ("c" * 40),
        s_md5=f"{'a' * 32}  one.zip\n{'b' * 32}  x.ab\n",
        s_sha256=f"{'d' * 64}  one.zip\n",
    )
    one, many, other = made.artifacts
    assert one.checksums == (
        Checksum("sha1", "c" * 40, "card"),
        Checksum("md5", "a" * 32, "s.md5"),
        Checksum("sha256", "d" * 64, "s.sha256"),
    )
    assert isinstance(many.source, Shards)
    assert [shard.checksums for shard in many.source.shards] == [(), (Checksum("md5", "b" * 32, "s.md5"),)]
    assert (many.checksums, other.checksums) == ((), ())


def test_a_matrix_at_the_top_makes_a_family_with_facts_for_each() -> None:
    a, b = recipes("""\
        matrix:
          include:
            - {dataset: a, title: First, status: live, cite: "@x{y}"}
            - {dataset: b, title: Second, status: withdrawn, cite: ""}
        name: "{dataset}"
        title: "{title}"
        status: "{status}"
        citation: "{cite}"
        counts: {"a/*": 1, "b_neg/*": 2}
        artifacts:
          - {name: only_a, matrix: {dataset: [a]}, url: "https://h/{dataset}.zip"}
          - {name: "real_{split}", matrix: {split: [x, y]}, url: "https://h/{dataset}/{split}.zip"}
          - {name: neg, url: "https://h/{dataset}/neg.zip", folder: "{dataset}_neg"}
        layout:
          - {from: "only_a/<file>", to: "<file>", matrix: {dataset: [a]}}
          - {from: "neg/{dataset}/<file>", to: "<file>"}
        """)
    assert (a.name, a.title, a.status, a.citation) == ("a", "First", Status.LIVE, "@x{y}")
    assert (b.name, b.title, b.status, b.citation) == ("b", "Second", Status.WITHDRAWN, "")
    assert [artifact.name for artifact in a.artifacts] == ["only_a", "real_x", "real_y", "neg"]
    assert [artifact.name for artifact in b.artifacts] == ["real_x", "real_y", "neg"]
    assert b.artifacts[0].source == Http(("https://h/b/x.zip",))
    assert a.layout == (Rule(("only_a/<file>",), "<file>"), Rule(("neg/a/<file>",), "<file>"))
    assert b.layout == (Rule(("neg/b/<file>",), "<file>"),)
    assert (a.counts, b.counts) == ((("a/*", "1"),), (("b_neg/*", "2"),))


def test_a_rule_may_list_alternatives() -> None:
    made = recipe("""\
        name: s
        artifacts: [{name: a, url: https://h/x, unpack: true}]
        layout: [{from: ["a/x/<file>", "a/<file>"], to: "<file>"}]
        """)
    assert made.layout == (Rule(("a/x/<file>", "a/<file>"), "<file>"),)


def test_options_follow_from_what_artifacts_choose() -> None:
    made = recipe("""\
        name: s
        choices:
          cfg: {help: scale, default: "5", values: ["5", "4"]}
        artifacts:
          - {name: "a{cfg}", matrix: {cfg: ["4", "5"]}, choose: {set: a, cfg: "{cfg}"}, url: "https://h/{cfg}"}
          - {name: neg, choose: {negatives: true}, url: https://h/n}
        """)
    assert made.options == (
        Option("cfg", ("5", "4"), "scale", "5"),
        Option("set", ("a",)),
        Option("negatives", ()),
    )
    assert made.artifacts[0].choose == (("set", "a"), ("cfg", "4"))
    assert made.artifacts[2].choose == (("negatives", "true"),)


PODS = """\
    matrix: {dataset: [pods, df2, dogs]}
    name: "{dataset}"
    title: "{dataset}: personalized-vision benchmark with synthetic sets"
    let:
      base: https://data.csail.mit.edu/personal_rep
      syn: "{base}/syn_data/{dataset}/{dataset}"
    default: [real]
    artifacts:
      - name: real
        url: "{base}/{dataset}.zip"
        unpack: true
      - name: "synthetic/{generator}_cfg_{cfg}"
        matrix:
          generator: [dreambooth, dreambooth_llm]
          cfg: ["4", "5", "7.5"]
          include:
            - {generator: dreambooth_llm_masked_filtered, cfg: "5"}
        url: "{syn}_{generator}_cfg_{cfg}.zip"
        unpack: true
      - name: "synthetic/cut_and_paste_{background}_background"
        matrix: {background: [sd, real]}
        url: "{syn}_cut_and_paste_{background}_background.zip"
        unpack: true
      - name: negatives
        url: "{syn}_negatives.zip"
        unpack: true
    layout:
      - {from: "real/<split>/<class>/<file>",         to: "<split>/<class>/<file>"}
      - {from: "synthetic/<set>/<class>/<file>",      to: "synthetic/<set>/<class>/<file>"}
      - {from: "negatives/<file>",                    to: "negatives/<file>"}
    """
COCO = """\
    name: coco2014
    needs: 60 GB
    checksums: coco2014.md5
    artifacts:
      - name: "{split}2014"
        matrix: {split: [train, val]}
        url: "http://images.cocodataset.org/zips/{split}2014.zip"
        unpack: true
      - name: 262993_z.jpg
        url: https://msvocds.blob.core.windows.net/images/262993_z.jpg
    layout:
      - {from: "train2014/train2014/<file>", to: "train/<file>"}
      - {from: "val2014/val2014/<file>",     to: "test/<file>"}
    """
FLICKR = """\
    name: flickr-aes
    artifacts:
      - name: flickr-aes
        manual: [{at: google-drive, link: "https://drive.google.com/drive/folders/1LR6trJhN4XbgTtqZo1zfe272cAkXqA7e"}]
        expect: {"40K/*.jpg": 40988, FLICKR-AES_image_score.txt: 1}
    """


@pytest.mark.parametrize(
    ("text", "count"), [(PODS, 3), (COCO, 1), (FLICKR, 1)], ids=["pods", "coco", "flickr"]
)
def test_the_drafts_of_the_language_are_accepted_as_they_were_drawn(text: str, count: int) -> None:
    md5 = f"{'a' * 32}  train2014.zip\n"
    found = read(textwrap.dedent(text).encode(), "r.yaml", lambda _: md5.encode())
    assert len(found) == count
    assert [issue for one in found for issue in check(one)] == []


def test_default_names_what_a_bare_get_takes() -> None:
    pods, *_ = recipes(PODS)
    assert [artifact.name for artifact in pods.artifacts if artifact.default] == ["real"]
    assert len(pods.artifacts) == 11
