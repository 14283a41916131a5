"""What an app has open, by event loop.

Connections belong to the loop they were made in. So a module-level app that two threads open, each with its own
``asyncio.run``, has two sets of them; and a forked child begins with none: what it inherited is its parent's.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakSet

from streamq.client.outbox import Outbox
from streamq.client.results import Results
from streamq.client.spread import Spread
from streamq.client.watching import Watching
from streamq.embedded.server import running_url
from streamq.errors import NotOpen, OpenElsewhere
from streamq.model.job_record import JobRecord
from streamq.model.names import checked_queue
from streamq.redis.addressed import servers_at
from streamq.settings import Settings
from streamq.store.store import Store


class Opening:
    """The connections of one app in one event loop, and what is on its way through them."""

    def __init__(
        self,
        settings: Settings,
        url: str,
        known: Callable[[JobRecord], JobRecord],
        declared: Mapping[str, int],
    ) -> None:
        self.store = Store(servers_at(settings, url), settings, known)
        self.spread = Spread(self.store, lambda: self._way_out, declared)
        self._outbox: Outbox | None = None
        self._results: dict[str, Results] = {}
        self._watching: dict[str, Watching] = {}

    @classmethod
    async def of(
        cls, settings: Settings, known: Callable[[JobRecord], JobRecord], declared: Mapping[str, int]
    ) -> Opening:
        """Without an address, to the embedded server that runs here. Raises ``ConfigurationError``."""
        url = settings.secret("redis_url") or await running_url(settings.data_dir)
        return cls(settings, url, known, declared)

    def outbox(self, queue: str) -> Outbox:
        """The way out. Raises ``ConfigurationError`` for a bad name of a queue, before anything is sent."""
        if self.store.keys(queue).is_partition:
            checked_queue(queue)
        return self._way_out

    @property
    def _way_out(self) -> Outbox:
        if self._outbox is None:
            self._outbox = Outbox(self.store, self.spread.again)
        return self._outbox

    def results(self, queue: str) -> Results:
        """Those who wait for jobs of a queue."""
        results = self._results.get(queue)
        if results is None:
            results = self._results[queue] = Results(self.store, queue)
        return results

    def watching(self, queue: str) -> Watching:
        """Those who watch jobs of a queue."""
        watching = self._watching.get(queue)
        if watching is None:
            watching = self._watching[queue] = Watching(self.store, queue)
        return watching

    async def close(self) -> None:
        """What is on its way ends first, and each is closed whatever becomes of the others."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.store.close)
            for results in self._results.values():
                stack.push_async_callback(results.close)
            for watching in self._watching.values():
                stack.push_async_callback(watching.close)
            if self._outbox is not None:
                stack.push_async_callback(self._outbox.close)


@dataclass(slots=True, eq=False)
class _Share:
    """One loop's share: the first of its blocks opens, the last closes."""

    blocks: int = 0
    first: asyncio.Lock = field(default_factory=asyncio.Lock)


class Openings:
    """By event loop, what is open, and how many ``async with`` blocks hold it open."""

    def __init__(self, make: Callable[[], Awaitable[Opening]]) -> None:
        self._make = make
        self._shares: dict[asyncio.AbstractEventLoop, _Share] = {}
        self._open: dict[asyncio.AbstractEventLoop, Opening] = {}
        _LIVING.add(self)

    def __bool__(self) -> bool:
        """Whether any loop has it open."""
        self._forget_ended_loops()
        return bool(self._shares)

    async def enter(self) -> None:
        """Enter a block. Who comes while another opens waits for it, and opens itself when that failed."""
        self._forget_ended_loops()
        loop = asyncio.get_running_loop()
        share = self._shares.setdefault(loop, _Share())
        share.blocks += 1
        try:
            async with share.first:
                if loop not in self._open:
                    self._open[loop] = await self._make()
        except BaseException:
            await self.leave()
            raise

    async def leave(self) -> None:
        """Leave a block. A forked child that leaves one its parent entered has nothing to close."""
        loop = running_loop()
        share = self._shares.get(loop) if loop is not None else None
        if loop is None or share is None:
            return
        share.blocks -= 1
        if not share.blocks:
            del self._shares[loop]  # whoever enters from now on opens again
            opening = self._open.pop(loop, None)
            if opening is not None:
                await opening.close()

    def here(self) -> Opening:
        """What the running loop has open. Raises ``NotOpen``, and ``OpenElsewhere`` when another loop has it open."""
        try:
            return self._open[asyncio.get_running_loop()]  # once a job: no more than this
        except (KeyError, RuntimeError):
            raise self._not_here() from None

    def _not_here(self) -> NotOpen:
        opens_here = running_loop() in self._shares
        return OpenElsewhere() if self and not opens_here else NotOpen()

    def _forget_ended_loops(self) -> None:
        """A loop that ended inside its block can close nothing any more."""
        for loop in list(self._shares):  # other threads come and go
            if loop.is_closed():
                self._shares.pop(loop, None)
                self._open.pop(loop, None)

    def inherit(self) -> None:
        """In a forked child: begin with nothing open."""
        _PARENTS.append((self._shares, self._open))
        self._shares, self._open = {}, {}


_LIVING: Final[WeakSet[Openings]] = WeakSet()
_PARENTS: Final[list[Any]] = []
"""What a forked child inherited. It is kept, not closed and not collected: the child shares its parent's sockets, and
the kernel's list of those the parent's loop waits for, so closing here would make the parent deaf."""


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs in this thread, if one does; never that of a parent process."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _begin_anew() -> None:
    for openings in list(_LIVING):
        openings.inherit()


os.register_at_fork(after_in_child=_begin_anew)
