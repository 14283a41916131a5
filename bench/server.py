"""The server that is measured: one of our own, or one that the user names and that is empty."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.exceptions import RedisError

from streamq import EmbeddedServer, is_loopback, public_address

PREFIX: Final = "bench"
"""First part of every key the bench writes, followed by a colon or, for one of several systems, by a dot."""


class Refused(Exception):
    """The bench cannot use this server. The message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class ServerClock:
    """The server's clock, told from our monotonic one. ``error`` is how far it may be off, in seconds."""

    ahead: float
    error: float

    def at(self, monotonic_ns: int) -> float:
        """The server's time, in seconds since the epoch, at one of our monotonic readings."""
        return monotonic_ns / 1e9 + self.ahead


class Server:
    """A server and a redis-py client of it. ``pid`` is None when it is not ours to pin."""

    def __init__(self, url: str, pid: int | None) -> None:
        self.url, self.pid = url, pid
        self.client = Redis.from_url(url)

    async def clear(self) -> None:
        """Remove what the bench wrote, and nothing else."""
        keys = [key async for key in self.client.scan_iter(match=f"{PREFIX}[:.]*", count=1000)]
        if keys:
            await self.client.delete(*keys)

    async def empty(self) -> None:
        """Remove every key of the database: a peer names its keys as it likes, and there were none before us."""
        await self.client.flushdb()

    async def info(self, section: str) -> dict[str, Any]:
        """One section of INFO."""
        found: dict[str, Any] = await self.client.info(section)
        return found

    @property
    def lent(self) -> bool:
        """Whether it is the user's, whose configuration is not ours to change."""
        return self.pid is None

    @asynccontextmanager
    async def configured(self, values: dict[str, Any]) -> AsyncIterator[None]:
        """CONFIG SET for the block; afterwards everything is as it was."""
        before: Any = await self.client.config_get(*values)
        try:
            for name, value in values.items():
                await self.client.config_set(name, value)
            yield
        finally:
            for name in values:
                await self.client.config_set(name, before[name])

    @asynccontextmanager
    async def appending(self) -> AsyncIterator[None]:
        """Write the append-only file in the block, which begins when the file has what is there already."""
        async with self.configured({"appendonly": "yes"}):
            while int((await self.info("persistence"))["aof_rewrite_in_progress"]):  # noqa: ASYNC110 - it tells only those who ask
                await asyncio.sleep(0.02)
            yield

    async def cpu(self) -> float:
        """CPU seconds the server has used."""
        used = await self.info("cpu")
        return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])

    async def commands(self) -> int:
        """Commands it has run, those inside scripts included."""
        return int((await self.info("stats"))["total_commands_processed"])

    async def calls(self, command: str) -> int:
        """How often a command was called, also inside scripts."""
        return int((await self.info("commandstats")).get(f"cmdstat_{command}", {}).get("calls", 0))

    @property
    def clients(self) -> list[Redis]:
        """One of each node."""
        return [self.client]

    async def memory(self) -> int:
        """Bytes it has allocated, but for clients, whose buffers come and go, and scripts, which it has but once."""
        pipeline = self.client.pipeline()  # a transaction: both at the same moment
        pipeline.info("memory")
        pipeline.client_list()
        used, clients = await pipeline.execute()
        other = int(used.get("used_memory_scripts_eval", 0))
        return int(used["used_memory"]) - other - sum(int(client["tot-mem"]) for client in clients)

    async def connections(self) -> int:
        """Clients that are connected, this one too."""
        return int((await self.info("clients"))["connected_clients"])

    async def now(self) -> float:
        """Its time, in seconds since the epoch."""
        seconds, micros = await self.client.time()
        return float(seconds + micros / 1e6)

    async def clock(self) -> ServerClock:
        """Read its clock: of many readings the one with the shortest round trip."""
        readings = []
        for _ in range(50):
            before = time.monotonic_ns()
            now = await self.now()
            after = time.monotonic_ns()
            ahead = now - (before + after) / 2e9
            readings.append(((after - before) / 2e9, ahead))
        error, ahead = min(readings)
        return ServerClock(ahead, error)


@asynccontextmanager
async def open_server(url: str | None) -> AsyncIterator[Server]:
    """The server at ``url``, or without one a server of our own. Raises ``Refused``."""
    if url is not None:
        async with _given(url) as server:
            yield server
        return
    with tempfile.TemporaryDirectory(prefix="streamq-bench-", ignore_cleanup_errors=True) as folder:
        async with EmbeddedServer(Path(folder), persist=False) as own:
            server = Server(own.url, own.pid)
            try:
                # a histogram for each command takes 14 KB when it is first called, which is no part of a job's size
                async with server.configured({"latency-tracking": "no"}):
                    yield server
            finally:
                await server.client.aclose()


@asynccontextmanager
async def _given(url: str) -> AsyncIterator[Server]:
    if urlsplit(url).scheme.partition("+")[2]:
        raise Refused(
            f"{public_address(url)} is no single server: name one, as in redis://127.0.0.1:6379; "
            "the scenario `queues` starts a cluster of its own"
        )
    if not _is_local(url):
        raise Refused(f"{public_address(url)} is remote: the bench refuses to flush what it did not make")
    server = Server(url, None)
    try:
        try:
            keyspace = await server.info("keyspace")
        except (RedisError, OSError) as error:
            raise Refused(f"{public_address(url)} cannot be used: {error}") from error
        if keyspace:
            raise Refused(
                f"{public_address(url)} is busy, it has keys: the bench refuses to flush what it did not make"
            )
        yield server
        await server.clear()
    finally:
        await server.client.aclose()


def _is_local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "unix" or is_loopback(parts.hostname or "")
