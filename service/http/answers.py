"""An answer in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from aiohttp import web

from ..json_text import told
from .marks import JSON, marked

_NONE: Final[Mapping[str, str]] = {}


class Answer(NamedTuple):
    """What a handler returns that says more than a value: its status and headers of its own."""

    value: Any
    status: int
    headers: Mapping[str, str] = {}


def json(
    request: web.BaseRequest, value: Any, status: int = 200, headers: Mapping[str, str] = _NONE
) -> web.Response:
    """A value as JSON. What no JSON can hold is told as text, so that one such record does not hide the others."""
    return web.Response(status=status, body=told(value), headers=marked(request, headers, JSON))
