"""A server of Supabase Realtime for tests: the protocol of its public description, over changes that a test tells.

Like the real one it tells nothing of what happened before a channel was joined, asks for a key, ends a channel whose
client sends no heartbeat, and filters changes as the channel said.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import WSMsgType, web
from streamq_service.http.serve import address, bind


class RealtimeServer:
    """A server, and what was sent to it."""

    def __init__(self, key: str) -> None:
        self.key, self.url = key, ""
        self.joined: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        self.heartbeats = 0
        self.answers_heartbeats = True
        self.refuses: str | None = None
        """What it says to whoever joins."""
        self._sockets: dict[web.WebSocketResponse, tuple[str, list[dict[str, Any]]]] = {}

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("apikey") != self.key:
            return web.Response(status=401)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._heard(socket, message.json())
        finally:
            self._sockets.pop(socket, None)
        return socket

    async def _heard(self, socket: web.WebSocketResponse, said: dict[str, Any]) -> None:
        match said["topic"], said["event"]:
            case "phoenix", "heartbeat":
                self.heartbeats += 1
                if self.answers_heartbeats:
                    await _reply(socket, said, "ok", {})
            case topic, "phx_join":
                await self._join(socket, topic, said)
            case _, "access_token":
                self.tokens.append(said["payload"]["access_token"])

    async def _join(self, socket: web.WebSocketResponse, topic: str, said: dict[str, Any]) -> None:
        if self.refuses is not None:
            await _reply(socket, said, "error", {"reason": self.refuses})
            return
        self.joined.append(said["payload"])
        wanted = said["payload"]["config"]["postgres_changes"]
        ids = [{"id": number, **change} for number, change in enumerate(wanted)]
        await _reply(socket, said, "ok", {"postgres_changes": ids})
        self._sockets[socket] = (topic, wanted)
        await _tell(
            socket, topic, "system",
            {
                "channel": topic.removeprefix("realtime:"), "extension": "postgres_changes", "status": "ok",
                "message": "Subscribed to PostgreSQL",
            },
        )  # fmt: skip

    async def change(self, kind: str, table: str, record: dict[str, Any]) -> int:
        """A change of a table is told to those who want it; to how many."""
        told = 0
        for socket, (topic, wanted) in [*self._sockets.items()]:
            ids = [number for number, each in enumerate(wanted) if _fits(each, kind, table, record)]
            if ids:
                data = {
                    "schema": "public", "table": table, "type": kind, "commit_timestamp": "2026-11-28T00:00:00Z",
                    "columns": [], "record": record, "errors": None,
                }  # fmt: skip
                await _tell(socket, topic, "postgres_changes", {"ids": ids, "data": data})
                told += 1
        return told

    async def say(self, text: str) -> None:
        """Anything at all, to all."""
        for socket in [*self._sockets]:
            await socket.send_str(text)

    async def end_channels(self) -> None:
        """As when the server's own connection to the database is lost."""
        for socket, (topic, _) in [*self._sockets.items()]:
            await _tell(socket, topic, "phx_error", {})

    async def hang_up(self) -> None:
        """End all connections."""
        for socket in [*self._sockets]:
            await socket.close()


def _fits(wanted: dict[str, Any], kind: str, table: str, record: dict[str, Any]) -> bool:
    column, _, value = wanted["filter"].partition("=eq.")
    return (wanted["event"], wanted["table"], record.get(column)) == (kind, table, value)


async def _reply(
    socket: web.WebSocketResponse, said: dict[str, Any], status: str, response: dict[str, Any]
) -> None:
    await _tell(socket, said["topic"], "phx_reply", {"status": status, "response": response}, said["ref"])


async def _tell(
    socket: web.WebSocketResponse, topic: str, event: str, payload: dict[str, Any], ref: str | None = None
) -> None:
    with contextlib.suppress(ConnectionError):
        await socket.send_json({"topic": topic, "event": event, "payload": payload, "ref": ref})


@contextlib.asynccontextmanager
async def realtime(key: str = "key-1") -> AsyncIterator[RealtimeServer]:
    """A running server; ``url`` is that of its project."""
    server = RealtimeServer(key)
    application = web.Application()
    application.router.add_get("/realtime/v1/websocket", server.serve)
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    with bind("127.0.0.1", 0) as listener:
        site = web.SockSite(runner, listener)
        await site.start()
        server.url = address(listener)
        yield server
        await server.hang_up()
        await runner.cleanup()
        await asyncio.sleep(0)  # the transports close in the next round of the loop
