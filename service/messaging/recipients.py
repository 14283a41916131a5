"""Recipients in the form in which messages have them, however people, providers and contacts write them."""

from __future__ import annotations

import re
from typing import Final

from .addresses import normal_address
from .numbers import Number

_AROUND: Final = re.compile(r"^(tel|sms|mailto):", re.IGNORECASE)


def recipient(channel: str, given: str, number: Number) -> str | None:
    """The number as E.164 has it, or the address of e-mail; None for what is none."""
    text = _AROUND.sub("", given.strip())
    if channel != "email":
        plain = f"+{text[2:]}" if text.startswith("00") else text
        return number(plain) or number(f"+{plain}")
    try:
        return normal_address(text)
    except ValueError:
        return None
