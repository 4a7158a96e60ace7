"""What an answer says of the health of an address; pure.

failure, status                                              health
404, 410, a host without an address                          dead (temporary when no host at all was reached)
401, 402, 403, a login page, a quota, an error document      gated
420, 429, 5xx, no answer, one that cannot be read            temporary
of a list's row: a picture that stands for one that is gone  placeholder
another size or digest than the recipe has                   changed
first bytes that are not those of the kind its name says     changed
another size, ETag or date than at the last look             changed
anything else                                                ok
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from datafetch.errors import TransferFailed
from datafetch.images.placeholders import is_placeholder, leads_to_placeholder
from datafetch.model import Why
from datafetch.probe.words import Finding, Health, Target
from datafetch.schemes import file_name
from datafetch.store.journal import Upstream
from datafetch.transfer.addresses import safe_url
from datafetch.transfer.glance import Glance
from datafetch.transfer.pages import page
from datafetch.transfer.retry import why_of_status
from datafetch.transfer.upstream import differences

ROW = 64 << 10  # bytes of a row that are asked for: placeholders are smaller
SHOWN = 16  # first bytes that are told
_HEALTH = {
    Why.GONE: Health.DEAD,
    Why.DNS: Health.DEAD,
    Why.FORBIDDEN: Health.GATED,
    Why.HTML: Health.GATED,
    Why.QUOTA: Health.GATED,
}
_MAGIC = {
    (".zip",): (b"PK\x03\x04", b"PK\x05\x06"),
    (".gz", ".tgz"): (b"\x1f\x8b",),
    (".bz2", ".tbz2"): (b"BZh",),
    (".xz", ".txz"): (b"\xfd7zXZ\x00",),
    (".zst",): (b"\x28\xb5\x2f\xfd",),
    (".7z",): (b"7z\xbc\xaf\x27\x1c",),
    (".parquet",): (b"PAR1",),
    (".jpg", ".jpeg"): (b"\xff\xd8\xff",),
    (".png",): (b"\x89PNG",),
}


def by_failure(target: Target, asked: str, error: TransferFailed) -> Finding:
    """Of an address that gave no answer, or was refused."""
    health = _HEALTH.get(error.why, Health.TEMPORARY)
    text = f"{error.why}: {error}"
    return Finding(
        target.dataset, target.file, health, safe_url(target.url), safe_url(asked), text, row=target.row
    )


def by_answer(target: Target, asked: str, glance: Glance, now: Upstream, before: Upstream | None) -> Finding:
    """Of an answer; `before` is what the same address said at the last look."""
    found = Finding(
        target.dataset,
        target.file,
        Health.OK,
        safe_url(target.url),
        safe_url(asked),
        status=glance.status,
        size=glance.size,
        etag=now.etag,
        last_modified=now.last_modified,
        kind=glance.headers.get("content-type", "")[:100],
        begins=glance.first[:SHOWN].hex(),
        row=target.row,
    )
    if glance.status == 416 and glance.size == 0:  # nothing can be asked for of an empty file
        glance = replace(glance, status=200, first=b"")
        found = replace(found, begins="")
    if glance.status not in (200, 206):
        health = _HEALTH.get(why_of_status(glance.status), Health.TEMPORARY)
        return replace(found, health=health, text=f"the server answered {glance.status}")
    no_file = page(glance.first, found.kind, target.url, target.archive)
    if no_file is not None:
        return replace(found, health=_HEALTH[no_file[0]], text=no_file[1])
    if target.row and _is_placeholder(target, glance):
        return replace(found, health=Health.PLACEHOLDER, text="a picture that stands for one that is gone")
    wrong = _unlike_the_recipe(target, glance)
    if wrong:
        return replace(found, health=Health.CHANGED, text=wrong)
    differs = differences(before, now) if before is not None else ()
    if differs:
        was = tuple((one.what, one.was) for one in differs)
        text = f"since the last look: {'; '.join(map(str, differs))}"
        return replace(found, health=Health.CHANGED, text=text, was=was)
    return found


def _is_placeholder(target: Target, glance: Glance) -> bool:
    whole = len(glance.first) < ROW
    return leads_to_placeholder(glance.url) or (whole and is_placeholder(glance.first, target.placeholders))


def _unlike_the_recipe(target: Target, glance: Glance) -> str:
    if None not in (target.size, glance.size) and target.size != glance.size:
        return f"the recipe has {target.size:,} bytes, the server {glance.size:,}"
    if glance.size == 0 and target.archive:
        return "it begins with nothing: it is empty"
    promised = glance.promise.differs(target.size, target.checksums)
    if promised:
        return promised
    name = file_name(target.url).lower() if target.begins else ""
    for endings, magic in _MAGIC.items():
        if name.endswith(endings) and not glance.first.startswith(magic):
            begin = glance.first[:SHOWN].hex() or "nothing"
            return f"it begins with {begin}, which is no {name.rpartition('.')[2]}"
    return ""


def without_network(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """The same; where no host gave any answer, the network is what is down, and no address dead for it."""
    asked = [one for one in found if one.asked]
    if not asked or any(one.status is not None or one.health is Health.GATED for one in asked):
        return tuple(found)
    down = [one for one in asked if one.health is Health.DEAD and one.text.startswith(f"{Why.DNS}:")]
    return tuple(replace(one, health=Health.TEMPORARY) if one in down else one for one in found)
