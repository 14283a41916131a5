"""The headers of every answer, whoever makes it: a handler, a problem, or the parser of requests."""

from __future__ import annotations

from typing import Final

MARKS: Final = {
    "Server": "streamq",  # and no version
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

NOT_KEPT: Final = {"Cache-Control": "no-store"}
"""What an answer has besides that does not say how long it may be kept."""
