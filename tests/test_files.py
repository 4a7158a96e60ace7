"""store.files, durable and faults: whole or absent, never through a link, and every fault in plain words."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import count, dies_at, fails_at

from datafetch.errors import DatafetchError, NoRoom
from datafetch.store import durable
from datafetch.store.files import (
    Tree,
    as_user_error,
    atomic_file,
    make_folder,
    new_file,
    refuse_links,
    remove_tree,
    sync_tree,
    user_errors,
    write_atomic,
)
from datafetch.store.flags import MAX_DEPTH
from datafetch.store.room import free_space

# --- Faults in plain words ---------------------------------------------------------------------------------

DISK = ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EMFILE", "ENFILE", "EIO", "ESTALE", "EFBIG"]


@pytest.mark.parametrize("name", DISK)
def test_fault_of_the_disk_is_no_room_with_a_hint(name):
    error = as_user_error(OSError(getattr(errno, name), "x"), Path("/data/pods"))
    assert isinstance(error, NoRoom)
    assert error.exit_code == 12
    assert "/data/pods" in str(error)
    assert error.hint
    assert "\n" not in str(error) + error.hint


def test_fault_nobody_has_classified_is_one_line_with_exit_code_1():
    error = as_user_error(OSError(errno.EBADF, "Bad file descriptor"), "x")
    assert (type(error), error.exit_code, str(error)) == (DatafetchError, 1, "x: Bad file descriptor")


def test_fault_of_a_name_that_is_no_text_can_be_printed():
    str(as_user_error(OSError(errno.EIO, "x"), os.fsdecode(b"\xff.jpg"))).encode()


def test_too_many_open_files_is_told_as_such(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        with pytest.raises(NoRoom, match="too many open files") as caught, user_errors(tmp_path):
            while True:
                held.append(os.open(tmp_path, os.O_RDONLY))
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "ulimit" in caught.value.hint


def test_file_that_grows_too_large_is_told_as_such_and_leaves_nothing(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(NoRoom, match="larger than its file system allows"):
            write_atomic(tmp_path / "file", b"x" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(tmp_path) == []


# --- Atomic files ------------------------------------------------------------------------------------------


def test_atomic_file_is_old_or_new_whenever_it_is_killed(tmp_path):
    path = tmp_path / "deep" / "file"
    write_atomic(path, b"old")
    for step in range(count(lambda: write_atomic(path, b"old"))):
        dies_at(step, lambda: write_atomic(path, b"new content"))
        assert path.read_bytes() in (b"old", b"new content")
        write_atomic(path, b"old")
        assert os.listdir(path.parent) == ["file"], "a stray temporary file"


def test_atomic_file_leaves_nothing_of_a_failed_write(tmp_path):
    path = tmp_path / "file"
    write_atomic(path, b"old")
    for step in range(count(lambda: write_atomic(path, b"old"))):
        with pytest.raises(NoRoom):
            fails_at(step, errno.ENOSPC, lambda: write_atomic(path, b"new"))
        assert os.listdir(tmp_path) == ["file"]
        assert path.read_bytes() in (b"old", b"new")
        write_atomic(path, b"old")


def test_atomic_file_keeps_the_old_content_when_its_writer_fails(tmp_path):
    write_atomic(tmp_path / "file", b"old")
    with pytest.raises(KeyError), atomic_file(tmp_path / "file") as file:
        file.write(b"half")
        raise KeyError
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_atomic_file_replaces_a_link_instead_of_following_it(tmp_path):
    (tmp_path / "theirs").write_bytes(b"theirs")
    for name in ("file", ".file.tmp"):
        (tmp_path / name).symlink_to("theirs")
    write_atomic(tmp_path / "file", b"ours")
    assert (tmp_path / "theirs").read_bytes() == b"theirs"
    assert not (tmp_path / "file").is_symlink()


def test_new_file_never_opens_what_is_there(tmp_path):
    (tmp_path / "link").symlink_to("target")
    folder = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(FileExistsError):
        new_file(folder, "link")
    os.close(new_file(folder, "new"))
    os.close(folder)
    assert not (tmp_path / "target").exists()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o644


def test_folder_under_a_file_is_refused_in_words(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NoRoom, match="file"):
        make_folder(tmp_path / "file" / "below")


def test_refuse_links_finds_one_at_any_depth(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c").symlink_to(tmp_path)
    refuse_links(tmp_path, "a/b/x/y")
    with pytest.raises(NoRoom, match="a/b/c"):
        refuse_links(tmp_path, "a/b/c/d")


# --- Removing ----------------------------------------------------------------------------------------------


def test_remove_tree_removes_links_and_not_what_they_lead_to(tmp_path):
    (tmp_path / "outside/deep").mkdir(parents=True)
    (tmp_path / "tree/a/b").mkdir(parents=True)
    (tmp_path / "tree/a/link").symlink_to(tmp_path / "outside")
    (tmp_path / "tree/dangling").symlink_to("nowhere")
    (tmp_path / "tree/a/b/file").touch()
    remove_tree(tmp_path / "tree")
    remove_tree(tmp_path / "tree")
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["outside", "deep"]


@pytest.mark.parametrize("kind", ["file", "link", "absent", "absent/below"])
def test_remove_tree_of(tmp_path, kind):
    (tmp_path / "outside").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("outside")
    remove_tree(tmp_path / kind)
    assert not os.path.lexists(tmp_path / kind)
    assert (tmp_path / "outside").is_dir()


def test_remove_tree_of_a_read_only_place_is_no_room(tmp_path):
    (tmp_path / "tree/a").mkdir(parents=True)
    with pytest.raises(NoRoom, match="read-only"):
        fails_at(count(lambda: None) + 2, errno.EROFS, lambda: remove_tree(tmp_path / "tree"))


# --- Tree --------------------------------------------------------------------------------------------------


def put(tree: Tree, path: str, data: bytes = b"x") -> None:
    with open(tree.create(path), "wb") as file:
        file.write(data)


def test_tree_makes_folders_and_files(tmp_path):
    with Tree(tmp_path) as tree:
        put(tree, "a/b/<new1>.jpg", b"123")
        put(tree, "top")
        tree.makedirs("a/empty")
        assert [tree.size(path) for path in ("a/b/<new1>.jpg", "a/b", "a/x", "x/y")] == [3, -1, None, None]
        with open(tree.read("top"), "rb") as file:
            assert file.read() == b"x"
        tree.remove("top")
        tree.remove("top")
        with pytest.raises(FileExistsError):
            tree.create("a/b/<new1>.jpg")
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "a",
        "a/b",
        "a/b/<new1>.jpg",
        "a/empty",
    ]


UNSAFE = ["", ".", "..", "a/..", "../a", "/a", "a//b", "a/./b", "a/", "a\0b", "/"]


@pytest.mark.parametrize("path", UNSAFE)
def test_tree_never_makes_a_path_that_could_leave(tmp_path, path):
    with Tree(tmp_path) as tree:
        before = sorted(tmp_path.parent.rglob("*"))
        with pytest.raises(ValueError, match="not a safe file name"):
            tree.create(path)
        if path:
            with pytest.raises(ValueError, match="not a safe file name"):
                tree.makedirs(path)
    assert {path.name for path in set(tmp_path.parent.rglob("*")) - set(before)} <= {"a"}


@pytest.mark.parametrize(
    "act", [lambda t: t.create("link/x"), lambda t: t.makedirs("link/x"), lambda t: t.create("link")]
)
def test_tree_never_follows_a_link(tmp_path, act: Callable[[Tree], int]):
    (tmp_path / "outside").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root/link").symlink_to(tmp_path / "outside")
    with Tree(tmp_path / "root") as tree, pytest.raises(OSError):
        act(tree)
    assert list((tmp_path / "outside").iterdir()) == []


def test_tree_is_not_led_astray_by_a_folder_swapped_for_a_link(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "root").mkdir()
    with Tree(tmp_path / "root") as tree:
        put(tree, "a/1")
        os.rename(tmp_path / "root/a", tmp_path / "root/b")
        (tmp_path / "root/a").symlink_to(tmp_path / "outside")
        put(tree, "a/2")
    assert sorted(os.listdir(tmp_path / "root/b")) == ["1", "2"]
    assert os.listdir(tmp_path / "outside") == []


def test_tree_holds_few_folders_open_however_many_it_made(tmp_path):
    before = open_files()
    with Tree(tmp_path) as tree:
        for number in range(300):
            put(tree, f"{number % 7}/{number}/file")
        assert open_files() - before < 70
    assert open_files() == before


def open_files() -> int:
    return sum(os.path.exists(f"/dev/fd/{fd}") for fd in range(512))


def test_tree_refuses_folders_so_deep_that_they_could_not_be_removed(tmp_path):
    with Tree(tmp_path) as tree:
        put(tree, "/".join(["d"] * MAX_DEPTH) + "/file")
        with pytest.raises(OSError, match="too long") as caught:
            tree.create("/".join(["d"] * (MAX_DEPTH + 1)) + "/file")
    assert isinstance(as_user_error(caught.value, tmp_path), NoRoom)
    remove_tree(tmp_path / "d")


# --- Durability --------------------------------------------------------------------------------------------


@pytest.fixture
def synced(monkeypatch) -> list[str]:
    """Names of what fsync was asked for."""
    names: list[str] = []

    def fsync(fd: int) -> None:
        names.append(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))

    if sys.platform == "linux":
        monkeypatch.setattr(os, "fsync", fsync)
    return names


def test_small_tree_is_synced_file_by_file(tmp_path, synced, monkeypatch):
    monkeypatch.setattr(durable, "_syncfs", lambda root: pytest.fail("not for so few files"))
    (tmp_path / "t/a/b").mkdir(parents=True)
    (tmp_path / "t/a/b/1").touch()
    (tmp_path / "t/2").touch()
    (tmp_path / "t/link").symlink_to("nowhere")
    sync_tree(tmp_path / "t")
    if sys.platform == "linux":
        assert sorted(synced) == ["1", "2", "a", "b", "t"]


@pytest.mark.parametrize("answer", [True, False])
def test_large_tree_is_synced_at_once_or_file_by_file_where_that_is_unknown(
    tmp_path, synced, monkeypatch, answer
):
    monkeypatch.setattr(durable, "_syncfs", lambda root: answer)
    for number in range(100):
        (tmp_path / str(number)).touch()
    sync_tree(tmp_path)
    if sys.platform == "linux":
        assert len(synced) == (0 if answer else 101)


def test_sync_of_a_file_system_is_asked_of_the_system(tmp_path):
    assert durable._syncfs(tmp_path) is (sys.platform == "linux")


@pytest.mark.parametrize(("code", "outcome"), [(errno.ENOSYS, False), (errno.EIO, OSError)])
def test_sync_of_a_file_system_that_fails(tmp_path, monkeypatch, code, outcome):
    class Libc:
        @staticmethod
        def syncfs(fd: int) -> int:
            ctypes.set_errno(code)
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *a, **k: Libc)
    monkeypatch.setattr(sys, "platform", "linux")
    if outcome is False:
        assert durable._syncfs(tmp_path) is False
    else:
        with pytest.raises(OSError, match="output error"):
            durable._syncfs(tmp_path)


def test_folders_that_cannot_be_synced_are_left_to_their_file_system(tmp_path, monkeypatch):
    monkeypatch.setattr(durable, "sync_fd", lambda fd: (_ for _ in ()).throw(OSError(errno.EINVAL, "x")))
    durable.sync_dir(tmp_path)


def test_free_space_of_a_folder_that_is_not_there_yet(tmp_path):
    free, inodes = free_space(tmp_path / "not" / "yet")
    assert free > 0
    assert inodes > 0
