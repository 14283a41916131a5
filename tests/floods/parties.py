"""All that a message meets: provider, mail server, model, callback, database, and the roles as processes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from streamq_service.http.serve import address, bind, serving
from streamq_service.intake.database import Database
from streamq_service.intake.schema import apply
from streamq_service.sandbox.provider import build_sandbox
from streamq_service.sandbox.reporting import Reporting

from bench.process import free_port

from ..postgres import Postgres, found_programs
from ..processes import Fleet
from ..service.mailbox import Mailbox, mail_server

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
REFUSED = "refused@example.com"
GONE = "/gone"


@dataclass
class Peer:
    """A model, and addresses to call back: one takes everything, and at the other one nobody is any more."""

    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    called: Counter[str] = field(default_factory=Counter)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        text = body["messages"][-1]["content"]
        self.asked[text] += 1
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in ("re: ", text):
            event = {"choices": [{"delta": {"content": piece}}]}
            await response.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response

    async def hook(self, request: web.Request) -> web.Response:
        if request.path == GONE:
            return web.Response(status=410)
        self.called[(await request.json())["response_text"].removeprefix("re: ")] += 1
        return web.Response()


@dataclass
class Parties:
    """Those of one drill."""

    api: str
    sandbox: str
    mailbox: Mailbox
    peer: Peer
    database: Postgres
    fleet: Fleet
    http: aiohttp.ClientSession
    roles: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, role: str) -> None:
        """Start a role, or start it again."""
        port = self.api.rpartition(":")[2]
        words = {
            "api": ("api", "--port", port), "scheduler": ("scheduler",),
            "worker": ("worker", "streamq_service.messaging:app"),
            "second worker": ("worker", "streamq_service.messaging:app"),
        }[role]  # fmt: skip
        self.roles[role] = self.fleet.run("streamq", *words)

    async def kill(self, role: str) -> None:
        """Kill a role, or the database, and start it again a moment later."""
        if role == "database":
            self.database.kill()
            await asyncio.sleep(0.3)
            await asyncio.to_thread(self.database.start)
            return
        self.roles[role].kill()
        await asyncio.to_thread(self.roles[role].wait)
        await asyncio.sleep(0.2)
        self.start(role)

    async def asked(self, path: str) -> Any:
        """What the API says, once it answers."""
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with self.http.get(self.api + path) as answer:
                    return await answer.json()
            await asyncio.sleep(0.1)


@asynccontextmanager
async def parties(url: str, prefix: str, folder: Path) -> AsyncIterator[Parties]:
    """All of them, started."""
    peer, reporting = Peer(), Reporting(SECRET)
    chat, api_port = web.Application(), free_port()
    chat.router.add_post("/v1/chat/completions", peer.chat)
    chat.router.add_post("/{path:.*}", peer.hook)
    sandbox = build_sandbox(keep=1 << 30, reporting=reporting)
    with bind("127.0.0.1", 0) as of_sandbox, bind("127.0.0.1", 0) as of_peer:
        async with (
            serving(sandbox, of_sandbox, quiet=True), serving(chat, of_peer, quiet=True), mail_server() as mailbox,
            aiohttp.ClientSession() as http,
        ):  # fmt: skip
            mailbox.refused[REFUSED] = "550 nobody of that name"
            peer.url = address(of_peer)
            with Postgres(found_programs()) as database:
                async with Database(lambda: database.url) as tables:
                    await apply(tables)
                fleet = Fleet(url, folder, {
                    "prefix": prefix, "sms_api_url": address(of_sandbox), "sms_report_secret": SECRET,
                    "sms_unknown": "ask", "sms_backoff": 0.2, "smtp_url": mailbox.url, "email_from": "shop@example.com",
                    "email_backoff": 0.2, "ai_api_url": f"{peer.url}/v1", "callback_private": "true",
                    "callback_backoff": 0.2, "intake_url": database.url, "intake_poll": 1, "keep_failed": 1_000_000,
                    "keep_completed": 1_000_000, "crash_limit": 50,
                })  # fmt: skip
                api = f"http://127.0.0.1:{api_port}"
                reporting.url = f"{api}/api/v1/webhooks/sms"
                made = Parties(api, address(of_sandbox), mailbox, peer, database, fleet, http)
                try:
                    for role in ("api", "scheduler", "worker", "second worker"):
                        made.start(role)
                    yield made
                finally:
                    fleet.close()
