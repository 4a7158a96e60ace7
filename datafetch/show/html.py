"""Elements of a page. Text becomes markup only here, and only escaped: names and addresses are hostile input."""

from __future__ import annotations

import html
import re

# What would turn the direction of the line, or is no character at all: shown as a replacement character.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_NO_END = frozenset(("img", "meta"))


class Html(str):
    """Markup that is safe to put into a page."""

    __slots__ = ()


def text(value: str) -> Html:
    """Any text as markup that shows it, in an element as well as in a quoted attribute."""
    return Html(html.escape(UNSEEN.sub("\ufffd", value)))


def tag(name: str, /, *children: str, **attributes: str) -> Html:
    """An element. Children that are no Html are escaped, and so is each attribute; `_` in its name stands for `-`.

    `class_` is the attribute class. An attribute must not be an address that input decides: only `href` made by
    `link` is.
    """
    said = "".join(
        f' {key.strip("_").replace("_", "-")}="{text(value)}"' for key, value in attributes.items()
    )
    if name in _NO_END:
        return Html(f"<{name}{said}>")
    return Html(f"<{name}{said}>{joined(*children)}</{name}>")


def joined(*children: str) -> Html:
    return Html("".join(child if isinstance(child, Html) else text(child) for child in children))


def link(url: str, label: str) -> Html:
    """A link for http and https addresses; for any other only its label."""
    if not re.match(r"https?://", url):
        return text(label)
    return tag("a", label, href=url, rel="noreferrer noopener")
