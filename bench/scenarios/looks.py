"""What looking costs with ten million jobs: pages and searches of the API, and a thousand browsers that watch."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from streamq import App

from ..figures import Figure, Measured, alone
from ..process import SERVED, resident, serving
from ..rig import Rig
from ..server import PREFIX
from ..tasks import QUEUE, message

QUEUES: Final = 500
GROUPS: Final = 1_000
GROUPED: Final = "grouped"
PART: Final = 50_000
"""Jobs that are enqueued in a call."""
VIEWERS: Final = 1_000
WATCHED: Final = 5.0
"""Seconds for which they are served."""
STALLED: Final = 100
"""Viewers that read nothing."""
_JOBS: Final = f"/api/v1/queues/{QUEUE}/jobs"
LOOKS: Final = {
    "queues": "/api/v1/queues",
    "statistics of all": "/api/v1/stats?by=queue",
    "one queue": f"/api/v1/queues/{QUEUE}",
    "first jobs": f"{_JOBS}?state=waiting",
    "search that finds nothing": f"{_JOBS}?q=payload.contact:nobody",
    "search for a key": f"{_JOBS}?q=key:nobody",
    "groups": f"/api/v1/queues/{GROUPED}/groups?limit=200",
    "jobs of a group": f"/api/v1/queues/{GROUPED}/jobs?group=g7",
    "job by its id": "/api/v1/jobs/1-1",
    "metrics": "/metrics",
}
"""What is asked for, by what it is called."""


async def measure(rig: Rig) -> Measured:
    """The time of an answer, and of the server's time what it took; then what watching costs."""
    jobs = rig.of(10_000_000, 100_000)
    quiet = {
        "STREAMQ_REDIS_URL": rig.server.url, "STREAMQ_PREFIX": PREFIX, "STREAMQ_LOG_LEVEL": "warning",
        "STREAMQ_MAX_WATCHERS": str(4 * VIEWERS),
    }  # fmt: skip
    async with rig.app() as app:
        rig.say(f"{jobs:,} waiting jobs, {QUEUES} queues, {GROUPS:,} groups")
        await _fill(app, jobs)
        async with serving("api", SERVED, **quiet) as (process, url), _session() as session:
            found = [
                figure
                for name, path in LOOKS.items()
                for figure in await _look(rig, session, name, url + path)
            ]
            stalled = await _stall(rig, app, process.pid, url)  # before what the others leave behind is free
            watched = await _watch(rig, session, process.pid, url)
    await rig.server.clear()
    return [*found, stalled, *watched]


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
    )


async def _fill(app: App, jobs: int) -> None:
    task, one = app.tasks["book"], message(1)
    for _ in range(jobs // PART):
        await task.enqueue_many([one] * PART)
    payload = one.model_dump()
    await asyncio.gather(*(app.enqueue(f"queue-{number}", "t", payload) for number in range(QUEUES)))
    for _ in range(2):
        grouped = (app.enqueue(GROUPED, "t", payload, group=f"g{number}") for number in range(GROUPS))
        await asyncio.gather(*grouped)


async def _look(rig: Rig, session: aiohttp.ClientSession, name: str, url: str) -> list[Figure]:
    """The first look is not counted: it opens connections."""
    times, used = list[float](), list[float]()
    for _ in range(1 + rig.rounds()):
        await asyncio.sleep(1.1)  # an answer may be told again for a second
        before, start = await rig.server.cpu(), time.perf_counter()
        async with session.get(url) as response:
            await response.read()
        times.append((time.perf_counter() - start) * 1e3)
        used.append((await rig.server.cpu() - before) * 1e3)
    rig.say(f"{name}: {times[-1]:.1f} ms, of the server {used[-1]:.1f} ms")
    return [
        alone(f"GET {name}", "ms", times[1:]),
        alone(f"GET {name}, of the server", "ms", used[1:]),
    ]


async def _watch(rig: Rig, session: aiohttp.ClientSession, pid: int, url: str) -> list[Figure]:
    before, memory = await rig.server.connections(), await resident(pid)
    async with AsyncExitStack() as stack:
        for _ in range(VIEWERS):
            await stack.enter_async_context(_viewer(session, f"{url}/api/v1/events"))
        commands = await rig.server.commands()
        await asyncio.sleep(WATCHED)
        rate = (await rig.server.commands() - commands) / WATCHED
        connections = await rig.server.connections() - before
        more = await resident(pid) - memory
    rig.say(f"{VIEWERS:,} viewers: {connections} connections, {rate:.0f} commands/s")
    return [
        Figure(f"connections more for {VIEWERS:,} viewers", "", connections),
        Figure(f"commands for {VIEWERS:,} viewers", "1/s", rate),
        Figure(f"memory of {VIEWERS:,} viewers", "MB", more / 1e6),
    ]


@asynccontextmanager
async def _viewer(session: aiohttp.ClientSession, url: str) -> AsyncIterator[None]:
    """One who reads all that comes."""
    async with session.get(url) as response:
        reading = asyncio.create_task(_read(response))
        try:
            yield
        finally:
            reading.cancel()
            await asyncio.wait({reading})


async def _read(response: aiohttp.ClientResponse) -> None:
    async for _ in response.content.iter_any():
        pass


async def _stall(rig: Rig, app: App, pid: int, url: str) -> Figure:
    """Every queue changes all the while, so that each second there are some ten kilobytes to be told."""
    memory = await resident(pid)
    async with AsyncExitStack() as stack:
        for _ in range(STALLED):
            await stack.enter_async_context(_deaf(f"{url}/api/v1/events"))
        end = time.monotonic() + rig.of(4, 1) * WATCHED
        while time.monotonic() < end:
            await asyncio.gather(*(app.enqueue(f"queue-{number}", "t") for number in range(QUEUES)))
            await asyncio.sleep(0.5)
        more = await resident(pid) - memory
    rig.say(f"{STALLED} viewers that read nothing: {more / 1e6:.1f} MB")
    return Figure(f"memory of {STALLED} viewers that read nothing", "MB", more / 1e6)


@asynccontextmanager
async def _deaf(url: str) -> AsyncIterator[None]:
    """One who asks, and reads nothing of what comes; the system keeps little for it."""
    parts, asked = urlsplit(url), socket.socket()
    asked.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    asked.setblocking(False)
    with asked:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(asked, (parts.hostname, parts.port))
        await loop.sock_sendall(asked, f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        yield
