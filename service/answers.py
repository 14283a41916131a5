"""Writing an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web
from pydantic_core import to_json


def json(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A value as JSON. A record can always be written: what no JSON holds is a placeholder in it."""
    return web.Response(status=status, body=encoded(value), content_type="application/json", headers=headers)


def encoded(value: Any) -> bytes:
    """A value as JSON text, with whole numbers of any size."""
    try:
        return orjson.dumps(value)
    except TypeError:  # a number above 64 bits in somebody's payload or result
        return to_json(value, inf_nan_mode="null")
