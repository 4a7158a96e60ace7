"""Single values of a recipe, checked and made what they mean: names, addresses, sizes, checksums, counts."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping

from datafetch import schemes
from datafetch.model import Checksum, Status
from datafetch.recipe.issues import Bad, listed, printable, suggest

UNKNOWN = "unknown"
DIGITS = {"md5": 32, "sha1": 40, "sha256": 64}  # hex digits of each algorithm

_RECIPE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_OPTION = re.compile(r"[a-z][a-z0-9-]{0,31}")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://([^/?#]*)([^#]*)(#.*)?)?.*", re.DOTALL)
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,3})?) ?([kMGTP]i?B|B)")
_COUNT = re.compile(r"(>=)?([0-9]{1,15})|([0-9]{1,15})\.\.([0-9]{1,15})")
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%?")

# Options of `get` that every recipe has; a recipe's own must have another name.
RESERVED = frozenset(
    """
    absolute-paths accept-terms all allow-private classes dry-run from help jobs json keep-archives limit-rate
    max-duration max-per-class max-per-host max-transfer min-complete mirror mirror-only names offline only output-dir
    max-length num-test num-val prepro progress quiet registry retry-gone verbose word-count-threshold
    """.split()  # noqa: SIM905 - a list would be thirty lines
)


def recipe_name(text: str) -> str:
    """A recipe's name: it becomes a folder, a command line word and part of other folders. Raises Bad."""
    if not _RECIPE.fullmatch(text):
        raise Bad(f'expected lower-case letters, digits, _ and -, found "{printable(text)}"')
    return text


def artifact_name(text: str) -> str:
    """An artifact's name: `/` groups it, every segment becomes part of a file name. Raises Bad."""
    for segment in text.split("/"):
        if not _SEGMENT.fullmatch(segment):
            expected = "letters, digits, . _ and - in segments parted by /"
            raise Bad(f'expected {expected}, found "{printable(text)}"')
    if len(text) > 200:
        raise Bad(f"expected at most 200 characters, found {len(text)}")
    return text


def folder_name(text: str, recipe: str) -> str:
    """A built folder: the recipe's name or one that begins with it, so recipes never meet. Raises Bad."""
    if text != recipe and not (text.startswith(f"{recipe}_") and _SEGMENT.fullmatch(text)):
        raise Bad(f'expected {recipe}, or a name that begins with {recipe}_, found "{printable(text)}"')
    return text


def option_name(text: str) -> str:
    """An option that a recipe offers. Raises Bad, also for a name that `get` uses itself."""
    if not _OPTION.fullmatch(text):
        raise Bad(f'expected lower-case letters, digits and -, found "{printable(text)}"')
    if text in RESERVED:
        raise Bad(f"--{text} is an option of get itself; choose another name")
    return text


def option_value(text: str) -> str:
    """A value that can be typed behind an option. Raises Bad."""
    if not _SEGMENT.fullmatch(text):
        raise Bad(f'expected letters, digits, . _ and -, found "{printable(text)}"')
    return text


def status(text: str) -> Status:
    """One of the four; empty is live. Raises Bad."""
    try:
        return Status(text or "live")
    except ValueError:
        words = tuple(each.value for each in Status)
        raise Bad(f'expected {listed(words)}, found "{printable(text)}"') from None


def address(text: str) -> str:
    """An address of a file: http, https, or a scheme of a provider. Raises Bad, and never repeats a secret."""
    if schemes.scheme_of(text) not in schemes.SCHEMES:
        return url(text, "http, https, hf, s3 or gdrive")
    if re.match(r"[^/]*//[^/]*[@:]", text):
        raise Bad("an address with a user name or password; secrets come from the environment only")
    _no_unusual(text)
    if "#" in text:
        raise Bad(f'expected an address without #, found "#{text.partition("#")[2]}"')
    try:
        schemes.read(text)
    except ValueError as error:
        raise Bad(f'{error}, found "{printable(text)}"') from None
    return text


def url(text: str, expected: str = "http or https") -> str:
    """An http or https address without credentials or a fragment. Raises Bad, and never repeats a secret."""
    found = _URL.fullmatch(text)
    if not found:
        raise Bad(f'expected an address such as https://host/file.zip, found "{printable(text)}"')
    scheme, authority, _, fragment = found.groups()
    if scheme.lower() not in ("http", "https"):
        raise Bad(f"expected {expected}, found {scheme.lower()}")
    if authority is not None and "@" in authority:
        raise Bad("an address with a user name or password; secrets come from the environment only")
    _no_unusual(text)
    host = _HOST.fullmatch(authority or "")
    if not host or int(host[1] or 1) not in range(1, 65536):
        raise Bad(f'expected a host and perhaps a port after ://, found "{printable(authority or "")}"')
    if fragment:
        raise Bad(f'expected an address without #, found "{fragment}"')
    return text


def _no_unusual(text: str) -> None:
    if not text.isascii() or any(ord(c) <= 32 or ord(c) == 127 or c in '"<>\\^`{|}' for c in text):
        raise Bad(f'expected unusual characters as %XX, found "{printable(text)}"')


def last_part(address: str) -> str:
    """The file name an address ends in, before any query; empty when it ends in a folder."""
    path = re.split(r"[?#]", address.partition("://")[2], maxsplit=1)[0]
    return path.rpartition("/")[2] if "/" in path else ""


def relative_path(text: str) -> str:
    """A path that stays inside the folder it is meant for. Raises Bad."""
    if not text or text.startswith("/") or "\\" in text or re.match(r"[A-Za-z]:", text):
        raise Bad(f'expected a relative path with /, found "{printable(text)}"')
    if any(part in ("", ".", "..") for part in text.split("/")):
        raise Bad(f'expected a path without empty, "." or ".." parts, found "{printable(text)}"')
    return plain(text)


def plain(text: str) -> str:
    """Text of one line without control characters. Raises Bad."""
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text):
        raise Bad(f'expected text without control characters, found "{printable(text)}"')
    return text


def size(value: int | str) -> int | None:
    """Bytes of a file, exact; None for unknown. Raises Bad."""
    if value == UNKNOWN:
        return None
    if isinstance(value, str) or value < 0:
        raise Bad(f'expected a number of bytes or unknown, found "{value}"')
    return value


def needs(value: int | str) -> int | None:
    """Bytes from `12 GB` (a thousand million each) or `12 GiB` (1024³ each); None for unknown. Raises Bad."""
    if not isinstance(value, str) or value == UNKNOWN:
        return size(value)
    found = _SIZE.fullmatch(value)
    if not found:
        raise Bad(f'expected a size such as 12 GB, or unknown, found "{printable(value)}"')
    number, unit = found.groups()
    base = 1024 if "i" in unit else 1000
    power: int = base ** "BkMGTP".index(unit[0])
    return round(float(number) * power)


def percent(value: int | float | str) -> float:
    """A percentage of items, 0 to 100. Raises Bad."""
    found = _PERCENT.fullmatch(str(value))
    if not found or float(found[1]) > 100:
        raise Bad(f'expected a percentage such as 99.5, found "{value}"')
    return float(found[1])


def count(value: int | str) -> str:
    """`300`, `>=71` or `71..201`. Raises Bad."""
    text = str(value)
    found = _COUNT.fullmatch(text)
    if not found or (found[3] and int(found[3]) > int(found[4])):
        raise Bad(f'expected a count such as 300, ">=71" or "71..201", found "{printable(text)}"')
    return text


def digest(algorithm: str, text: str, source: str) -> Checksum:
    """A checksum with its digest in lower case. Raises Bad."""
    if not re.fullmatch(rf"[0-9A-Fa-f]{{{DIGITS[algorithm]}}}", text):
        raise Bad(
            f'expected {DIGITS[algorithm]} hex digits, found {len(text)} characters "{printable(text)}"'
        )
    return Checksum(algorithm, text.lower(), source)


def agree(checksums: Iterable[Checksum]) -> tuple[Checksum, ...]:
    """The checksums, each once. Raises Bad when two of one algorithm differ: one of them is wrong."""
    kept: dict[str, Checksum] = {}
    for checksum in checksums:
        other = kept.setdefault(checksum.algorithm, checksum)
        if other.digest != checksum.digest:
            said = " and ".join(c.source or "the recipe" for c in (other, checksum))
            raise Bad(f"two {checksum.algorithm} that differ, by {said}; leave both out")
    return tuple(kept.values())


def one_of(word: str, words: Mapping[str, object] | tuple[str, ...], noun: str) -> str:
    """The word, when it is one of these. Raises Bad with the nearest."""
    if word not in words:
        raise Bad(f'found "{printable(word)}"; {suggest(word, tuple(words), noun)}')
    return word


def encoding(text: str) -> str:
    """The name of a code page, as Python knows it."""
    try:
        known = codecs.lookup(text)
        "".encode(known.name)
    except (LookupError, UnicodeError):
        raise Bad(f'expected a code page such as cp866, found "{printable(text)}"') from None
    return known.name
