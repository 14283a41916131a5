"""A channel: one way in which messages go out. What there is of it is said in one place, and everything derives from
that: its tasks, what a worker opens and closes for it, its line in the log, its limits, how it is shown and counted.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from streamq import App, Job, Limit, State

from ..settings import ServiceSettings

log = logging.getLogger("streamq.messaging")


@dataclass(frozen=True)
class Channel:
    """What a channel declares."""

    name: str
    """As people call it; its limit over all workers is the shared limit of this name."""
    tasks: dict[str, str]
    """The queue of each of its tasks: that of messages to send at once, and where it has two, of those with a time."""
    handler: Callable[..., Awaitable[Any]]
    """What sends a message of it."""
    options: Callable[[ServiceSettings], dict[str, Any]]
    """Those of its tasks: attempts, backoff, time limit."""
    opened: Callable[[App, ServiceSettings], AbstractAsyncContextManager[None]]
    """What its tasks need in a worker; it is closed when the running jobs have ended."""
    limit: Callable[[ServiceSettings], Limit]
    """How many of its messages are sent at once, and in a time, by all workers together."""

    @property
    def queues(self) -> list[str]:
        """Their names."""
        return list(self.tasks.values())

    def is_of(self, app: App) -> bool:
        """Whether an app has it."""
        return self.tasks.keys() <= app.tasks.keys()

    def declare(self, app: App, settings: ServiceSettings) -> None:
        """Add it to an app."""
        for name, queue in self.tasks.items():
            app.task(name=name, queue=queue, **self.options(settings))(self.handler)
        limit = self.limit(settings)
        if limit != Limit():
            app.limit_shared(self.name, limit)
            for queue in self.queues:
                app.limit(queue, Limit(shared=self.name))

    async def send(
        self,
        app: App,
        message: BaseModel,
        *,
        delay: float | None = None,
        at: datetime | None = None,
        **more: Any,
    ) -> tuple[Job[Any], State]:
        """Enqueue a message on the queue for it, and return its state there; a delay of 0 means at once.

        ``more`` are options of enqueue. Raises what ``App.enqueue`` does.
        """
        now, *later = self.tasks
        if delay or at is not None:
            task = later[0] if later else now
            return await app.enqueue(
                self.tasks[task], task, message, delay=delay, at=at, **more
            ), State.DELAYED
        return await app.enqueue(self.tasks[now], now, message, **more), State.WAITING

    def line(self, settings: ServiceSettings) -> str:
        """What is to be known of it when a worker starts."""
        limit = self.limit(settings)
        most = f"{limit.concurrency} at once" if limit.concurrency else "any number at once"
        rate = f"{limit.rate} at most" if limit.rate else "no rate"
        return f"channel {self.name}: {most}, {rate}, queues {', '.join(self.queues)}"
