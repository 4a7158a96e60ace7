"""7z: what is packed together is unpacked in one go, in order, and each file checked as it comes."""

from __future__ import annotations

import lzma
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from datafetch.archive.inflate import (
    DEFLATE64,
    DEFLATED,
    MEMORY,
    Decompressor,
    bunzip2,
    crc32,
    damage,
    unpack,
    unzstd,
)
from datafetch.archive.join import ShardsReader
from datafetch.archive.members import (
    CHUNK,
    DEFAULT_LIMITS,
    Archive,
    Chunk,
    Limits,
    Member,
    check_members,
)
from datafetch.archive.packed import Forward
from datafetch.archive.sevenzip_header import Coder, Folder, Reader, Streams, read_files, read_streams
from datafetch.errors import DamagedArchive, UnsafeArchive

MAGIC = b"7z\xbc\xaf\x27\x1c"
_START = struct.Struct("<6s2sIQQI")
_HEADER, _ENCODED, _ARCHIVE, _STREAMS, _FILES = 1, 0x17, 2, 4, 5
_MOST_HEADER = 1 << 28  # bytes
_WINDOW = 1 << 27  # bytes that zstd looks back at, at most: a stream that wants more is refused by it
_STORED = 1 << 16  # bytes of an uncompressed chunk of LZMA2
_BCJ = {
    "03030103": lzma.FILTER_X86,
    "04": lzma.FILTER_X86,
    "03030205": lzma.FILTER_POWERPC,
    "05": lzma.FILTER_POWERPC,
    "03030401": lzma.FILTER_IA64,
    "06": lzma.FILTER_IA64,
    "03030501": lzma.FILTER_ARM,
    "07": lzma.FILTER_ARM,
    "03030701": lzma.FILTER_ARMTHUMB,
    "08": lzma.FILTER_ARMTHUMB,
    "03030805": lzma.FILTER_SPARC,
    "09": lzma.FILTER_SPARC,
}
_UNSUPPORTED = {"030401": "ppmd", "0303011b": "BCJ2", "0a": "an ARM64 filter", "0b": "a RISC-V filter"}
_AES = "06f10701"

Pieces = Iterator[bytes]


class SevenZip(Archive):
    kind = "7z"

    def __init__(self, file: ShardsReader, limits: Limits = DEFAULT_LIMITS) -> None:
        self._file, self._folder = file, -1
        self._forward: Forward | None = None
        with damage("the 7z"):
            self._streams, members = self._read_header(limits)
        self.members = tuple(members)
        check_members(self.members, file.size, limits)

    def _read_header(self, limits: Limits) -> tuple[Streams, list[Member]]:
        raw = self._file.pread(_START.size, 0)
        if len(raw) < _START.size:
            raise DamagedArchive("the 7z is cut short")
        _, _, crc, offset, size, header_crc = _START.unpack(raw)
        if crc32(raw[12:], 0) != crc:
            raise DamagedArchive("the first bytes of the 7z are damaged")
        if not size:
            return Streams(), []
        end = _START.size + offset
        if end + size > self._file.size:
            raise DamagedArchive("the 7z is cut short: its header lies outside of it")
        if size > _MOST_HEADER:
            raise UnsafeArchive(f"the header of the 7z claims {size:,} bytes")
        data = self._file.pread(size, end)
        if crc32(data, 0) != header_crc:
            raise DamagedArchive("the header of the 7z is damaged: its CRC differs")
        header = Reader(data)
        kind = header.byte()
        for _ in range(4):
            if kind == _ENCODED:
                header = Reader(self._unpacked_header(read_streams(header, _START.size, end)))
                kind = header.byte()
        if kind != _HEADER:
            raise ValueError("it has no header")
        streams, members = Streams(), []
        while kind := header.byte():
            if kind == _ARCHIVE:
                while header.number():
                    header.bytes(header.number())
            elif kind == _STREAMS:
                streams = read_streams(header, _START.size, end)
            elif kind == _FILES:
                members = read_files(header, streams, limits)
            else:
                raise UnsafeArchive("the 7z keeps parts of its header elsewhere, which is not supported")
        for folder in streams.folders:
            _stages(folder)  # what cannot be unpacked is refused before anything is written
        return streams, members

    def _unpacked_header(self, streams: Streams) -> bytes:
        (folder,) = streams.folders
        if folder.size > _MOST_HEADER:
            raise UnsafeArchive(f"the header of the 7z claims {folder.size:,} bytes")
        data = b"".join(_unpacked(self._file, folder))
        if folder.crc is not None and crc32(data, 0) != folder.crc:
            raise DamagedArchive("the header of the 7z is damaged: its CRC differs")
        return data

    def read(self, member: Member) -> Iterator[Chunk]:
        """As Archive.read; one thread at a time."""
        if not member.size:
            return
        if member.method != self._folder or self._forward is None:
            self._leave()
            folder = self._streams.folders[member.method]
            self._forward = Forward(partial(_unpacked, self._file, folder), "the 7z")
            self._folder = member.method
        at, left, crc = member.offset, member.size, 0
        while left:
            data = self._forward.pread(min(CHUNK, left), at)
            if not data:
                raise DamagedArchive(f"the 7z ends inside {member.name!r}")
            crc = crc32(data, crc)
            at += len(data)
            left -= len(data)
            if not left and member.flags and crc != member.crc:
                raise DamagedArchive(f"{member.name!r} is damaged: its CRC differs")
            yield data

    def _leave(self) -> None:
        if self._forward is not None:
            self._forward.close()
            self._forward = None

    def close(self) -> None:
        self._leave()
        self._file.close()


# --- Coders -------------------------------------------------------------------------------------------------


def _unpacked(file: ShardsReader, folder: Folder) -> Pieces:
    """The bytes that the folder holds. DamagedArchive, EOFError and what decompressors raise."""
    pieces = _raw(file, folder.start, folder.packed)
    for stage in _stages(folder):
        pieces = stage(pieces)
    return pieces


def _raw(file: ShardsReader, start: int, length: int) -> Pieces:
    while length > 0:
        data = file.pread(min(CHUNK >> 2, length), start)
        if not data:
            raise EOFError("it ends early")
        yield data
        start += len(data)
        length -= len(data)


def _stages(folder: Folder) -> list[Callable[[Pieces], Pieces]]:
    """What the coders do, in their order. UnsafeArchive for one that is not known, or when all of them together need
    too much memory.
    """
    needed = sum(map(_memory, folder.coders))
    if needed > MEMORY:
        raise UnsafeArchive(
            f"the 7z needs {needed:,} bytes of memory to be unpacked; at most {MEMORY:,} are allowed"
        )
    return [partial(_exactly, coder.size, _coder(coder)) for coder in folder.coders]


def _exactly(size: int, stage: Callable[[Pieces], Pieces], packed: Pieces) -> Pieces:
    """What a stage makes, up to the size that it announces; EOFError when it makes less."""
    for piece in stage(packed):
        yield piece[:size]
        size -= min(size, len(piece))
        if not size:
            return
    if size:
        raise EOFError("it ends early")


def _coder(coder: Coder) -> Callable[[Pieces], Pieces]:
    name, properties = coder.id.hex(), coder.properties
    match name:
        case "00":
            return iter
        case "030101":
            return partial(_decompress, partial(_raw_lzma, _lzma1(coder)))
        case "21":
            return partial(_decompress, partial(_raw_lzma, _lzma2(coder)))
        case "03" if len(properties) == 1:
            return partial(_filter, {"id": lzma.FILTER_DELTA, "dist": properties[0] + 1})
        case "040108":
            return partial(unpack, DEFLATED)
        case "040109":
            return partial(unpack, DEFLATE64)
        case "040202":
            return partial(_decompress, bunzip2)
        case "04f71101":
            return partial(_decompress, unzstd)
        case _ if name in _BCJ:
            return partial(_filter, {"id": _BCJ[name]})
        case _ if name == _AES:
            raise UnsafeArchive("the 7z is encrypted", hint="unpack it yourself with its password")
    raise UnsafeArchive(
        f"the 7z is packed with {_UNSUPPORTED.get(name, f'method {name}')}, which is not supported"
    )


def _raw_lzma(*filters: Mapping[str, int]) -> Decompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)


def _lzma1(coder: Coder) -> Mapping[str, int]:
    lc_lp_pb = coder.properties[0]
    return {
        "id": lzma.FILTER_LZMA1,
        "lc": lc_lp_pb % 9,
        "lp": lc_lp_pb // 9 % 5,
        "pb": lc_lp_pb // 45,
        "dict_size": _memory(coder),
    }


def _lzma2(coder: Coder) -> Mapping[str, int]:
    return {"id": lzma.FILTER_LZMA2, "dict_size": _memory(coder)}


def _memory(coder: Coder) -> int:
    """Bytes that a coder looks back at: never more than there are, as far as it is told how many; 0 for few."""
    dictionary: int
    match coder.id.hex():
        case "030101":
            _, dictionary = struct.unpack("<BI", coder.properties)
        case "21":
            (bits,) = coder.properties
            if bits > 40:
                raise ValueError("its dictionary is larger than any")
            dictionary = (2 | bits & 1) << (bits // 2 + 11)
        case "04f71101":
            return _WINDOW
        case _:
            return 0
    return max(4096, min(dictionary, coder.size, (1 << 32) - 1))


def _decompress(new: Callable[[], Decompressor], packed: Pieces) -> Pieces:
    """Streams that follow each other. Whether all is there the size must say: LZMA needs no end mark."""
    stream = new()
    for piece in packed:
        while piece or not (stream.eof or stream.needs_input):
            if stream.eof:
                stream = new()
            data = stream.decompress(piece, CHUNK)
            if data:
                yield data
            piece = stream.unused_data if stream.eof else b""


def _filter(options: Mapping[str, int], packed: Pieces) -> Pieces:
    """Undo a filter that keeps sizes. The lzma module has them only before LZMA2, so the bytes are put in chunks
    of it that are not compressed.
    """
    stream = _raw_lzma(options, {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16})
    control = 1  # the first forgets what was before
    for piece in packed:
        for start in range(0, len(piece), _STORED):
            chunk = piece[start : start + _STORED]
            yield stream.decompress(struct.pack(">BH", control, len(chunk) - 1) + chunk)
            control = 2
    yield stream.decompress(b"\0")
