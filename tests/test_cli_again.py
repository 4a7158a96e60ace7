"""`get` and `verify` where something is already: a second run, more choices, the user's files, damage, no room."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from archives import zip_of
from process import Ended, datafetch_, environment, start
from server import Exchange, FaultServer, Thing
from test_cli_tree import files_below, scaffolding
from upstream import Upstream, address, archive, expected

LLM = ("--synthetic", "dreambooth_llm", "--cfg", "5")
LLM_SET = "synthetic/dreambooth_llm_cfg_5"


def get(server: FaultServer, root: Path, *more: str, **how: object) -> Ended:
    args = ("get", "pods", "--mirror", server.url, "-o", str(root), "--json", *more)
    return datafetch_(*args, cwd=root.parent, **how)  # type: ignore[arg-type]


def verify(server: FaultServer, root: Path, *more: str) -> Ended:
    args = ("verify", "pods", "--mirror", server.url, "-o", str(root), "--json", *more)
    return datafetch_(*args, cwd=root.parent)


def asked(server: FaultServer) -> list[str]:
    return [seen.path for seen in server.seen]


def stamps(root: Path) -> dict[str, tuple[int, int, int]]:
    """What changes when a file is written or replaced."""
    found = {}
    for path in files_below(root):
        stat = (root / path).stat()
        found[path] = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
    return found


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete dataset, to be copied: the real set, a synthetic one and the negatives."""
    root = tmp_path_factory.mktemp("base") / "out"
    with Upstream().serve() as server:
        assert get(server, root, *LLM, "--negatives").code == 0
    return root


@pytest.fixture
def root(base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base, tmp_path / "out"))


# --- Again -----------------------------------------------------------------------------------------------------------


def test_a_second_run_asks_nobody_and_touches_nothing(tmp_path: Path) -> None:
    root = tmp_path / "out"
    with Upstream().serve() as server:
        first = get(server, root, *LLM)
        before, requests = stamps(root), len(server.seen)
        second = get(server, root, *LLM)
        assert len(server.seen) == requests
    assert (first.code, second.code) == (0, 0)
    assert second.report["bytes"]["transferred"] == 0
    assert second.report["tree_digest"] == first.report["tree_digest"]
    assert second.report["counts"] == first.report["counts"]
    assert stamps(root) == before


def test_a_second_run_needs_no_network_at_all(tmp_path: Path) -> None:
    root = tmp_path / "out"
    with Upstream().serve() as server:
        first = get(server, root)
    second = datafetch_("get", "pods", "-o", str(root), "--offline", "--json", cwd=tmp_path)
    assert (second.code, second.report["tree_digest"]) == (0, first.report["tree_digest"])


def test_more_choices_later_fetch_only_what_is_new(tmp_path: Path) -> None:
    root = tmp_path / "out"
    with Upstream().serve() as server:
        get(server, root)
        before = stamps(root)
        get(server, root, "--negatives")
        get(server, root, *LLM)
        last = get(server, root, *LLM, "--negatives")
    assert asked(server) == [address("pods", a) for a in ("real", "negatives", LLM_SET)]
    wanted = expected("pods", "real") | expected("pods", "negatives") | expected("pods", LLM_SET)
    assert files_below(root) == wanted
    assert last.report["counts"]["ok"] == len(wanted)
    after = stamps(root)
    assert {path: after[path] for path in before} == before


def test_archives_stay_with_keep_archives_and_go_in_a_later_run_without_being_fetched(tmp_path: Path) -> None:
    root = tmp_path / "out"
    with Upstream().serve() as server:
        assert get(server, root, "--keep-archives").code == 0
        assert [p.read_bytes() for p in (root / ".datafetch/pods/archives").iterdir()] == [
            archive("pods", "real")
        ]
        assert get(server, root, "--keep-archives").code == 0
        assert len(server.seen) == 1


def test_a_file_that_was_deleted_comes_back_and_nothing_else_is_written(root: Path) -> None:
    victim = "pods/test/mugs_blue_greek/img_2.jpg"
    before, data = stamps(root), files_below(root)
    (root / victim).unlink()
    with Upstream().serve() as server:
        again = get(server, root, *LLM, "--negatives")
    assert (again.code, again.report["status"]) == (0, "complete")
    assert asked(server) == [address("pods", "real")]
    assert files_below(root) == data
    after = stamps(root)
    assert {path for path in after if after[path] != before[path]} == {victim}
    assert scaffolding(root, "pods") == []


# --- Verify ----------------------------------------------------------------------------------------------------------


def flip(path: Path) -> None:
    """One bit of one byte, and the times as they were."""
    stat, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize("how", ["flip", "cut", "folder"])
def test_damage_is_named_and_repaired_from_its_own_archive_only(root: Path, how: str) -> None:
    victim = next(path for path in expected("pods", LLM_SET) if "\N{RIGHT SINGLE QUOTATION MARK}" in path)
    before, data = stamps(root), files_below(root)
    match how:
        case "flip":
            flip(root / victim)
        case "cut":
            os.truncate(root / victim, 9)
        case _:
            shutil.rmtree((root / victim).parent)
    lost = [path for path in before if not (root / path).exists()]
    with Upstream().serve() as server:
        found = verify(server, root)
        assert found.code == 13
        named = [problem["name"] for problem in found.report["problems"]]
        assert named == (sorted(lost, key=os.fsencode) or [victim])
        assert server.seen == ()
        repaired = verify(server, root, "--repair")
        assert repaired.code == 0, repaired.err
        assert asked(server) == [address("pods", LLM_SET)]
        last = verify(server, root, "--full")
    assert last.code == 0
    assert files_below(root) == data
    after = stamps(root)
    assert {path for path in before if after[path] != before[path]} == set(named)
    assert scaffolding(root, "pods") == []


def test_repair_tidies_up_after_one_that_was_killed_at_the_very_end(root: Path) -> None:
    """Found by killing a repair at each of its writes: with all files back nothing was damaged any more, so the seals
    and the archive that it left stayed for ever.
    """
    state = root / ".datafetch/pods"
    rows = (state / "manifest.jsonl").read_text("utf-8").splitlines(keepends=True)
    (state / "staging").mkdir()
    (state / "staging/negatives.jsonl").write_text(
        "".join(r for r in rows if '"artifact":"negatives"' in r), "utf-8"
    )
    (state / "archives").mkdir()
    (state / "archives/negatives").write_bytes(archive("pods", "negatives"))
    before = stamps(root)
    with Upstream().serve() as server:
        assert verify(server, root, "--repair").code == 0
        assert server.seen == ()
    assert scaffolding(root, "pods") == [] and stamps(root) == before


def test_each_level_finds_what_it_should_and_no_more(root: Path) -> None:
    victim = root / "pods/train/mugs_blue_greek/1.jpg"
    with Upstream().serve() as server:

        def finds(*levels: str) -> list[bool]:
            return [verify(server, root, "--level", level).code == 13 for level in levels]

        assert finds("decode") == [False]
        flip(victim)
        assert finds("size", "hash") == [False, True]
        os.truncate(victim, 20)
        assert finds("presence", "size", "decode") == [False, True, True]
        victim.unlink()
        assert finds("presence") == [True]


# --- The user's own files --------------------------------------------------------------------------------------------


def test_files_of_the_user_are_never_touched(tmp_path: Path) -> None:
    root = tmp_path / "out"
    mine = {"notes.txt": b"1", "pods_notes/a.txt": b"2", ".datafetch.txt": b"3", "other/pods/x": b"4"}
    for path, data in mine.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    with Upstream().serve() as server:
        assert get(server, root).code == 0
    assert files_below(root) == expected("pods", "real") | mine


def test_a_file_of_the_user_inside_a_dataset_folder_stays_and_stands_in_no_ones_way(tmp_path: Path) -> None:
    root = tmp_path / "out"
    (root / "pods").mkdir(parents=True)
    (root / "pods/notes.txt").write_bytes(b"mine")
    with Upstream().serve() as server:
        ended = get(server, root)
    assert ended.code == 0, ended.err
    assert files_below(root) == expected("pods", "real") | {"pods/notes.txt": b"mine"}


def test_a_file_of_the_user_in_the_way_is_named_and_nothing_is_published(tmp_path: Path) -> None:
    root = tmp_path / "out"
    path = "pods/train/mugs_blue_greek/1.jpg"
    (root / path).parent.mkdir(parents=True)
    (root / path).write_bytes(b"mine")
    with Upstream().serve() as server:
        ended = get(server, root)
        assert ended.code == 12
        assert path in ended.report["problems"][0]["text"] and ended.report["problems"][0]["hint"]
        assert files_below(root) == {path: b"mine"}
        (root / path).unlink()
        assert get(server, root).code == 0
        assert len(server.seen) == 1, "what was fetched is kept"
    assert files_below(root) == expected("pods", "real")


@pytest.mark.parametrize("link", ["pods", ".datafetch", ".datafetch/pods", "pods/train"])
def test_a_link_in_the_output_directory_is_refused_and_never_followed(tmp_path: Path, link: str) -> None:
    outside, root = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    (outside / "keep").write_bytes(b"mine")
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(outside)
    with Upstream().serve() as server:
        ended = get(server, root)
    assert ended.code == 12, ended.err
    assert link in ended.err
    assert files_below(outside) == {"keep": b"mine"} and os.listdir(outside) == ["keep"]


def test_the_output_directory_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    with Upstream().serve() as server:
        assert get(server, tmp_path / "out").code == 0
    assert files_below(tmp_path / "disk") == expected("pods", "real")


# --- No room, no right, not alone ------------------------------------------------------------------------------------


def without_privileges() -> None:
    """Root passes over the mode of a folder; in the child it shall not."""
    if os.geteuid() == 0 and sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (
            1,
            2,
            3,
        ):  # DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER: out of the bounding set before exec
            if libc.prctl(24, capability, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "prctl")


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    root = tmp_path / "out"
    root.mkdir(mode=0o555)
    with Upstream().serve() as server:
        ended = get(server, root, before=without_privileges)
        assert (ended.code, ended.report["status"]) == (12, "failed")
        assert server.seen == ()
        root.chmod(0o755)
        assert get(server, root).code == 0


def test_a_complete_dataset_that_may_only_be_read_is_complete(tmp_path: Path) -> None:
    """It ended with 12, as no lease could be written: `get` in front of a training run on shared data failed."""
    root = tmp_path / "out"
    with Upstream().serve() as server:
        assert get(server, root).code == 0
        whole, asked_for = stamps(root), len(server.seen)
        folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
        for folder in folders:
            folder.chmod(0o555)
        again = get(server, root, before=without_privileges)
        assert (again.code, again.report["status"], again.report["tree_digest"] != "") == (
            0,
            "complete",
            True,
        )
        assert len(server.seen) == asked_for and stamps(root) == whole
        more = get(server, root, "--negatives", before=without_privileges)
        assert more.code == 12 and "cannot be written: permission denied" in more.err
        lost = next(path for path in root.glob("pods/**/*.*") if path.is_file())
        lost.unlink()
        assert get(server, root, before=without_privileges).code == 12
        for folder in folders:
            folder.chmod(0o755)


def test_a_folder_that_cannot_be_read_is_told_as_such(tmp_path: Path) -> None:
    """It said "cannot be written", of a command that only read."""
    root = tmp_path / "out"
    with Upstream().serve() as server:
        assert get(server, root).code == 0
    (root / "pods").chmod(0o000)
    ended = datafetch_("verify", "pods", "-o", "out", cwd=tmp_path, before=without_privileges)
    assert ended.code == 12 and "out/pods cannot be read: permission denied" in ended.err
    (root / "pods").chmod(0o755)


def test_a_file_where_the_folder_belongs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with Upstream().serve() as server:
        assert get(server, tmp_path / "file").code == 12
        below = ("get", "pods", "--mirror", server.url, "-o", "file/out", "--json")
        assert datafetch_(*below, cwd=tmp_path).code == 12
        assert server.seen == ()
    assert (tmp_path / "file").read_bytes() == b"mine"


def files_of_at_most(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_write_that_fails_ends_with_12_and_the_next_run_finishes(
    tmp_path: Path, size: int = 20_000
) -> None:
    root = tmp_path / "out"
    whole = len(archive("pods", "real"))
    assert size < whole
    with Upstream().serve() as server:
        ended = get(server, root, before=files_of_at_most(size))
        assert ended.code == 12, ended.err
        assert files_below(root) == {}
        again = get(server, root)
        assert again.code == 0
    assert files_below(root) == expected("pods", "real")
    assert scaffolding(root, "pods") == []


FULL_DISK = """
mount -t tmpfs -o size=$1,mode=755 none out || exit 99
shift
"$@"; echo "$?"
find out -type f -not -path 'out/.datafetch/*' | wc -l
mount -o remount,size=8m out
"$@"; echo "$?"
(cd out && find . -type f -not -path './.datafetch/*' -print0 | xargs -0 sha256sum -z | sort -z | sha256sum)
"""


@pytest.mark.parametrize("size", ["24k", "60k"])
def test_a_full_disk_ends_with_12_and_the_next_run_finishes_once_there_is_room(
    tmp_path: Path, size: str
) -> None:
    (tmp_path / "out").mkdir()
    if subprocess.run(("unshare", "-rm", "true"), capture_output=True).returncode:
        small = {"24k": 3_000, "60k": 10_000}[size]  # no small disk here: small files instead
        test_a_write_that_fails_ends_with_12_and_the_next_run_finishes(tmp_path, small)
        return
    with Upstream().serve() as server:
        get_pods = (
            sys.executable,
            "-m",
            "datafetch",
            "get",
            "pods",
            "--mirror",
            server.url,
            "-o",
            "out",
            "-q",
        )
        command = ("unshare", "-rm", "sh", "-c", FULL_DISK, "sh", size, *get_pods)
        env = environment(tmp_path)
        ended = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
        get(server, tmp_path / "undisturbed")
    said = [line for line in ended.stdout.splitlines() if not line.startswith("pods: ")]
    assert said[:3] == ["12", "0", "0"], ended
    assert "Traceback" not in ended.stderr and "make room" in ended.stderr
    script = FULL_DISK.strip().splitlines()[-1].replace("cd out", "cd undisturbed")
    assert said[3:] == subprocess.check_output(("sh", "-c", script), cwd=tmp_path, text=True).splitlines()


class Held:
    """Gives nothing before it is told to."""

    def __init__(self, thing: Thing) -> None:
        self.thing, self.go = thing, False

    def __call__(self, exchange: Exchange) -> None:
        while not self.go:
            time.sleep(0.02)
        self.thing(exchange)


def test_of_two_runs_at_once_the_second_ends_with_11_within_a_second_and_the_first_goes_on(
    tmp_path: Path,
) -> None:
    root = tmp_path / "out"
    held = Held(Thing(archive("pods", "real")))
    with Upstream({"/pods.zip": held}).serve() as server:
        args = ("get", "pods", "--mirror", server.url, "-o", str(root), "--json")
        first = start(args, tmp_path)
        while not server.seen:
            time.sleep(0.02)
        begun = time.monotonic()
        second = get(server, root)
        took = time.monotonic() - begun
        held.go = True
        first.communicate(timeout=30)
    assert second.code == 11 and str(first.pid) in second.err
    assert took < 1 + 0.5, f"{took:.2f} s, the start of Python included"
    assert first.returncode == 0
    assert files_below(root) == expected("pods", "real")


def test_two_datasets_into_one_folder_do_not_wait_for_each_other(tmp_path: Path) -> None:
    root = tmp_path / "out"
    held = Held(Thing(archive("pods", "real")))
    with Upstream({"/pods.zip": held}).serve() as server:
        first = start(("get", "pods", "--mirror", server.url, "-o", str(root), "--json"), tmp_path)
        other = datafetch_("get", "dogs", "--mirror", server.url, "-o", str(root), "-q", cwd=tmp_path)
        held.go = True
        first.communicate(timeout=30)
    assert (first.returncode, other.code) == (0, 0)
    assert files_below(root) == expected("pods", "real") | expected("dogs", "real")


def test_an_archive_that_upstream_replaced_is_noticed_when_a_repair_fetches_it_again(root: Path) -> None:
    victim = root / "pods/train/mugs_blue_greek/1.jpg"
    victim.unlink()
    before = files_below(root)
    tree = {path: data + b"!" for path, data in expected("pods", "real").items()}
    with Upstream({"/pods.zip": Thing(zip_of(tree))}).serve() as server:
        ended = verify(server, root, "--mirror-only", "--repair")
    assert ended.code == 13
    assert ("real", "changed") in [(problem["name"], problem["why"]) for problem in ended.report["problems"]]
    assert files_below(root) == before, "never a mix of two versions"
