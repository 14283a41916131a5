"""Pauses of groups for which handlers ask: written before the outcomes of those who asked, or at once."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable
from typing import Final, NamedTuple

from streamq.errors import Rejected, Unavailable
from streamq.model import due
from streamq.model.envelope import Delivery
from streamq.model.group import tenant_of
from streamq.model.limit import GROUP, SHARED
from streamq.model.places import queue_of
from streamq.redis.links import Links
from streamq.store.store import Store
from streamq.verdicts import Scope

log = logging.getLogger("streamq.settler")

AWAY: Final = (0.05, 2.0)
"""Seconds between two tries while the server cannot be reached, at first and at most, as outcomes have them."""


class Pause(NamedTuple):
    """No job of a scope is to start before a due time."""

    queue: str
    scope: str
    ends: str
    reason: str
    by: str


class Pauses:
    """Those that the outcomes wait for, and those that handlers wait for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Pause] = deque()
        self._at_once: set[asyncio.Task[None]] = set()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def before_outcome(self, delivery: Delivery, scope: Scope, seconds: float, reason: str) -> None:
        """Pause the group of a job, or its tenant, before the outcome is written that is put next."""
        self._waiting.append(_of(delivery, scope, due.after(seconds), reason))

    async def write(self, links: Links) -> None:
        """Write those that wait."""
        while self._waiting:
            await self._insist(self._waiting.popleft(), links)

    async def write_one(self, delivery: Delivery, scope: Scope, seconds: float, reason: str) -> None:
        """Pause the group of a job, or its tenant."""
        await self._insist(_of(delivery, scope, due.after(seconds), reason))

    async def _insist(self, pause: Pause, links: Links | None = None) -> None:
        """Write it. While the server cannot be reached it is tried again; what it refuses is logged."""
        rest, longest = AWAY
        while True:
            try:
                return await self._write(pause, links)
            except Rejected as error:
                log.warning("%s of %s cannot be paused: %s", pause.scope, queue_of(pause.queue), error)
                return None
            except Unavailable:
                await asyncio.sleep(rest)
                rest = min(2 * rest, longest)

    async def _write(self, pause: Pause, links: Links | None = None) -> None:
        queue, scope, ends, reason, by = pause
        if scope.startswith(SHARED):
            shared = self._store.shared_limits
            for name in await shared.drawn_by(queue, scope.removeprefix(SHARED)):
                await shared.pause(name, reason, by, ends, extend=True)
            return
        await self._store.groups.pause(queue, scope, reason, by, ends, extend=True, links=links)

    def at_once(self, delivery: Delivery, scope: Scope, ends: str, reason: str) -> Awaitable[None]:
        """Pause now. In a thread without an event loop, return when it is written; in ours, return what awaits that."""
        writing = self._write(_of(delivery, scope, ends, reason))
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            asyncio.run_coroutine_threadsafe(writing, self._loop).result()
            return _Written()
        if here is not self._loop:
            return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(writing, self._loop))
        task = self._loop.create_task(writing)
        self._at_once.add(task)
        task.add_done_callback(self._at_once.discard)
        return task


class _Written:
    """To await it in a plain handler's own loop costs nothing."""

    def __await__(self):  # type: ignore[no-untyped-def]
        return iter(())


def _of(delivery: Delivery, scope: Scope, ends: str, reason: str) -> Pause:
    if scope == "shared":  # the server knows what this job draws from
        return Pause(delivery.queue, SHARED + delivery.job_id, ends, reason, f"job {delivery.known_as[1]}")
    group = delivery.headers["group"]
    named = tenant_of(group) if scope == "tenant" else group
    return Pause(delivery.queue, GROUP + named, ends, reason, f"job {delivery.known_as[1]}")
