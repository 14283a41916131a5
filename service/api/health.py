"""Health: is the process alive, and can it work."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Final

from aiohttp import web

from streamq import App, StreamqError, Unavailable

from ..answers import json
from ..auth import Scope
from ..keys import ACCESS
from ..problems import Problem

READY_TIMEOUT: Final = 2.0
log = logging.getLogger("streamq.api")


class Readiness:
    """Asks the server for everyone who wants to know at the moment: anyone may ask, so it must not cost by callers."""

    def __init__(self, engine: App) -> None:
        self._engine = engine
        self._asking: asyncio.Task[float] | None = None

    async def seconds(self) -> float:
        """How long the server took. Raises ``Unavailable`` after 2 s, and what ``App.ping`` raises."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name="ready")
        return await asyncio.shield(self._asking)

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})

    async def _ask(self) -> float:
        try:
            async with asyncio.timeout(READY_TIMEOUT):
                return await self._engine.ping()
        except TimeoutError:
            raise Unavailable(f"the server did not answer within {READY_TIMEOUT:g} s") from None


READINESS: Final = web.AppKey("readiness", Readiness)


async def live(_request: web.Request) -> web.Response:
    """GET /health: this process answers. Asks nobody else."""
    return json({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """GET /ready: the server answers within 2 s; 503 otherwise. Why not, and how fast, only to who may read."""
    try:
        seconds = await request.app[READINESS].seconds()
    except StreamqError as error:
        if _may_read(request):
            raise
        log.debug("not ready: %s", error)
        again = {"Retry-After": str(math.ceil(getattr(error, "retry_after", 1.0)))}
        raise Problem(503, error.code, "The service is not ready.", headers=again) from None
    return json({"status": "ok", **({"server_ms": round(seconds * 1000, 2)} if _may_read(request) else {})})


def _may_read(request: web.Request) -> bool:
    try:
        request.app[ACCESS](request, Scope.READ)
    except Problem:
        return False
    return True
