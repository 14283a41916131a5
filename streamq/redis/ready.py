"""Waiting for the servers: before a role begins, and again when one is lost while it begins."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator

from streamq.errors import Rejected, Unavailable
from streamq.redis.link import Link
from streamq.redis.server import Server
from streamq.redis.servers import Servers

log = logging.getLogger("streamq.connection")


async def wait_ready(servers: Servers, timeout: float) -> None:
    """Wait until every server answers and has loaded its data, each on a connection of its own.

    Raises the last ``Unavailable`` when
    ``timeout`` seconds are over, and ``Rejected`` at once when a server refuses us.
    """
    await asyncio.gather(*[_wait_ready(server, timeout) for server in servers.all])
    await _insisted(servers.prepare, timeout)


async def begin_when_ready(servers: Servers, timeout: float, begin: Callable[[], Awaitable[object]]) -> None:
    """Wait for the servers, then ``begin``; from the start again when one of them is lost meanwhile.

    ``begin`` is called again after a part of it was done. Raises as ``wait_ready`` does, and what ``begin`` raised
    when it found no server for ``timeout`` seconds although each answers.
    """
    pauses = _pauses()
    deadline = None
    while True:
        await wait_ready(servers, timeout)
        try:
            await begin()
        except Rejected:
            raise
        except Unavailable as error:
            now = asyncio.get_running_loop().time()
            deadline = deadline or now + timeout
            if now > deadline:
                raise
            log.warning("%s; beginning again", error)
        else:
            return
        await asyncio.sleep(next(pauses))


def _pauses() -> Iterator[float]:
    """Seconds between tries: 50 ms, then twice as long each time up to 2 s."""
    pause = 0.05
    while True:
        yield pause
        pause = min(2 * pause, 2.0)


async def _wait_ready(server: Server, timeout: float) -> None:
    link = Link(server, "streamq-ready")
    try:
        await _insisted(lambda: link.call("PING"), timeout)
    finally:
        await link.close()


async def _insisted(ask: Callable[[], Awaitable[object]], timeout: float) -> None:
    """Ask until there is an answer. Raises the last ``Unavailable``, and ``Rejected`` at once."""
    pauses, deadline, met = _pauses(), asyncio.get_running_loop().time() + timeout, ""
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                await ask()
                return
        except Rejected:
            raise
        except (Unavailable, TimeoutError) as error:
            pause, met = next(pauses), str(error) or met
            if asyncio.get_running_loop().time() + pause > deadline:
                raise Unavailable(
                    f"no server was ready within {timeout:g} s: {met or 'timed out'}"
                ) from error
        await asyncio.sleep(pause)
