"""The disk as it may be after a power cut: what was synced is there, of the rest anything that POSIX leaves open.

Changes as `disklayer` writes them down are played up to a cut. A folder's fsync keeps the changes of its entries, a
file's fsync its bytes, syncfs everything. Of the rest, by a chance that is given:

- entries: each change may be kept or lost by itself (any order), or all up to one of them are kept (a journal);
  a change that builds on a lost one is lost too, a rename is whole or not at all
- bytes: all, none, the first so many with the last write torn, some writes with zeros for the others, or the full
  length in zeros
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Event = tuple[Any, ...]
Entry = tuple[int, str]  # number of a folder, name


@dataclass
class Node:
    """A file or a folder: what it holds durably, and for a file what was done since."""

    number: int
    is_folder: bool
    data: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(
        default_factory=list
    )  # where and what; None cuts to a length
    names: dict[str, int] = field(default_factory=dict)

    def sync(self) -> None:
        self.data, self.pending = _apply(self.data, self.pending), []


@dataclass
class Change:
    """One change of entries: what each touched entry leads to afterwards."""

    after: dict[Entry, int | None]
    needs: list[Change]
    kept: bool = False

    def keep(self) -> None:
        if not self.kept:
            self.kept = True
            for each in self.needs:
                each.keep()


class Disk:
    """Begins as `root` stands now, all of it durable; `play` takes changes, `cut` writes what is left of them."""

    def __init__(self, root: Path) -> None:
        self.nodes: list[Node] = []
        self._of_inode: dict[int, int] = {}
        self.changes: list[Change] = []
        self._last: dict[Entry, Change] = {}
        self._now: dict[Entry, int | None] = {}
        self._root = self._take(root)

    def _take(self, path: Path) -> int:
        found = path.lstat()
        known = self._of_inode.get(found.st_ino)
        if known is not None:  # a second name
            return known
        node = self._new(found.st_ino, path.is_dir())
        if node.is_folder:
            for entry in sorted(os.listdir(path)):
                node.names[entry] = self._now[node.number, entry] = self._take(path / entry)
        else:
            node.data = path.read_bytes()
        return node.number

    def _new(self, inode: int, is_folder: bool) -> Node:
        node = Node(len(self.nodes), is_folder)
        self.nodes.append(node)
        self._of_inode[inode] = node.number  # a number that was given back may be another's now
        return node

    def play(self, events: Iterable[Event]) -> None:
        for kind, *rest in events:
            if kind == "syncfs":
                for node in self.nodes:
                    node.sync()
                for change in self.changes:
                    change.kept = True
                continue
            if kind in ("create", "mkdir"):
                inode, folder, name = rest
                self._change({self._entry(folder, name): self._new(inode, kind == "mkdir").number})
            elif kind == "link":
                inode, folder, name = rest
                self._change({self._entry(folder, name): self._of_inode[inode]})
            elif kind == "unlink":
                self._change({self._entry(*rest): None})
            elif kind == "rmdir":
                entry = self._entry(*rest)
                gone = self._now[entry]
                self._change({entry: None}, [e for e in self._last if e[0] == gone])
            elif kind == "rename":
                old, new = self._entry(*rest[:2]), self._entry(*rest[2:])
                if old != new and self._now[old] != self._now.get(new):  # else POSIX does nothing
                    self._change({old: None, new: self._now[old]})
            elif kind == "sync":
                node = self.nodes[self._of_inode[rest[0]]]
                node.sync()
                for change in self.changes if node.is_folder else ():
                    if any(entry[0] == node.number for entry in change.after):
                        change.keep()
            elif kind == "write":
                inode, at, data = rest
                self.nodes[self._of_inode[inode]].pending.append((at, data))
            else:
                assert kind == "truncate"
                self.nodes[self._of_inode[rest[0]]].pending.append((rest[1], None))

    def _entry(self, inode: int, name: str) -> Entry:
        return self._of_inode[inode], name

    def _change(self, after: dict[Entry, int | None], besides: Sequence[Entry] = ()) -> None:
        needs = [self._last[entry] for entry in (*after, *besides) if entry in self._last]
        change = Change(after, needs)
        self.changes.append(change)
        for entry in after:
            self._last[entry] = change
        self._now |= after

    def cut(self, target: Path, chance: random.Random) -> str:
        """Writes one of the disks that may be left to a new folder; returns what was lost, in words."""
        entries = {(node.number, name): n for node in self.nodes for name, n in node.names.items()}
        open_ = [change for change in self.changes if not change.kept]
        journal = chance.random() < 0.5
        if journal:
            durable = max((at for at, change in enumerate(self.changes) if change.kept), default=-1)
            upto = chance.randint(durable, len(self.changes) - 1) if self.changes else -1
            lost = {id(change) for at, change in enumerate(self.changes) if at > upto}
        else:
            share = chance.choice((0.0, 0.2, 0.5, 0.8, 1.0))
            lost = set()
            for change in self.changes:
                if not change.kept and (
                    chance.random() < share or any(id(each) in lost for each in change.needs)
                ):
                    lost.add(id(change))
        for change in self.changes:
            if id(change) not in lost:
                entries |= {entry: n for entry, n in change.after.items() if n is not None}
                for entry in [entry for entry, n in change.after.items() if n is None]:
                    entries.pop(entry, None)
        names: dict[int, dict[str, int]] = {}
        for (folder, name), number in entries.items():
            names.setdefault(folder, {})[name] = number
        bytes_lost = self._write(target, self._root, names, chance, {})
        return f"{len(lost)} of {len(open_)} changes of entries, bytes of {bytes_lost} files"

    def _write(
        self,
        path: Path,
        number: int,
        names: dict[int, dict[str, int]],
        chance: random.Random,
        files: dict[int, Path],
    ) -> int:
        node = self.nodes[number]
        if node.is_folder:
            path.mkdir()
            below = sorted(names.get(number, {}).items())
            return sum(self._write(path / name, each, names, chance, files) for name, each in below)
        if number in files:
            os.link(files[number], path)
            return 0
        files[number] = path
        path.write_bytes(_left(node, chance))
        return bool(node.pending)


def _apply(data: bytes, pending: Iterable[tuple[int, bytes | None]]) -> bytes:
    found = bytearray(data)
    for at, piece in pending:
        if piece is None:
            found[at:] = bytes(max(0, at - len(found)))
        else:
            found.extend(bytes(max(0, at - len(found))))
            found[at : at + len(piece)] = piece
    return bytes(found)


def _left(node: Node, chance: random.Random) -> bytes:
    if not node.pending:
        return node.data
    match chance.choice(("all", "none", "torn", "holes", "zeros")):
        case "all":
            return _apply(node.data, node.pending)
        case "none":
            return node.data
        case "torn":
            upto = chance.randrange(len(node.pending))
            at, piece = node.pending[upto]
            torn = [] if piece is None else [(at, piece[: chance.randint(0, len(piece))])]
            return _apply(node.data, [*node.pending[:upto], *torn])
        case "holes":
            kept = [(at, piece if chance.random() < 0.5 or not piece else bytes(len(piece)))
                    for at, piece in node.pending]  # fmt: skip
            return _apply(node.data, kept)
        case _:
            return bytes(len(_apply(node.data, node.pending)))
