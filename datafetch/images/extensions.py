"""`<ext>` in `save_as`: pictures whose lists promise no format are named by what their bytes are.

Until its bytes are here a picture is called `.jpg`, in the list's journals for good. Those that are something else
are renamed when they are staged, and remembered in a file beside the journals: so a name, once given, stays.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from datafetch.images.index import Index
from datafetch.model import UrlList
from datafetch.store.durable import sync_tree
from datafetch.store.files import Tree
from datafetch.store.journal import Journal

BLANK = "<ext>"
USUAL = "jpg"
REMEMBERED = "extensions.jsonl"  # beside the journals of a list
_HEAD = 16  # bytes
_FORMATS = ("png", "gif", "webp", "bmp", "tif", "avif", "jp2")


class _Named(msgspec.Struct):
    path: str  # as the layout places it, with the usual ending
    ext: str


class Extensions:
    """The endings that a list's pictures have, where they are not the usual one."""

    def __init__(self, folder: Path) -> None:
        """`folder` is that of the list's journals. About 11 bytes for each picture with another ending."""
        self._file = folder / REMEMBERED
        self._codes = Index()
        for named in self._remembered():
            self._take(named)

    def named(self, path: str) -> str:
        """The path under which a picture stands that the layout places at `path`."""
        code = self._codes.get(path)
        return _with(path, _FORMATS[code - 1]) if code else path

    def go_on(self, staging: Path) -> None:
        """Do what a run that was killed between remembering and renaming left."""
        if not staging.is_dir():
            return
        with Tree(staging) as tree:
            for named in self._remembered():
                with suppress(FileNotFoundError):
                    _rename(tree, named)

    def give(self, staging: Path, paths: Iterable[str], published: Callable[[], Iterable[str]]) -> None:
        """Rename the staged pictures among `paths` that are not what their name says, durably.

        One whose path is already among the `published` keeps its name: it was given by an earlier run.
        """
        found = {path: ext for path in paths if (ext := _look(staging / path)) not in ("", USUAL)}
        for path in published() if found else ():
            found.pop(path, None)
        if not found:
            return
        fresh = [_Named(path, ext) for path, ext in found.items()]
        with Journal(self._file) as written:
            written.extend(
                fresh
            )  # before the first is renamed: a name that nobody remembers is a lost picture
        with Tree(staging) as tree:
            for named in fresh:
                self._take(named)
                _rename(tree, named)
        sync_tree(staging)

    def _remembered(self) -> Iterator[_Named]:
        decode = msgspec.json.Decoder(_Named).decode
        with suppress(FileNotFoundError), self._file.open("rb") as file:
            for line in file:
                with suppress(msgspec.MsgspecError, UnicodeDecodeError):  # a torn last line
                    yield decode(line)

    def _take(self, named: _Named) -> None:
        if named.ext in _FORMATS:
            self._codes.first(named.path, _FORMATS.index(named.ext) + 1)


def wanted(source: UrlList) -> bool:
    """Whether a list's pictures are named by what they are."""
    return source.save_as.endswith(f".{BLANK}")


def sniff(head: bytes) -> str:
    """The ending of a picture that begins so; empty when it is none of those that are taken."""
    match head:
        case _ if head.startswith(b"\xff\xd8\xff"):
            return USUAL
        case _ if head.startswith(b"\x89PNG"):
            return "png"
        case _ if head.startswith(b"GIF8"):
            return "gif"
        case _ if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return "webp"
        case _ if head.startswith(b"BM"):
            return "bmp"
        case _ if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
            return "tif"
        case _ if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis", b"mif1"):
            return "avif"
        case _ if head.startswith((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")):
            return "jp2"
    return ""


def _look(path: Path) -> str:
    """The ending of a staged file by its bytes; empty for one that is not staged, or is published already."""
    if not path.name.endswith(f".{USUAL}"):
        return ""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb", buffering=0) as file:
            return sniff(file.read(_HEAD))
    except OSError:
        return ""


def _rename(tree: Tree, named: _Named) -> None:
    above, _, name = named.path.rpartition("/")
    folder = tree.folder(above)
    os.rename(name, _with(name, named.ext), src_dir_fd=folder, dst_dir_fd=folder)


def _with(path: str, ext: str) -> str:
    return f"{path.removesuffix(USUAL)}{ext}" if path.endswith(f".{USUAL}") else path
