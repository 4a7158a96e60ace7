"""`bundle export` on one machine, `bundle import` on another: the same tree, with nobody to ask but the bundle."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from archives import zip_of
from lists import RECIPE, Shop, picture, tree
from process import Ended, datafetch_, environment, start
from server import Answer, Exchange, FaultServer, Thing, status, web_page
from test_cli_tree import files_below
from upstream import Upstream, address, archive, expected

LLM = ("--synthetic", "dreambooth_llm", "--cfg", "5")
LLM_SET = "synthetic/dreambooth_llm_cfg_5"
DEAD = "http://127.0.0.1:9"  # the port of `discard`: nobody listens


def export(here: Path, server: FaultServer, *args: str) -> Ended:
    return datafetch_("bundle", "export", *args, "-o", "b", "--mirror", server.url, "--json", cwd=here)


def bring(here: Path, *args: str, env: dict[str, str] | None = None) -> Ended:
    """On another machine: it has another folder, and every way out of it leads to nobody."""
    proxies = {"http_proxy": DEAD, "https_proxy": DEAD, "HF_ENDPOINT": DEAD, "AWS_REGION": "eu-west-1"}
    return datafetch_(
        "bundle", "import", "b", "-o", "there", "--json", *args, cwd=here, env=proxies | (env or {})
    )


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def sums_hold(bundle: Path) -> bool:
    done = subprocess.run(("sha256sum", "-c", "--quiet", "--strict", "SHA256SUMS"), cwd=bundle, check=False)
    return done.returncode == 0


def shop(here: Path, server: Shop, *options: str) -> Ended:
    (here / "recipes").mkdir(exist_ok=True)
    (here / "recipes/shop.yaml").write_text(RECIPE.format(url=server.url))
    args = ("shop", "--registry", "recipes", "--allow-private", "-o", "b", "--json", *options)
    return datafetch_("bundle", "export", *args, cwd=here)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `b`, a bundle of pods, and `report.json` of its export. Not to be written to."""
    here = tmp_path_factory.mktemp("exported")
    with Upstream().serve() as server:
        ended = export(here, server, "pods", *LLM, "--mirror-only")
    assert ended.code == 0, ended.err
    (here / "report.json").write_text(ended.out)
    return here


@pytest.fixture
def here(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "machine"))


# --- Export ----------------------------------------------------------------------------------------------------------


def test_a_bundle_holds_what_came_over_the_network_and_nothing_else(exported: Path) -> None:
    bundle = exported / "b"
    below = "mirror/data.csail.mit.edu/personal_rep"
    real, made = f"{below}/pods.zip", f"{below}/syn_data/pods/pods_dreambooth_llm_cfg_5.zip"
    assert files(bundle) == {
        *("SHA256SUMS", "MISSING", "bundle.json", "recipes/personal-rep.yaml"),
        *(real, made),
    }
    assert (bundle / real).read_bytes() == archive("pods", "real")
    assert sums_hold(bundle)
    told = json.loads((bundle / "bundle.json").read_text())
    report = json.loads((exported / "report.json").read_text())
    (dataset,) = told["datasets"]
    assert dataset["tree_digest"] == report["tree_digest"]
    assert {part["name"]: part["bytes"] for part in dataset["artifacts"]} == {
        "real": len(archive("pods", "real")),
        LLM_SET: len(archive("pods", LLM_SET)),
    }
    assert report["bundle"]["sha256sums"] == hashlib.sha256((bundle / "SHA256SUMS").read_bytes()).hexdigest()


def test_exporting_again_asks_nobody_and_changes_nothing(here: Path) -> None:
    before = (here / "b/SHA256SUMS").read_bytes()
    with Upstream().serve() as server:
        again = export(here, server, "pods", *LLM)
        assert not server.seen
    assert (again.code, again.report["bytes"]["transferred"]) == (0, 0)
    assert (here / "b/SHA256SUMS").read_bytes() == before


def test_more_of_a_dataset_and_another_one_are_added_and_nothing_is_fetched_twice(here: Path) -> None:
    with Upstream().serve() as server:
        assert export(here, server, "pods", "--negatives").code == 0
        assert export(here, server, "dogs").code == 0
        asked = [seen.path for seen in server.seen]
    assert asked == [address("pods", "negatives"), address("dogs", "real")]
    assert sums_hold(here / "b")
    ended = bring(here)
    assert ended.code == 0, ended.err
    assert set(ended.report["members"]) == {"pods", "dogs"}
    wanted = expected("pods", "real") | expected("pods", LLM_SET) | expected("pods", "negatives")
    assert files_below(here / "there") == wanted | expected("dogs", "real")
    (here / "there").rename(here / "all")
    assert bring(here, "--only", "dogs").report["dataset"] == "dogs"
    assert files_below(here / "there") == expected("dogs", "real")
    assert bring(here, "--only", "cats").code == 3


def test_what_the_user_has_already_is_not_fetched(tmp_path: Path) -> None:
    with Shop([f"/{n}.png" for n in range(6)]) as server:
        assert server.run(tmp_path, "get").code == 0
        (tmp_path / "out/shop/3.png").write_bytes(b"the user's own by now")
        before = len(server.seen)
        ended = shop(tmp_path, server, "--have", "out")
        asked = [seen.path for seen in server.seen[before:] if seen.path != "/robots.txt"]
    assert ended.code == 0, ended.err
    assert asked == ["/2.png"]  # row 3
    assert (tmp_path / "out/shop/3.png").read_bytes() == b"the user's own by now"
    first = next(path for path in files(tmp_path / "b") if (tmp_path / "b" / path).stat().st_nlink > 1)
    assert first.startswith("mirror/")
    assert sums_hold(tmp_path / "b")


def test_of_a_part_the_whole_archive_is_taken_along(tmp_path: Path) -> None:
    with Upstream().serve() as server:
        assert export(tmp_path, server, "pods", "--split", "test").code == 0
    whole = tmp_path / "b/mirror/data.csail.mit.edu/personal_rep/pods.zip"
    assert whole.read_bytes() == archive("pods", "real")
    assert bring(tmp_path).code == 0
    assert not [path for path in files_below(tmp_path / "there") if path.startswith("pods/train/")]


def test_a_source_that_is_gone_leaves_no_bundle_and_what_came_is_kept(tmp_path: Path) -> None:
    with Upstream({address("pods", LLM_SET): status(404)}).serve() as server:
        ended = export(tmp_path, server, "pods", *LLM, "--mirror-only")
    assert (ended.code, ended.report["status"]) == (4, "partial")
    again = bring(tmp_path)
    assert again.code == 2
    assert "its export has not ended" in again.err
    with Upstream().serve() as server:
        assert export(tmp_path, server, "pods", *LLM).code == 0
        assert [seen.path for seen in server.seen] == [address("pods", LLM_SET)]
    assert not (tmp_path / "b/.datafetch").exists()


def test_files_of_ones_own_are_refused_by_one_line(tmp_path: Path) -> None:
    (tmp_path / "mine/train/cat").mkdir(parents=True)
    (tmp_path / "mine/train/cat/1.png").write_bytes(picture("cat"))
    assert datafetch_("build", "cats", "--from", "mine", cwd=tmp_path).code == 0
    ended = datafetch_("bundle", "export", "cats", "-o", "b", cwd=tmp_path)
    assert ended.code == 2
    assert ended.err.startswith("error: cats is made of files of your own")
    assert not (tmp_path / "b/bundle.json").exists()


# --- Import ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [(), ("--stream",), ("--keep-archives",)])
def test_import_builds_the_same_tree_with_no_network(here: Path, how: tuple[str, ...]) -> None:
    ended = bring(here, *how)
    assert ended.code == 0, ended.err
    report = json.loads((here / "report.json").read_text())
    assert ended.report["tree_digest"] == report["tree_digest"]
    assert files_below(here / "there") == expected("pods", "real") | expected("pods", LLM_SET)
    again = bring(here, *how)
    assert (again.code, again.report["bytes"]["transferred"]) == (0, 0)


@pytest.mark.parametrize(
    "name", ["bundle.json", "recipes/personal-rep.yaml", "mirror/data.csail.mit.edu/personal_rep/pods.zip"]
)
def test_one_damaged_byte_is_named_and_nothing_is_published(here: Path, name: str) -> None:
    path = here / "b" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    ended = bring(here)
    assert ended.code == 13
    assert name in ended.err
    assert not (here / "there").exists()


def test_a_missing_file_and_one_that_does_not_belong_are_named(here: Path) -> None:
    (here / "b/mirror/data.csail.mit.edu/personal_rep/pods.zip").unlink()
    (here / "b/recipes/evil.yaml").write_text("name: pods")
    ended = bring(here)
    assert ended.code == 13
    assert "personal_rep/pods.zip is missing" in ended.err
    assert "recipes/evil.yaml does not belong to it" in ended.err


def test_a_link_in_place_of_a_file_is_not_followed(here: Path) -> None:
    body = here / "b/mirror/data.csail.mit.edu/personal_rep/pods.zip"
    body.rename(here / "outside.zip")
    body.symlink_to(here / "outside.zip")
    assert bring(here).code == 13


def test_a_root_that_held_other_files_of_it_is_told(here: Path) -> None:
    with Upstream().serve() as server:
        args = ("get", "pods", "--negatives", "-o", "there", "--mirror", server.url)
        assert datafetch_(*args, cwd=here).code == 0
    ended = bring(here)
    assert (ended.code, ended.report["problems"][-1]["why"]) == (13, "other tree")


@pytest.mark.parametrize("name", ["nothing", "empty", "newer"])
def test_what_is_no_bundle_is_refused(here: Path, name: str) -> None:
    if name == "newer":
        told = here / "b/bundle.json"
        data = told.read_text().replace('"format": 1', '"format": 2').encode()
        sums = (here / "b/SHA256SUMS").read_text()
        old = hashlib.sha256(told.read_bytes()).hexdigest()
        told.write_bytes(data)
        (here / "b/SHA256SUMS").write_text(sums.replace(old, hashlib.sha256(data).hexdigest()))
    else:
        shutil.rmtree(here / "b")
    if name == "empty":
        (here / "b").mkdir()
    ended = bring(here)
    assert ended.code == 2
    assert ended.err.startswith("error: ")


# --- Lists -----------------------------------------------------------------------------------------------------------


def test_a_list_of_which_rows_are_gone_ends_as_it_did(tmp_path: Path) -> None:
    answers = {
        "/2.png": status(404),
        "/3.png": status(403),
        "/4.png": Thing(b"no picture at all"),
        "/5.png": web_page(),
        "/6.png?a=1&b=../x": Thing(picture("six")),
        "/7.png": status(200, picture("x"), X_Robots_Tag="noai"),
    }
    paths = [*(f"/{n}.png" for n in range(6)), "/6.png?a=1&b=../x", "/7.png", "/deep/er/8.png", "/deep"]
    answers["/deep"] = Thing(picture("deep"))
    with Shop(paths, answers) as server:
        server.answers["/6.png"] = answers["/6.png?a=1&b=../x"]
        ended = shop(tmp_path, server, "--min-complete", "40%")
    assert ended.code == 0, ended.err
    counts = ended.report["counts"]
    assert (counts["missing"], counts["rejected"], counts["failed"]) == (1, 3, 1)
    missing = (tmp_path / "b/MISSING").read_text().splitlines()
    assert len(missing) == 5
    assert [line.split("  ")[0] for line in missing if line.endswith("/2.png")] == ["gone"]
    assert sums_hold(tmp_path / "b")

    there = bring(tmp_path)  # the server is closed
    assert there.code == 0, there.err
    assert there.report["tree_digest"] == ended.report["tree_digest"]
    assert there.report["counts"] == counts
    (tmp_path / "there").rename(tmp_path / "out")
    assert len(tree(tmp_path)) == 5


def test_rows_that_failed_are_asked_for_by_the_next_export(tmp_path: Path) -> None:
    with Shop([f"/{n}.png" for n in range(4)], {"/2.png": status(403)}) as server:
        assert shop(tmp_path, server, "--min-complete", "50%").code == 0
        server.answers.clear()
        before = len(server.seen)
        ended = shop(tmp_path, server, "--min-complete", "50%")
        asked = [seen.path for seen in server.seen[before:] if seen.path != "/robots.txt"]
    assert (ended.code, ended.report["counts"]["ok"]) == (0, 5)
    assert asked == ["/2.png"]
    assert bring(tmp_path).report["counts"]["ok"] == 5


def test_a_row_that_failed_and_is_gone_by_now_is_gone_in_the_bundle(tmp_path: Path) -> None:
    """It stayed failed for good: the bundle, which is asked first, said once more that it had failed."""
    with Shop([f"/{n}.png" for n in range(4)], {"/2.png": status(403)}) as server:
        assert shop(tmp_path, server, "--min-complete", "50%").report["counts"]["failed"] == 1
        server.answers["/2.png"] = status(404)
        counts = shop(tmp_path, server, "--min-complete", "50%").report["counts"]
    assert (counts["failed"], counts["missing"]) == (0, 1)
    assert (tmp_path / "b/MISSING").read_text().startswith("gone  ")
    assert bring(tmp_path).report["counts"] == counts


# --- What a person brought -------------------------------------------------------------------------------------------

HAND = """
name: hand
title: by hand
terms: {text: ask first, accept: true}
artifacts:
  - name: table
    manual: [{at: form, link: "https://example.org/form"}]
    expect: {"data/table*.csv": ">=1"}
  - name: pictures.zip
    manual: [{at: form, link: "https://example.org/form"}]
    unpack: true
  - name: notes.txt
    url: gdrive://folders/1AbCdEfGhIjKlMn/notes.txt
    checksums: unknown
layout:
  - {from: "table/data/<file>", to: "tables/<file>"}
  - {from: "pictures.zip/<file>", to: "pictures/<file>"}
  - {from: "notes.txt", to: "notes.txt"}
"""


def test_what_was_brought_goes_along_and_terms_are_asked_for_again(tmp_path: Path) -> None:
    mine = tmp_path / "mine/data"
    mine.mkdir(parents=True)
    (mine / "table 1.csv").write_bytes(b"a,b")
    (tmp_path / "mine/pictures.zip").write_bytes(zip_of({"1.png": picture("one")}))
    (tmp_path / "mine/notes.txt").write_bytes(b"notes")
    (tmp_path / "mine/other.txt").write_bytes(b"of no concern")
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/hand.yaml").write_text(HAND)
    args = ("bundle", "export", "hand", "--registry", "recipes", "-o", "b", "--from", "mine", "--json")
    assert datafetch_(*args, cwd=tmp_path).code == 7
    ended = datafetch_(*args, "--accept-terms", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert {path for path in files(tmp_path / "b") if path.startswith("brought/")} == {
        *("brought/hand/data/table 1.csv", "brought/hand/pictures.zip", "brought/hand/notes.txt"),
    }
    shutil.rmtree(tmp_path / "mine")
    assert bring(tmp_path).code == 7
    there = bring(tmp_path, "--accept-terms")
    assert there.code == 0, there.err
    assert there.report["tree_digest"] == ended.report["tree_digest"]


def test_a_group_is_exported_by_its_members(tmp_path: Path) -> None:
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    with FaultServer(lambda path: Thing(path.encode())) as server:
        for name in ("one", "two"):
            (recipes / f"{name}.yaml").write_text(
                f"name: {name}\ntitle: x\nartifacts: [{{name: a.txt, url: '{server.url}/{name}', checksums: unknown}}]"
                "\nlayout: [{from: a.txt, to: a.txt}]"
            )
        (recipes / "both.yaml").write_text("name: both\ntitle: x\nartifacts: []\nmembers: [one, two]\n")
        args = ("bundle", "export", "both", "--registry", "recipes", "--allow-private", "-o", "b", "--json")
        ended = datafetch_(*args, cwd=tmp_path)
        assert ended.code == 0, ended.err
    there = bring(tmp_path)
    assert (there.code, set(there.report["members"])) == (0, {"one", "two"})
    assert "recipes/both.yaml" in files(tmp_path / "b")


# --- Killed ----------------------------------------------------------------------------------------------------------


class Killer:
    """Kills a process when so many requests have come; at the nth the answer stops half-way."""

    def __init__(self, nth: int) -> None:
        self.nth, self.seen = nth, 0
        self.process: subprocess.Popen[str] | None = None

    def wrap(self, data: bytes) -> Thing:
        killer = self

        class Killing(Thing):
            def __call__(self, exchange: Exchange) -> None:
                killer.seen += 1
                if killer.seen == killer.nth and killer.process is not None:
                    code, body, headers = self.rest(exchange.seen)
                    exchange.head(code, headers)
                    exchange.body(body[: len(body) // 2])
                    killer.process.send_signal(signal.SIGKILL)
                    exchange.wait_for_close(30)
                    return
                super().__call__(exchange)

        return Killing(data)


@pytest.mark.parametrize("nth", [1, 2])
def test_an_export_that_was_killed_goes_on_where_it_was(tmp_path: Path, nth: int) -> None:
    killer = Killer(nth)
    faults: dict[str, Answer] = {
        address("pods", a): killer.wrap(archive("pods", a)) for a in ("real", LLM_SET)
    }
    with Upstream(faults).serve() as server:
        args = (
            "bundle",
            "export",
            "pods",
            *LLM,
            "-j",
            "1",
            "-o",
            "b",
            "--mirror",
            server.url,
            "--mirror-only",
        )
        with start(args, tmp_path) as process:
            killer.process = process
            process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        killer.process = None
        assert bring(tmp_path).code == 2
        before = len(server.seen)
        ended = export(tmp_path, server, "pods", *LLM, "--mirror-only")
        assert ended.code == 0, ended.err
        assert len({seen.path for seen in server.seen[before:]}) == 3 - nth
    assert not (tmp_path / "b/.datafetch").exists()
    assert sums_hold(tmp_path / "b")
    assert bring(tmp_path).code == 0


KILL_AT = """
import os, signal, sys
import datafetch.bundle.{module} as module
{patch}
from datafetch.cli import run
sys.exit(run(sys.argv[1:]))
"""
DIE = "lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)"
MOMENTS = {
    "bodies are in place, SHA256SUMS is not": ("shelf", f"module.add = {DIE}"),
    "bundle.json is written, SHA256SUMS is not": (
        "exporting",
        "write = module.documents.write\n"
        "def die(*a):\n    write(*a)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        "module.documents.write = die",
    ),
    "all is written, the tree is still here": (
        "exporting",
        f"module.remove_tree = {DIE}",
    ),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_export_that_was_killed_at_its_end_fetches_nothing_again(tmp_path: Path, moment: str) -> None:
    module, patch = MOMENTS[moment]
    code = KILL_AT.format(module=module, patch=patch)
    with Upstream().serve() as server:
        args = ("bundle", "export", "pods", "-o", "b", "--mirror", server.url, "--mirror-only")
        done = subprocess.run(
            (sys.executable, "-c", code, *args),
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        before = len(server.seen)
        ended = export(tmp_path, server, "pods", "--mirror-only")
        assert ended.code == 0, ended.err
        assert len(server.seen) == before
    assert files(tmp_path / "b") == {
        *("SHA256SUMS", "MISSING", "bundle.json", "recipes/personal-rep.yaml"),
        "mirror/data.csail.mit.edu/personal_rep/pods.zip",
    }
    assert sums_hold(tmp_path / "b")
    assert bring(tmp_path).code == 0


def test_an_import_that_was_killed_goes_on(here: Path) -> None:
    """Stopped by the first event that a folder was published, and killed."""
    args = ("bundle", "import", "b", "-o", "there", "--json")
    with start(args, here) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("{") and json.loads(line)["kind"] in ("staged", "extract"):
                process.kill()
                break
        process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGKILL, 0)
    ended = bring(here)
    assert ended.code == 0, ended.err
    report = json.loads((here / "report.json").read_text())
    assert ended.report["tree_digest"] == report["tree_digest"]
    state = here / "there/.datafetch/pods"
    assert not [name for name in ("parts", "archives", "staging") if (state / name).exists()]


def test_an_export_beside_another_is_told_to_wait(here: Path) -> None:
    lease = here / "b/.datafetch/bundle"
    lease.mkdir(parents=True)
    code = (
        "import sys, pathlib\n"
        "from datafetch.store.lease import Lease\n"
        f"with Lease(pathlib.Path({str(lease / 'lease')!r})):\n    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        (sys.executable, "-c", code), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with Upstream().serve() as server:
            assert export(here, server, "pods", *LLM).code == 11
        holder.communicate("")
    assert os.path.exists(here / "b/bundle.json")


def test_a_bundle_to_which_an_export_was_adding_says_so(here: Path) -> None:
    module, patch = MOMENTS["bundle.json is written, SHA256SUMS is not"]
    with Upstream().serve() as server:
        args = ("bundle", "export", "pods", "--negatives", "-o", "b", "--mirror", server.url, "--mirror-only")
        code = KILL_AT.format(module=module, patch=patch)
        done = subprocess.run(
            (sys.executable, "-c", code, *args),
            cwd=here,
            env=environment(here),
            capture_output=True,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        ended = bring(here)
        assert ended.code == 13
        assert "an export into it has not ended: run that again" in ended.err
        assert not (here / "there").exists()
        assert export(here, server, "pods", "--negatives", "--mirror-only").code == 0
    assert bring(here).code == 0
