"""A fetcher on a real server, with hands that take what it brings and let go when told."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import redis

from streamq import App
from streamq.model.envelope import Delivery, Held
from streamq.model.keys import GROUP, Keys
from streamq.redis.link import Link
from streamq.worker.fetcher import Fetcher

JOB: dict[Any, Any] = {"task": "t", "payload": "1", "headers": ""}


class Hands:
    """Holds deliveries of ``queues``, at most ``slots`` at once."""

    def __init__(self, app: App, queues: Iterable[str], slots: int, **options: Any) -> None:
        self.app, self.slots, self.queues = app, slots, tuple(queues)
        self.held: list[Delivery] = []
        self.taken: Counter[str] = Counter()
        self.at_once = 0
        self.blocked: set[str] = set()
        self.on_start: Callable[[Delivery], None] = lambda _: None
        self.fetcher = Fetcher(
            app.client.store, self.queues, "hands", self._start, self._free, lambda: not self.held, self._holds,
            blocked=lambda queue: queue in self.blocked, **options,
        )  # fmt: skip

    def _free(self) -> int:
        return self.slots - len(self.held)

    def _holds(self) -> set[Held]:
        return {delivery.held for delivery in self.held}

    def _start(self, delivery: Delivery) -> None:
        self.on_start(delivery)
        self.held.append(delivery)
        self.taken[delivery.queue] += 1
        self.at_once = max(self.at_once, len(self.held))

    def let_go(self, count: int | None = None) -> list[Delivery]:
        """Forget the oldest ``count`` of what is held, by default all, and return it."""
        count = len(self.held) if count is None else count
        gone, self.held = self.held[:count], self.held[count:]
        self.fetcher.slot_changed()
        return gone

    @contextlib.asynccontextmanager
    async def fetching(self) -> AsyncIterator[None]:
        """Make the groups, fetch during the block, and stop."""
        link = Link(self.app.client.store.servers)
        for queue in self.queues:
            with contextlib.suppress(Exception):  # a queue that is broken from the start
                await self.app.client.store.join(link, [queue])
        await link.close()
        run = asyncio.create_task(self.fetcher.run())
        try:
            yield
        finally:
            await self.fetcher.stop()
            await run


def fill(client: redis.Redis, prefix: str, queues: Iterable[str], count: int) -> None:
    """So many jobs into each queue, by plain XADD."""
    pipe = client.pipeline(transaction=False)
    for queue in queues:
        for _ in range(count):
            pipe.xadd(Keys(prefix, queue).ready, JOB)
    pipe.execute()


def settle(client: redis.Redis, prefix: str, deliveries: Iterable[Delivery]) -> None:
    """Acknowledge and delete, as the end of a job does."""
    pipe = client.pipeline(transaction=False)
    for delivery in deliveries:
        lane = Keys(prefix, delivery.queue).lanes[delivery.lane - 1]
        pipe.xack(lane, GROUP, delivery.entry)
        pipe.xdel(lane, delivery.entry)
    pipe.execute()


def calls(client: redis.Redis, *commands: str) -> int:
    """How often the server has run any of the commands."""
    stats = client.info("commandstats")
    return sum(stats.get(f"cmdstat_{command}", {}).get("calls", 0) for command in commands)
