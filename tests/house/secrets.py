"""What looks like a secret in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator

_KNOWN = re.compile(
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_\w{22,}"
    r"|\bglpat-[\w-]{20}|\bxox[abprs]-[\w-]{10,}|\bsk_live_\w{16,}|\bSK[0-9a-f]{32}\b|\bpypi-[\w-]{32,}"
    r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"
)
"""Private keys, and tokens whose form tells what they are."""
_NAMED = re.compile(
    r"""(?i)\b\w*(?:secret|token|passw(?:or)?d|api_?key)\w*["']?\s*[:=]\s*["']?([\w+/=-]{20,})"""
)


def secrets_in(text: str) -> Iterator[str]:
    """Each that is found, cut: an error must not show it."""
    for found in _KNOWN.finditer(text):
        yield found[0][:8]
    for found in _NAMED.finditer(text):
        if _is_random(found[1]):
            yield found[1][:8]


def _is_random(value: str) -> bool:
    """Letters and at least three digits, of many kinds, and not the row of digits that examples have."""
    digits = sum(map(str.isdigit, value))
    return 3 <= digits < len(value) and len(set(value)) >= 10 and "01234567" not in value
