"""Untrusted text made safe to read: no character of it can move a cursor, forge a line or reverse the text.

Whatever comes from jobs, paths, providers, servers and users' code passes here before it reaches a terminal or a log.
"""

from __future__ import annotations

import re
from typing import Final

_UNSEEN: Final = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # control characters: ESC, carriage return and the eight-bit ones among them
    "\xad\u061c\u180e\u200b\u200e\u200f\u2060-\u206f\ufeff\ufff9-\ufffb"  # marks that show nothing
    "\u2028-\u202e"  # separators of lines, and the overrides of the direction of writing
    "\ud800-\udfff"  # lone surrogates, which cannot be encoded
    "\U000e0000-\U000e007f"  # tags: invisible text
    "]"
)
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def shown(text: str, most: int | None = None) -> str:
    """The text on one line, its unseen characters as escapes such as ``\\x1b`` and ``\\u202e``.

    ``most`` characters of it at most; an ellipsis marks a cut.
    """
    if most is not None and len(text) > most:
        text = text[: max(0, most - 3)] + "..."
    return text if text.isascii() and text.isprintable() else _UNSEEN.sub(_escape, text)


def as_given(value: object) -> str:
    """A caller's value as an error shows it: on one line, short, and safe from errors in its ``repr``."""
    if isinstance(value, int) and value.bit_length() > 1_000:  # Python refuses to write its digits
        return "<a whole number of more than 300 digits>"
    try:
        return shown(repr(value[:100] if isinstance(value, str | bytes) else value), 80)
    except Exception:  # code of the caller's program
        return f"<{type(value).__name__}>"


def shown_lines(text: str, indent: str = "") -> str:
    """The same for a text of several lines, such as a traceback; each line after the first begins with ``indent``."""
    if text.isascii() and text.isprintable():  # as most are: one line, without a tab
        return text
    return f"\n{indent}".join(shown(line.expandtabs()) for line in text.split("\n"))


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shown_json(document: str) -> str:
    """A JSON document that says the same, and in which these characters stand as JSON's own escapes."""
    return document if document.isascii() and document.isprintable() else _UNSEEN.sub(json_escape, document)


def json_escape(found: re.Match[str]) -> str:
    """What was found, as JSON's escapes."""
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
