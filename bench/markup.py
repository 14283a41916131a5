"""HTML and SVG written from Python: what is not markup already is text, and text is escaped."""

from __future__ import annotations

from html import escape
from typing import Final

CONTROLS: Final = {code: "\ufffd" for code in (*range(32), 127) if chr(code) not in "\t\n\r"}
"""Characters that no page may contain."""


class Markup(str):
    """Text that is HTML or SVG. Every other string is escaped by ``element``."""

    __slots__ = ()


def element(name: str, *inner: str, **attributes: str | float) -> Markup:
    """One element. Of the attributes ``class_`` stands for class, and ``aria_label`` for aria-label."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(str(value))}"' for key, value in attributes.items()
    )
    return Markup(f"<{name}{given}>{joined(*inner)}</{name}>")


def joined(*parts: str) -> Markup:
    """The parts one after the other."""
    return Markup("".join(part if isinstance(part, Markup) else text(part) for part in parts))


def text(value: str) -> Markup:
    """Any text, harmless also inside an attribute."""
    return Markup(escape(value.translate(CONTROLS)))
