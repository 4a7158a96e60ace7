"""Opening an archive by what its bytes are, whatever its name says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from datafetch.archive.directory import find_end
from datafetch.archive.headers import BLOCK, is_header
from datafetch.archive.join import ShardsReader
from datafetch.archive.members import DEFAULT_LIMITS, Archive, Limits
from datafetch.archive.nested import NestedTar
from datafetch.archive.parquet import MAGIC
from datafetch.archive.rows import RowsArchive
from datafetch.archive.several import SeveralArchives
from datafetch.archive.tar import PackedStream, TarArchive
from datafetch.archive.zip import ZipArchive
from datafetch.errors import DamagedArchive, UnsafeArchive
from datafetch.store.faults import user_errors

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz"}
_OTHERS = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive, which is not supported",
    b"Rar!": "a RAR archive, which is not supported",
    b"\x28\xb5\x2f\xfd": "compressed with zstd, which is not supported",
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
) -> Archive:
    """The archive in this file, or in these shards read as one; the caller closes it.

    With `rows` (see `RowsArchive`) each file is a parquet table, and they are read one after the other. A tar
    that is `nested` holds tars whose members count. Files that are `apart` are archives of their own.
    Its members are listed and pass every check that can be made before unpacking. UnsafeArchive, saying what
    the file looks like, when it is no archive or breaks a rule; NoRoom for faults of the disk.
    """
    paths = (path,) if isinstance(path, Path) else tuple(path)
    with user_errors(paths[0]):
        if rows:
            return _open_tables(paths, rows, limits)
        if apart:
            return _open_apart(paths, limits)
        file = ShardsReader(paths)
        try:
            return _open_nested(file, limits) if nested else _open(file, limits)
        except UnsafeArchive as error:
            file.close()
            raise type(error)(f"{paths[0].name}: {error}", error.hint) from error
        except BaseException:
            file.close()
            raise


def _open(file: ShardsReader, limits: Limits) -> Archive:
    head = file.pread(BLOCK, 0)
    if head.startswith(_ZIP):
        return ZipArchive(file, limits)
    for mark, form in _PACKED.items():
        if head.startswith(mark):
            first = PackedStream(file, form).pread(BLOCK, 0)
            if is_header(first) or first == bytes(BLOCK):
                return TarArchive(file, form, limits)
            raise UnsafeArchive(f"it is one file compressed with {form}, not an archive of files")
    if is_header(head) or (head == bytes(BLOCK) and file.size >= 2 * BLOCK):
        return TarArchive(file, "", limits)
    what = _looks_like(head, file.size)
    if not what and _ends_as_zip(file):
        return ZipArchive(file, limits)  # a self-extracting zip: a program stands before it
    raise DamagedArchive(f"it is not an archive: it {what or _begins(head)}")


def _open_apart(paths: Sequence[Path], limits: Limits) -> SeveralArchives:
    found: dict[str, Archive] = {}
    try:
        for path in sorted(paths, key=lambda path: path.name):
            if (folder := path.stem) in found:
                raise UnsafeArchive(f"{path}: two archives are called {folder}")
            found[folder] = open_archive(path, limits)
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
