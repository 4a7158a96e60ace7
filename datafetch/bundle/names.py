"""Where a bundle keeps what an address names; pure.

A mirror is asked for MIRROR/host/path?query. The file of that target stands below `mirror/` under just that name
where every file system takes it (also that of a USB stick), else below `mirror/~/` under the SHA-256 of the target.
Whoever looks for a target tries both: no index is needed, and nothing that a client writes becomes a path by itself.
"""

from __future__ import annotations

import hashlib
import re

from datafetch.transfer.addresses import clean_url, mirrored

MIRROR, RECIPES, BROUGHT = "mirror", "recipes", "brought"  # the folders of a bundle
DOCUMENT, SUMS, MISSING = "bundle.json", "SHA256SUMS", "MISSING"  # its files
HASHED = "~"  # no host is called so

_BASE = "http://mirror"
_SEGMENT = re.compile(
    r"[A-Za-z0-9_%+=,@()$&'!-](?:[A-Za-z0-9._~%+=,@()$&'!-]{0,198}[A-Za-z0-9_~%+=,@()$&'!-])?"
)
_DEVICE = re.compile(r"(?i)(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?")  # no file names under Windows
_LONGEST, _DEEPEST = 900, 40  # characters and folders


def target_of(url: str) -> str:
    """What a mirror is asked for in place of a http or https address, as it comes over the wire, without the first
    slash. Raises TransferFailed for what is no address.
    """
    return clean_url(mirrored(url, _BASE)).removeprefix(f"{_BASE}/")


def target_asked(path: str) -> str | None:
    """The target of a request line; None for one that names none. As `target_of` writes it."""
    if not path.startswith("/") or len(path) > 16_384:
        return None
    try:
        return clean_url(f"{_BASE}{path}").removeprefix(f"{_BASE}/")
    except Exception:  # whatever a client makes up
        return None


def names_of(target: str) -> tuple[str, ...]:
    """The paths in a bundle at which the file of a target may stand, in the order to look."""
    digest = hashlib.sha256(target.encode()).hexdigest()
    hashed = f"{MIRROR}/{HASHED}/{digest[:2]}/{digest}"
    return (f"{MIRROR}/{target}", hashed) if _is_plain(target) else (hashed,)


def _is_plain(target: str) -> bool:
    segments = target.split("/")
    if len(target) > _LONGEST or not 2 <= len(segments) <= _DEEPEST:
        return False
    return all(_SEGMENT.fullmatch(one) and not _DEVICE.fullmatch(one) for one in segments)
