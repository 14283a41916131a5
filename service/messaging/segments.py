"""How many messages a text becomes on the air, and in which alphabet: what a provider charges for.

The alphabet is GSM-7 with its extension table (3GPP TS 23.038) where it has all characters, else UCS-2. A text that is
too long for one message is sent in parts, whose headers (3GPP TS 23.040) take the room of seven or three characters;
neither an escaped character nor a surrogate pair is parted.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")
"""Each takes two: an escape goes before it."""

Encoding = Literal["gsm-7", "ucs-2"]
_ROOM: Final[dict[Encoding, tuple[int, int]]] = {"gsm-7": (160, 153), "ucs-2": (70, 67)}
"""Units that one message has room for, alone and as a part of several."""


class Segments(NamedTuple):
    """What a text takes: ``units`` are septets of GSM-7, or 16-bit units of UCS-2."""

    encoding: Encoding
    units: int
    parts: int


def segments(text: str) -> Segments:
    """How the text is sent."""
    if all(char in _BASIC or char in _EXTENDED for char in text):
        return _packed("gsm-7", [1 + (char in _EXTENDED) for char in text])
    return _packed("ucs-2", [1 + (char > "\uffff") for char in text])


def _packed(encoding: Encoding, sizes: list[int]) -> Segments:
    alone, part = _ROOM[encoding]
    units = sum(sizes)
    if units <= alone:
        return Segments(encoding, units, 1)
    count, used = 1, 0
    for size in sizes:
        if used + size > part:
            count, used = count + 1, 0
        used += size
    return Segments(encoding, units, count)
