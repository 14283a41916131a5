"""A fetcher on a real server, with hands that take what it brings and let go when told."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import redis

from streamq import App
from streamq.model.envelope import Delivery
from streamq.model.keys import GROUP, Keys
from streamq.worker.attempt import Attempt
from streamq.worker.fetcher import Fetcher
from streamq.worker.runner import Runner
from streamq.worker.settler import Settler
from streamq.worker.slots import Slots

JOB: dict[Any, Any] = {"task": "t", "payload": "1", "headers": ""}


class Hands(Runner):
    """Holds deliveries of ``queues``, at most ``slots`` at once."""

    def __init__(self, app: App, queues: Iterable[str], slots: int) -> None:
        self.app, self.queues, self.slots = app, tuple(queues), Slots(slots)
        super().__init__(app, self.slots, Settler(app.client.store, "hands", self.slots), "hands")
        self.attempts: list[Attempt] = []
        self.taken: Counter[str] = Counter()
        self.at_once = 0
        self.on_start: Callable[[Delivery], None] = lambda _: None
        self.fetcher = Fetcher(app.client.store, self.queues, "hands", self.slots, self)

    @property
    def held(self) -> list[Delivery]:
        """What it holds, the oldest first."""
        return [attempt.delivery for attempt in self.attempts]

    def start(self, delivery: Delivery) -> None:
        """Take it."""
        self.on_start(delivery)
        attempt = Attempt(delivery, None, "hands")
        self.attempts.append(attempt)
        self.slots.running.add(attempt)
        self.taken[delivery.queue] += 1
        self.at_once = max(self.at_once, len(self.attempts))

    def let_go(self, count: int | None = None) -> list[Delivery]:
        """Forget the oldest ``count`` of what is held, by default all, and return it."""
        count = len(self.attempts) if count is None else count
        gone, self.attempts = self.attempts[:count], self.attempts[count:]
        self.slots.running.difference_update(gone)
        self.slots.changed()
        return [attempt.delivery for attempt in gone]

    @contextlib.asynccontextmanager
    async def fetching(self) -> AsyncIterator[None]:
        """Make the groups, fetch during the block, and stop."""
        link = self.app.client.store.links()
        for queue in self.queues:
            with contextlib.suppress(Exception):  # a queue that is broken from the start
                await self.app.client.store.delivery.join(link, [queue])
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
