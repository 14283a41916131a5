"""Of all processes that would move a queue, one does: it has the lead on both servers, and shows that it lives."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import socket
from collections.abc import AsyncIterator
from typing import Final

from streamq.errors import StreamqError
from streamq.model.clock import monotonic
from streamq.noun_errors import MoveRefused
from streamq.store.migrations import LEASE, Migrations

BEAT: Final = LEASE / 5
"""Seconds between two signs of life."""
LOOK: Final = 0.1
"""Seconds between two looks at whether another process lives."""

SAME: Final = "it is there already: the other address leads to the same keys"
"""Why a queue does not move to where it is."""
_TOKEN: Final = re.compile(r"process (\d+) on (.*), [0-9a-f]{16}")


def token() -> str:
    """Which process it is, for others and for people."""
    return f"process {os.getpid()} on {socket.gethostname()}, {secrets.token_hex(8)}"


@contextlib.asynccontextmanager
async def leading(source: Migrations, target: Migrations, queue: str, own: str) -> AsyncIterator[None]:
    """Move a queue within the block, alone. Raises ``MoveRefused`` where another process does, or source and target are
    one and the same queue."""
    await _take(source, queue, own)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(_leave, source, queue, own)
        if (await target.leader(queue)).token == own:
            raise MoveRefused(queue, SAME)
        await _take(target, queue, own)
        stack.push_async_callback(_leave, target, queue, own)
        beating = asyncio.create_task(_beat(source, target, queue, own), name=f"lead of {queue}")
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.wait([beating])


async def _take(side: Migrations, queue: str, own: str) -> None:
    """Take the lead on one server, at once or when its last holder has been silent for too long."""
    end, before = monotonic() + 2 * LEASE, await side.leader(queue)
    while not await side.take_the_lead(queue, own):
        now = await side.leader(queue)
        if _is_dead(now.token):
            await side.leave_the_lead(queue, now.token)
            continue
        if now.token and (now.token != before.token or now.life > before.life or monotonic() > end):
            raise MoveRefused(queue, f"{now.token.rpartition(',')[0]} moves it: wait for it, or end it first")
        before = now if now.token else before
        await asyncio.sleep(LOOK)


def _is_dead(other: str) -> bool:
    """Whether it was a process of this machine, and has ended."""
    named = _TOKEN.fullmatch(other)
    if named is None or named[2] != socket.gethostname():
        return False
    try:
        os.kill(int(named[1]), 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is another user's
        return False
    return False


async def _leave(side: Migrations, queue: str, own: str) -> None:
    with contextlib.suppress(StreamqError):  # it expires
        await side.leave_the_lead(queue, own)


async def _beat(source: Migrations, target: Migrations, queue: str, own: str) -> None:
    """What finds the lead lost is refused by the server: nothing depends on this."""
    while True:
        await asyncio.sleep(BEAT)
        with contextlib.suppress(StreamqError):
            await source.show_life(queue, own)
            await target.show_life(queue, own)
