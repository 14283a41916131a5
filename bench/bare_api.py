"""The bare limit of an HTTP API: an aiohttp handler that does one XADD and answers 201."""

from __future__ import annotations

from typing import Any, Final

import orjson
from aiohttp import web
from redis.asyncio import Redis

from .bare import STREAM

PATH: Final = "/jobs"


def application(client: Redis) -> web.Application:
    """The server. ``POST /jobs`` takes a JSON document and answers with the id of its entry."""

    async def create(request: web.Request) -> web.Response:
        payload = orjson.dumps(orjson.loads(await request.read()))
        entry: Any = await client.xadd(STREAM, {"p": payload})
        answer = orjson.dumps({"id": entry.decode()})
        return web.Response(body=answer, status=201, content_type="application/json")

    application = web.Application()
    application.router.add_post(PATH, create)
    return application


async def serve(client: Redis, port: int) -> web.AppRunner:
    """Serve it on a port of the loopback interface, without an access log; ``cleanup`` the answer in the end."""
    runner = web.AppRunner(application(client), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner
