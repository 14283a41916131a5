"""A model and an address to call back, in one, and a service that works with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from aiohttp import web
from streamq_service.http.serve import address, bind, serving
from streamq_service.settings import ServiceSettings

from streamq import App, Worker

from .conftest import running

Make = Callable[..., ServiceSettings]
Work = Callable[[App], AbstractAsyncContextManager[Worker]]


class Peer:
    """What came, and how the next is answered."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[dict[str, Any]] = []
        self.called: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        """Statuses of the next callbacks; then 200."""
        self.pieces: list[Any] = ["Your ", "table ", "is free."]
        """What the model streams: text, seconds to wait, or bytes as they are."""
        self.echoes = False
        """Whether it streams what it was told instead, a character at a time."""
        self.ends = True
        self.usage: Any = {"completion_tokens": 7}
        """What it counts at its end."""

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        said = self.asked[-1]["messages"][-1]["content"]
        for piece in said if self.echoes else self.pieces:
            if isinstance(piece, float):
                await asyncio.sleep(piece)
            elif isinstance(piece, bytes):
                await response.write(piece)
            else:
                event = {"choices": [{"delta": {"content": piece}}]}
                await response.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        if self.ends:
            last = {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": self.usage}
            await response.write(b"data: " + json.dumps(last).encode() + b"\n\ndata: [DONE]\n\n")
        return response

    async def back(self, request: web.Request) -> web.Response:
        self.called.append((dict(request.headers), await request.read()))
        status = self.answers.pop(0) if self.answers else 200
        headers = {"Location": f"{self.url}/elsewhere"} if status == 302 else {}
        return web.Response(status=status, headers=headers)


@asynccontextmanager
async def peer_served() -> AsyncIterator[Peer]:
    """One on a free port of this machine."""
    peer, application = Peer(), web.Application()
    application.router.add_post("/v1/chat/completions", peer.chat)
    application.router.add_post("/{path:.*}", peer.back)
    with bind("127.0.0.1", 0) as listener:
        async with serving(application, listener):
            peer.url = address(listener)
            yield peer


@asynccontextmanager
async def answering(settings: Make, peer: Peer, work: Work, **more: Any) -> AsyncIterator[Callable[..., Any]]:
    """A service with a worker; what sends it a message, and returns the job when it has ended."""
    given = {"ai_api_url": f"{peer.url}/v1", "callback_private": True, "callback_backoff": 0.02, **more}
    async with running(settings(**given)) as service, work(service.engine):

        async def send(number: int = 1, path: str = "/hook", **change: Any) -> Any:
            body = {
                "workspace_id": 66338, "contact_id": "+15550100", "message_id": f"m-{number}",
                "message_text": "Is a table free?", "callback_url": peer.url + path, **change,
            }  # fmt: skip
            return (await service.post("/api/ai-response", body, Prefer="wait=10"))[2]

        send.service = service  # type: ignore[attr-defined]
        yield send
