"""Health: is the process alive, and can it work."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from streamq import Unavailable

from ..answers import json
from ..keys import ENGINE

READY_TIMEOUT: Final = 2.0


async def live(_request: web.Request) -> web.Response:
    """GET /health: this process answers. Asks nobody else."""
    return json({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """GET /ready: the server answers within 2 s; 503 otherwise."""
    try:
        async with asyncio.timeout(READY_TIMEOUT):
            seconds = await request.app[ENGINE].ping()
    except TimeoutError:
        raise Unavailable(f"the server did not answer within {READY_TIMEOUT:g} s") from None
    return json({"status": "ok", "server_ms": round(seconds * 1000, 2)})
