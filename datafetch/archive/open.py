"""Opening an archive by what its bytes are, whatever its name says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from datafetch.archive.directory import find_end
from datafetch.archive.headers import BLOCK, is_header
from datafetch.archive.join import ShardsReader
from datafetch.archive.members import DEFAULT_LIMITS, Archive, Limits
from datafetch.archive.nested import NestedTar
from datafetch.archive.packed import PackedFile, PackedStream, form_of
from datafetch.archive.parquet import MAGIC
from datafetch.archive.rows import RowsArchive
from datafetch.archive.sevenzip import MAGIC as SEVENZIP
from datafetch.archive.sevenzip import SevenZip
from datafetch.archive.several import SeveralArchives
from datafetch.archive.tar import TarArchive
from datafetch.archive.zip import ZipArchive
from datafetch.errors import DamagedArchive, UnsafeArchive
from datafetch.store.faults import user_errors

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OTHERS = {
    b"Rar!": "a RAR archive, which is not supported",
    b"\x1f\x9d": "compressed with compress (.Z), which is not supported",
    b"\x04\x22\x4d\x18": "compressed with lz4, which is not supported",
    b"LZIP": "compressed with lzip, which is not supported",
    b"MSCF": "a cabinet, which is not supported",
    b"!<arch>\n": "an ar archive, which is not supported",
    b"0707": "a cpio archive, which is not supported",
    b"PK\x07\x08": "a piece of a split zip",
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89PNG": "a PNG image",
    b"%PDF": "a PDF document",
    MAGIC: "a parquet file, which needs `rows` in its recipe",
    b"\x89HDF": "an HDF5 file",
    b"version https://git-lfs": "a pointer of Git LFS, not the file it stands for",
}
_HTML = re.compile(rb"\s*(<!--.*?-->\s*)?<(!doctype html|html|head|body|script|title)\b", re.I | re.S)
_XML_ERROR = re.compile(rb"<Code>([^<]*)</Code>")


def open_archive(
    path: Path | Sequence[Path],
    limits: Limits = DEFAULT_LIMITS,
    rows: Sequence[tuple[str, str]] = (),
    nested: bool = False,
    apart: bool = False,
    name: str = "",
    page: str = "",
) -> Archive:
    """The archive in this file, or in these shards read as one; the caller closes it.

    One compressed file is an archive of that file; it is called like the archive, which has this `name`, without
    its ending. With `rows` (see `RowsArchive`) each file is a parquet table, and they are read one after the other.
    A tar that is `nested` holds tars whose members count. Files that are `apart` are archives of their own.
    `page` is the code page of names in a zip that does not say in what its names are written.
    Its members are listed and pass every check that can be made before unpacking. UnsafeArchive, saying what
    the file looks like, when it is no archive or breaks a rule; NoRoom for faults of the disk.
    """
    paths = (path,) if isinstance(path, Path) else tuple(path)
    with user_errors(paths[0]):
        if rows:
            return _open_tables(paths, rows, limits)
        if apart:
            return _open_apart(paths, limits, page)
        file = ShardsReader(paths)
        try:
            return _open_nested(file, limits) if nested else _open(file, limits, name or paths[0].name, page)
        except UnsafeArchive as error:
            file.close()
            raise type(error)(f"{paths[0].name}: {error}", error.hint) from error
        except BaseException:
            file.close()
            raise


def open_passing(path: Path | Sequence[Path]) -> PackedStream | None:
    """The unpacked bytes of a compressed tar, of which nothing is listed or checked yet; None for all else."""
    paths = (path,) if isinstance(path, Path) else tuple(path)
    with user_errors(paths[0]):
        file = ShardsReader(paths)
        packed = _packed(file)
        if packed is None:
            file.close()
            return None
        with suppress(UnsafeArchive):  # open_archive says it better
            if _is_tar(packed):
                return packed
        packed.close()
        return None


def _open(file: ShardsReader, limits: Limits, name: str, page: str) -> Archive:
    head = file.pread(BLOCK, 0)
    if head.startswith(_ZIP):
        return ZipArchive(file, limits, page)
    if (packed := _packed(file)) is not None:
        try:
            if _is_tar(packed):
                return TarArchive(file, packed, limits)
            return PackedFile(file, packed, name, limits)
        except BaseException:
            packed.close()
            raise
    if is_header(head) or (head == bytes(BLOCK) and file.size >= 2 * BLOCK):
        return TarArchive(file, None, limits)
    if head.startswith(SEVENZIP):
        return SevenZip(file, limits)
    if _ends_as_zip(file):
        return ZipArchive(file, limits, page)  # a program may stand before it, or anything else
    what = _looks_like(head, file.size)
    raise DamagedArchive(f"it is not an archive: it {what or _begins(head)}")


def _packed(file: ShardsReader) -> PackedStream | None:
    form = form_of(file.pread(BLOCK, 0))
    return PackedStream(file, form) if form else None


def _is_tar(packed: PackedStream) -> bool:
    first = packed.pread(BLOCK, 0)
    return is_header(first) or first == bytes(BLOCK)


def _open_apart(paths: Sequence[Path], limits: Limits, page: str) -> SeveralArchives:
    found: dict[str, Archive] = {}
    try:
        for path in sorted(paths, key=lambda path: path.name):
            if (folder := path.stem) in found:
                raise UnsafeArchive(f"{path}: two archives are called {folder}")
            found[folder] = open_archive(path, limits, page=page)
        return SeveralArchives(found, sum(path.stat().st_size for path in paths), limits)
    except BaseException:
        for archive in found.values():
            archive.close()
        raise


def _open_nested(file: ShardsReader, limits: Limits) -> NestedTar:
    if not is_header(file.pread(BLOCK, 0)):
        raise UnsafeArchive("only a plain tar may hold tars that are unpacked as well")
    return NestedTar(file, limits)


def _open_tables(paths: Sequence[Path], rows: Sequence[tuple[str, str]], limits: Limits) -> RowsArchive:
    for path in paths:
        with ShardsReader([path]) as file:
            head, size = file.pread(BLOCK, 0), file.size
        if not head.startswith(MAGIC):
            what = _looks_like(head, size) or _begins(head)
            raise DamagedArchive(f"{path.name} is not a parquet file: it {what}", shard=path.name)
    return RowsArchive(paths, rows, limits)


def _begins(head: bytes) -> str:
    start = head[:16]
    if start.isascii() and start.decode("ascii").isprintable():
        return f"begins with {start.decode('ascii')!r}"
    return f"begins with the bytes {start[:8].hex(' ')}"


def _ends_as_zip(file: ShardsReader) -> bool:
    try:
        find_end(file.pread, file.size)
    except UnsafeArchive:
        return False
    return True


def _looks_like(head: bytes, size: int) -> str:
    """What the file is instead, after the words "it …"; "" when nobody can say."""
    if not size:
        return "is empty"
    if head.count(0) == len(head):
        return "begins with zeros, as a file whose bytes never came"
    for mark, what in _OTHERS.items():
        if head.startswith(mark):
            return f"is {what}"
    text = head.removeprefix(b"\xef\xbb\xbf")
    if _HTML.match(text):
        return "is a web page (HTML)"
    if text.lstrip().startswith(b"<?xml") or text.lstrip().startswith(b"<Error"):
        code = _XML_ERROR.search(text)
        return f"is an XML answer ({code[1].decode('ascii', 'replace')})" if code else "is an XML document"
    if text.lstrip().startswith((b"{", b"[")):
        return "is a JSON document"
    return ""
