"""The headers of every answer, those of the parser's refusals too: they tell no version and let a browser do little."""

from __future__ import annotations

from typing import Final

MARKS: Final = {
    "Server": "streamq",
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
