"""Confirmations: who has counted what an operation would change sets it off by the token of that count.

A token is for one request, is taken once, and is forgotten after ten minutes. All API processes know it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

from streamq import App, Records

from ..http.fields import Invalid, field_error

RECORDS: Final = "confirmations"
LIFETIME: Final = 600.0
"""Seconds that a token is good for: what was counted longer ago is to be counted again."""
MOST: Final = 100_000
"""Tokens at a time."""


def _records(engine: App) -> Records:
    return engine.records(RECORDS, limit=MOST)


async def confirmation(engine: App, asked: Mapping[str, Any]) -> str:
    """The token by which just this may be asked for."""
    token = secrets.token_urlsafe(18)
    await _records(engine).put(token, dict(asked), lifetime=LIFETIME)
    return token


async def take(engine: App, token: str, asked: Mapping[str, Any]) -> None:
    """Raise ``Invalid`` unless the token is of a count of just this, and was not taken yet."""
    records = _records(engine)
    found = await records.get(token)
    if found is None or found.value != dict(asked) or not await records.delete(token):
        hint = "count again: send the same with dry_run, and its token within ten minutes"
        raise Invalid(
            [field_error("/confirm", "not-confirmed", "is no token of a count of these jobs", hint)]
        )
