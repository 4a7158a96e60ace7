"""A JSON document walked from its first byte to its last, one value in memory at a time."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import BinaryIO, NoReturn

from datafetch.errors import BadList
from datafetch.images.opened import faults

BUFFER = 1 << 18  # bytes read at a time
LONGEST_VALUE = 1 << 24  # characters of one value taken whole; a record and its caption need less
LONGEST_TOKEN = 16  # characters of what JSON has beside texts and numbers

_BETWEEN = ", \t\n\r"
_BLANK = re.compile(r"[ \t\n\r]*")
# The forms that a list of a million rows is made of, matched at once where the buffer holds them whole.
_KEY = re.compile(r'"([^"\\\x00-\x1f]*+)"[ \t\n\r]*+:')
_TEXTS = re.compile(r'(?:"[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+"[ \t\n\r]*+,[ \t\n\r]*+){1,512}+')


class Walker:
    """A place in a document, which only moves forward. BadList, with the offset, when the text is not JSON.

    Numbers are kept as they are spelled. Memory is a buffer, and the value that is taken.
    """

    def __init__(self, file: BinaryIO, name: str, offset: int = 0) -> None:
        """Begin at a byte of the file: 0, or what `offset` of another walker was."""
        self._file, self._name = file, name
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._text, self._at = "", 0
        self._before = offset  # bytes of the file before `_text`
        self._ended = False
        self._scan = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode
        with faults(name):
            file.seek(offset)
        if not offset:
            self._read()
            if self._text.startswith("\ufeff"):
                self._at = 1

    @property
    def offset(self) -> int:
        """Bytes of the file before this place."""
        return self._before + len(self._text[: self._at].encode())

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            here = self._text[self._at : self._at + 1]
            if here > " ":
                return here
            found = _BLANK.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read():
                return ""

    def value(self) -> object:
        """The whole value that stands here, at most `LONGEST_VALUE` characters of it."""
        if not self.peek():
            self.refuse("it ends where a value was expected")
        while True:
            try:
                found, end = self._scan(self._text, self._at)
            except RecursionError:
                raise BadList(f"{self._name}: nested too deeply at byte {self.offset}") from None
            except ValueError as error:
                # Cut off by the end of the buffer, or wrong: more of the text tells which. The error holds all
                # of the text, and must not outlive this block.
                hopeless, ahead, message = self._told(error)
            else:
                # A number goes on until something else stands behind it.
                if end < len(self._text) or not self._read():
                    self._at = end
                    return found
                continue
            if hopeless or not self._read():
                self._at = min(self._at + ahead, len(self._text))
                self.refuse(message)

    def members(self) -> Iterator[str]:
        """The keys of the map that stands here; whoever takes a key takes or skips its value."""
        for _ in self._inside("{", "}"):
            if plain := _KEY.match(self._text, self._at):
                self._at = plain.end()
                yield plain[1]
                continue
            key = self.value() if self.peek() == '"' else None
            if not isinstance(key, str):
                self.refuse("expected a key in quotes")
            self._take(":")
            yield key

    def elements(self) -> Iterator[None]:
        """Once for each value of the list that stands here, which must be taken or skipped."""
        return self._inside("[", "]")

    def values(self) -> Iterator[object]:
        """Each value of the list that stands here, taken."""
        for _ in self.elements():
            while run := _TEXTS.match(self._text, self._at):
                try:
                    texts = json.loads(f"[{run[0].rstrip(_BETWEEN)}]")
                except ValueError:
                    break  # to be told, with its place, by the one that is wrong
                self._at = run.end()
                yield from texts
            yield self.value()

    def skip(self) -> None:
        """Pass over the value that stands here, of any size."""
        try:
            match self.peek():
                case "{":
                    for _ in self.members():
                        self.skip()
                case "[":
                    for _ in self.elements():
                        self._skip_texts()
                        self.skip()
                case _:
                    self.value()
        except RecursionError:
            raise BadList(f"{self._name}: nested too deeply at byte {self.offset}") from None

    def end(self) -> None:
        """Nothing may follow."""
        if self.peek():
            self.refuse("expected the end of the document")

    def refuse(self, message: str) -> NoReturn:
        """Raise BadList for this place."""
        raise BadList(f"{self._name}: not JSON: {message}, at byte {self.offset}")

    def _inside(self, opens: str, closes: str) -> Iterator[None]:
        self._take(opens)
        if self.peek() == closes:
            self._at += 1
            return
        while True:
            yield
            if self.peek() == closes:
                self._at += 1
                return
            self._take(",")
            self.peek()

    def _told(self, error: ValueError) -> tuple[bool, int, str]:
        """Whether no more text can mend it, how far ahead it stands, and what it says."""
        if not isinstance(error, json.JSONDecodeError):
            return False, 0, str(error)
        cut_off = error.pos + LONGEST_TOKEN >= len(self._text) or error.msg.startswith("Unterminated")
        return not cut_off, error.pos - self._at, error.msg

    def _skip_texts(self) -> None:
        while found := _TEXTS.match(self._text, self._at):
            self._at = found.end()
        self.peek()

    def _take(self, character: str) -> None:
        if self.peek() != character:
            self.refuse(f"expected {character!r}")
        self._at += 1

    def _read(self) -> bool:
        """Put more of the file behind what is not yet taken; False when there is no more."""
        if self._ended:
            return False
        left = self._text[self._at :]
        if len(left) > LONGEST_VALUE:
            self.refuse(f"a value longer than {LONGEST_VALUE} characters, or without its end")
        with faults(self._name):
            raw = self._file.read(max(BUFFER, len(left)))
        try:
            more = self._decode(raw, not raw)
        except UnicodeDecodeError as error:
            raise BadList(f"{self._name}: not JSON: not UTF-8 ({error.reason})") from error
        self._before += len(self._text[: self._at].encode())
        self._text, self._at = left + more, 0
        self._ended = not raw
        return bool(more) or (bool(raw) and self._read())
