"""Health: is the process alive, and can it work."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Final

from aiohttp import web

from streamq import StreamqError, Unavailable

from ..answers import json
from ..auth import Scope
from ..keys import ACCESS, ENGINE
from ..problems import Problem

READY_TIMEOUT: Final = 2.0
log = logging.getLogger("streamq.api")


async def live(_request: web.Request) -> web.Response:
    """GET /health: this process answers. Asks nobody else."""
    return json({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """GET /ready: the server answers within 2 s; 503 otherwise. Why not, and how fast, only to who may read."""
    try:
        seconds = await _ping(request)
    except StreamqError as error:
        if _may_read(request):
            raise
        log.debug("not ready: %s", error)
        again = {"Retry-After": str(math.ceil(getattr(error, "retry_after", 1.0)))}
        raise Problem(503, error.code, "The service is not ready.", headers=again) from None
    return json({"status": "ok", **({"server_ms": round(seconds * 1000, 2)} if _may_read(request) else {})})


async def _ping(request: web.Request) -> float:
    try:
        async with asyncio.timeout(READY_TIMEOUT):
            return await request.app[ENGINE].ping()
    except TimeoutError:
        raise Unavailable(f"the server did not answer within {READY_TIMEOUT:g} s") from None


def _may_read(request: web.Request) -> bool:
    try:
        request.app[ACCESS](request, Scope.READ)
    except Problem:
        return False
    return True
