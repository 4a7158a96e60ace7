"""Which addresses name the same file: the identity of an address, that rows about files carry; pure."""

from __future__ import annotations

import hashlib
import re

# What makes a signed address one of today: signing it anew changes these, never the file that it names. All
# other parameters may name the file, whatever they are called: get?key=train.zip is not get?key=test.zip.
_V4 = re.compile(
    r"(?i)([?&]x-(?:amz|goog)-(?:algorithm|credential|date|expires|security-token|signature|signedheaders)=)[^&]*"
)
_V2 = re.compile(r"(?i)([?&](?:awsaccesskeyid|expires|googleaccessid|key-pair-id|policy|signature)=)[^&]*")
_AZURE = re.compile(r"(?i)([?&](?:se|sig|ske|skt|st)=)[^&]*")
_SIGNED = (
    (re.compile(r"(?i)[?&]x-(?:amz|goog)-signature="), _V4),
    (re.compile(r"(?i)[?&]signature="), _V2),
    (re.compile(r"(?i)[?&]sig="), _AZURE),
)


def identity(url: str) -> str:
    """128 bits of SHA-256 over the full address but for its fragment and what known signatures change in it.

    Unlike the address that is shown, it tells apart two that differ in what may be a secret, and repeats none.
    """
    plain = url.partition("#")[0]
    for marked, fresh in _SIGNED:
        if marked.search(plain):
            plain = fresh.sub(r"\1", plain)
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:32]
