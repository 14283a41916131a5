"""Workers: who is alive, and what they serve."""

from __future__ import annotations

from aiohttp import web

from ..answers import json
from ..keys import ENGINE


async def index(request: web.Request) -> web.Response:
    """GET /api/v1/workers"""
    return json({"data": [worker.asdict() for worker in await request.app[ENGINE].workers()]})
