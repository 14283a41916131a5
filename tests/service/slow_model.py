"""A model for a load, as a program of its own: ``python -m tests.service.slow_model TOKENS SECONDS_BETWEEN``.

It writes its address, streams as slowly as it is told to, takes callbacks too, and tells at ``/told`` how many it
answered at once.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web
from streamq_service.http.serve import address, bind, serving

from streamq.runtime import run

END = (
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"total_tokens":9}}\n\ndata: [DONE]\n\n'
)


class Model:
    """What it was asked, and how often it was called back."""

    def __init__(self, tokens: int, between: float) -> None:
        self._tokens, self._between = tokens, between
        self.now = self.most = self.asked = self.called = 0

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """One reply; its tokens come at their times, whatever the others do."""
        said = orjson.loads(await request.read())["messages"][-1]["content"]
        self.asked += 1
        self.now += 1
        self.most = max(self.most, self.now)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in range(self._tokens):
            await asyncio.sleep(self._between)
            event = {
                "choices": [{"index": 0, "delta": {"content": f"{said} {number} "}, "finish_reason": None}]
            }
            await response.write(b"data: %b\n\n" % orjson.dumps(event))
        self.now -= 1
        await response.write(END)
        return response

    async def back(self, request: web.Request) -> web.Response:
        """A callback."""
        await request.read()
        self.called += 1
        return web.Response()

    async def told(self, _request: web.Request) -> web.Response:
        """What came."""
        return web.json_response({"most": self.most, "asked": self.asked, "called": self.called})


async def main(tokens: int, between: float) -> None:
    """Serve until standard input is closed."""
    model, application = Model(tokens, between), web.Application()
    routes: dict[str, Callable[[web.Request], Awaitable[Any]]] = {
        "/v1/chat/completions": model.chat,
        "/hook": model.back,
    }
    for path, handler in routes.items():
        application.router.add_post(path, handler)
    application.router.add_get("/told", model.told)
    with bind("127.0.0.1", 0) as listener:
        async with serving(application, listener):
            sys.stdout.write(address(listener) + "\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    run(main(int(sys.argv[1]), float(sys.argv[2])))
