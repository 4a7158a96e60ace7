"""What there is to tell of derived documents, as the state folder keeps it."""

from __future__ import annotations

import msgspec

from datafetch.store.home import Home


class Told(msgspec.Struct):
    of: str  # a digest of what it was made of
    absolute: bool
    summary: dict[str, object]


def told(home: Home, name: str) -> Told | None:
    """What there is to tell of a derived artifact; None when it was never made."""
    try:
        return msgspec.json.decode(home.derived(name).read_bytes(), type=Told)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
