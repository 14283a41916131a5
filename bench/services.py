"""The programs `streamq up` and `streamq api`, as people start them."""

from __future__ import annotations

from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from .process import ROOT, Gone, answers, free_port, program, streamq
from .server import PREFIX

APP: Final = f"{__package__}.served:app"
"""The tasks of the bench."""


@asynccontextmanager
async def up(folder: Path, *app: str) -> AsyncIterator[tuple[Process, str]]:
    """All roles of ``app`` in one process, on a server of its own, and where it listens. Raises ``Gone``."""
    port = free_port()
    arguments = streamq("up", *app, "--port", str(port), "--data-dir", str(folder / "data"))
    async with program(*arguments, cwd=ROOT, log=folder / "up.log") as process:
        yield process, await _ready(process, port)


@asynccontextmanager
async def api(folder: Path, redis_url: str) -> AsyncIterator[tuple[Process, str]]:
    """The API alone, for the tasks of the bench, and where it listens. Raises ``Gone``.

    It writes no access log: that would be measured too.
    """
    port = free_port()
    environment = {"STREAMQ_REDIS_URL": redis_url, "STREAMQ_PREFIX": PREFIX, "STREAMQ_LOG_LEVEL": "warning"}
    arguments = streamq("api", APP, "--port", str(port))
    async with program(*arguments, cwd=ROOT, log=folder / "api.log", **environment) as process:
        yield process, await _ready(process, port)


async def _ready(process: Process, port: int) -> str:
    url = f"http://127.0.0.1:{port}"
    if not await answers(f"{url}/ready", process):
        raise Gone(f"{url}/ready does not answer")
    return url
