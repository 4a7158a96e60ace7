"""Archives written by several processes or threads: the same tree, the same refusals, nobody writes afterwards."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from archives import Entry, raw_zip, tar_of, zip_of

from datafetch.archive import crew, extract, hands, passing
from datafetch.archive.staging import Extracted
from datafetch.errors import DamagedArchive, Interrupted, UnsafeArchive
from datafetch.model import Artifact, Http, Rule
from datafetch.store.files import Tree

REAL = Artifact("real", Http(("https://host.example/pods.zip",)), "pods", unpack=True)
RULES = (Rule(("real/<root>/<split>/<class>/<file>",), "<split>/<class>/<file>"),)
TREE = {f"top/train/c{k % 7}/{k}.jpg": hashlib.sha256(b"%d" % k).digest() * (k % 90) for k in range(400)}
STAGED = {name.replace("top/", "pods/"): data for name, data in TREE.items()}


def unpack(
    tmp: Path, data: bytes, stop: Callable[[], bool] = lambda: False, only: frozenset[str] = frozenset()
) -> Extracted:
    (tmp / "archive").write_bytes(data)
    return extract.extract(
        tmp / "archive",
        REAL,
        RULES,
        tmp / "s",
        names="keep",
        url="https://host.example/pods.zip",
        fetched_at="2026-01-01T00:00:00Z",
        only=only,
        emit=lambda event: None,
        stop=stop,
    )


def files(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work so small is shared by three processes."""
    monkeypatch.setattr(extract, "processes", lambda work: 3)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The helpers that a test starts."""
    found: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start(*words: object, **more: object) -> subprocess.Popen[bytes]:
        found.append(popen(*words, **more))  # type: ignore[call-overload]
        return found[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    return found


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("make", [zip_of, lambda tree: zip_of(tree, deflate=True), tar_of])
def test_several_processes_write_the_tree_that_one_writes(
    tmp_path: Path, make: Callable[[object], bytes], started: list[subprocess.Popen[bytes]]
) -> None:
    found = unpack(tmp_path, make(TREE))
    assert files(tmp_path / "s") == STAGED
    assert [record.member for record in found.records] == list(TREE)
    assert {r.path: r.sha256 for r in found.records} == {
        path: hashlib.sha256(data).hexdigest() for path, data in STAGED.items()
    }
    assert [child.poll() is not None for child in started] == [True, True]


@pytest.mark.usefixtures("three")
def test_a_helper_that_dies_costs_nothing_but_time(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    def stop() -> bool:
        for child in started:
            child.kill()
        return False

    unpack(tmp_path, zip_of(TREE), stop)
    assert files(tmp_path / "s") == STAGED


@pytest.mark.usefixtures("three")
def test_helpers_that_cannot_start_are_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*words: object, **more: object) -> None:
        raise BlockingIOError(11, "no more processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    unpack(tmp_path, zip_of(TREE))
    assert files(tmp_path / "s") == STAGED


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("at", [0, 399], ids=["ours", "a helper's"])
def test_damage_met_by_any_process_refuses_the_whole(
    tmp_path: Path, at: int, started: list[subprocess.Popen[bytes]]
) -> None:
    entries = [Entry(b"top/train/a/%d.jpg" % k, b"x" * 300, crc=1 if k == at else None) for k in range(400)]
    with pytest.raises(
        DamagedArchive, match=rf"^archive: 'top/train/a/{at}.jpg' is damaged: its CRC differs$"
    ):
        unpack(tmp_path, raw_zip(entries))
    assert not (tmp_path / "s").exists()
    assert all(child.poll() is not None for child in started)


@pytest.mark.usefixtures("three")
def test_a_stop_ends_every_process(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    with pytest.raises(Interrupted):
        unpack(tmp_path, zip_of(TREE), lambda: True)
    assert not (tmp_path / "s").exists()
    assert [child.poll() is not None for child in started] == [True, True]


@pytest.mark.usefixtures("three")
def test_nothing_is_run_that_lies_where_the_user_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pickle.py in the working directory was run by each helper; it saw HF_TOKEN."""
    (tmp_path / "pickle.py").write_text("open('ran', 'w').close()\nraise SystemExit\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    unpack(tmp_path, zip_of(TREE))
    assert files(tmp_path / "s") == STAGED
    assert not (tmp_path / "ran").exists()


@pytest.mark.usefixtures("three")
def test_an_answer_that_nobody_understands_ends_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread died of the TypeError, and the others waited for its share for ever."""
    says = "import sys; sys.stdout.buffer.write(b'cbuiltins\\nint\\n(NtR.'); sys.stdout.flush(); sys.stdin.read()"
    pipe, until = subprocess.PIPE, time.monotonic() + 10
    monkeypatch.setattr(
        crew,
        "spawn",
        lambda module, **pipes: subprocess.Popen((sys.executable, "-c", says), stdin=pipe, stdout=pipe),
    )
    with pytest.raises(TypeError, match="int"):
        unpack(tmp_path, zip_of(TREE), lambda: time.monotonic() > until)


def test_a_helper_ends_when_nobody_waits_for_it(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "datafetch.archive.helper"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    child.communicate(timeout=20)
    assert child.returncode is not None


# --- A compressed tar, in one pass -----------------------------------------------------------------------------------


@pytest.fixture
def inflated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each time that an archive is read to be listed as a whole, which one pass does without."""
    found: list[str] = []
    real = extract.open_archive

    def spy(*words: object, **more: object) -> object:
        found.append("listed")
        return real(*words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(extract, "open_archive", spy)
    return found


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_compressed_tar_is_inflated_once(tmp_path: Path, mode: str, inflated: list[str]) -> None:
    large = {
        "top/train/c0/large.bin": bytes(range(256)) * 9000,
        "top/README": b"no rule",
        ".DS_Store": b"junk",
    }
    found = unpack(tmp_path, tar_of({**TREE, **large}, mode))
    assert files(tmp_path / "s") == {**STAGED, "pods/train/c0/large.bin": bytes(range(256)) * 9000}
    assert [record.member for record in found.records] == [*TREE, "top/train/c0/large.bin"]
    assert (found.root, found.skipped) == ("top", {"no rule": 1, "junk": 1})
    assert inflated == []


def test_a_first_name_that_misleads_costs_a_second_pass(tmp_path: Path, inflated: list[str]) -> None:
    """What `<root>` stands for is known only when all names are."""
    misleading = {"other/train/z/0.txt": b"stray"}
    found = unpack(tmp_path, tar_of({**misleading, **TREE}, "w:gz"))
    assert files(tmp_path / "s") == STAGED
    assert (found.root, inflated) == ("top", ["listed"])


def test_only_some_of_a_compressed_tar(tmp_path: Path, inflated: list[str]) -> None:
    wanted = frozenset(list(STAGED)[3:5])
    unpack(tmp_path, tar_of(TREE, "w:gz"), only=wanted)
    assert files(tmp_path / "s").keys() == wanted
    assert inflated == []


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ({"../evil": b"x"}, r"'\.\.'"),
        ({"/etc/evil": b"x"}, "absolute"),
        ({"top/train/c0/0.JPG": b"x"}, "have one name"),
        ({"top/train/c0/0.jpg/below": b"x"}, "have one name|would stand where"),
    ],
)
def test_what_breaks_a_rule_at_the_very_end_refuses_the_whole(
    tmp_path: Path, last: dict[str, bytes], words: str
) -> None:
    with pytest.raises(UnsafeArchive, match=words):
        unpack(tmp_path, tar_of({**TREE, **last}, "w:gz"))
    assert not (tmp_path / "s").exists()
    assert not (tmp_path / "evil").exists()


def test_a_stop_ends_every_thread(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        unpack(tmp_path, tar_of(TREE, "w:gz"), lambda: True)
    assert not (tmp_path / "s").exists()


def test_a_fault_of_a_writer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*words: object) -> tuple[int, str]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(passing, "write_over", full)
    with pytest.raises(Exception, match="no space left"):
        unpack(tmp_path, tar_of(TREE, "w:gz"))
    assert not (tmp_path / "s").exists()


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers give even little work to processes, in small shares."""
    monkeypatch.setattr(passing, "WORTH", (0, 0))
    monkeypatch.setattr(passing, "_SHARE", (8, 1 << 20))


@pytest.mark.usefixtures("handed")
@pytest.mark.parametrize("fault", ["none", "dead"])
def test_processes_write_the_tree_of_a_compressed_tar(
    tmp_path: Path, fault: str, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "dead":
        real, left = hands.Hand.write, [3]

        def killing(self: hands.Hand, tree: Tree, files: Sequence[tuple[str, bytes]]) -> hands.Done:
            left[0] -= 1
            if not left[0] and self._child is not None:
                self._child.kill()
            return real(self, tree, files)

        monkeypatch.setattr(hands.Hand, "write", killing)
    found = unpack(tmp_path, tar_of(TREE, "w:gz"))
    assert files(tmp_path / "s") == STAGED
    assert {r.path: r.sha256 for r in found.records} == {
        path: hashlib.sha256(data).hexdigest() for path, data in STAGED.items()
    }
    assert started and all(child.poll() is not None for child in started)


@pytest.mark.usefixtures("handed")
def test_a_fault_of_a_process_that_writes_is_told(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    """A file where a folder belongs, met by a process and not by its writer."""
    clash = {f"top/train/z/{k}": b"x" for k in range(400)} | {"top/train/z/0/below": b"x"}
    with pytest.raises(UnsafeArchive, match=r"have one name|would stand where"):
        unpack(tmp_path, tar_of({**TREE, **clash}, "w:gz"))
    assert started and all(child.poll() is not None for child in started)
    assert not (tmp_path / "s").exists()
