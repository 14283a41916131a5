"""The scheduler role: the duties that no job waits for while a worker is busy. Any number may run."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Final

from streamq.duties.duty import Duty, Wakeable, tick
from streamq.duties.ticker import declare
from streamq.duties.upkeep import Share, upkeep
from streamq.errors import Rejected
from streamq.logs import how_logged
from streamq.model.places import queue_of
from streamq.program import Program
from streamq.redis.ready import begin_when_ready

log = logging.getLogger("streamq.scheduler")

POLL: Final = 0.25
"""Seconds from one look of its promoter to the next where it hears no signals: a scheduler has nothing else to do."""
REFRESH: Final = 5.0
"""Seconds from one reading of the list of queues to the next: a new queue's first worker promotes it meanwhile."""


class QueueList(Wakeable):
    """Duty: know which queues there are."""

    def __init__(self, app: Program) -> None:
        super().__init__("queue list", app.client.store)
        self._app = app
        self._names: list[str] = []
        self.told: list[Duty] = []
        """The duties that are woken when there are others."""

    def __call__(self) -> Sequence[str]:
        return self._names

    async def once(self) -> int:
        """Ask. Returns how many there are."""
        before = set(self._names)
        self._names = await self._app.client.store.partition.in_use(await self._app.queues())
        if not before.issuperset(self._names):
            for duty in self.told:
                duty.wake()
        return len(self._names)

    async def rest(self) -> None:
        """A few seconds."""
        await self._pause(REFRESH)


class Scheduler:
    """Promotes, runs schedules, reclaims, prunes and audits for all queues, until cancelled.

    It is shared with all others that do so.

    With ``only_reclaim`` it reclaims and audits alone.
    """

    def __init__(self, app: Program, *, only_reclaim: bool = False) -> None:
        self._app, self._only_reclaim = app, only_reclaim

    async def run(self) -> None:
        """Wait for the server, then do the duties. Raises ``Unavailable`` when it is not there in time."""
        app = self._app
        queues = QueueList(app)

        async def begin() -> None:
            with contextlib.suppress(Rejected):  # the duty tells of it, and asks again
                await app.client.partition_names(
                    *app.client.partitions
                )  # so that those that code declares are told
                await queues.once()
            if not self._only_reclaim:
                await declare(app)

        await begin_when_ready(app.client.store.servers, app.settings.ready_timeout, begin)
        share = Share.RECLAIM if self._only_reclaim else Share.ALL
        queues.told = upkeep(app, queues, share, deaf_poll=POLL)
        duties: list[Duty] = [queues, *queues.told]
        names = ", ".join(dict.fromkeys(map(queue_of, queues()))) or "no queue yet"
        log.info(
            "%s for %s; server %s; log %s", ", ".join(duty.name for duty in duties[1:]), names,
            ", ".join(app.client.store.servers.names), how_logged(),
        )  # fmt: skip
        try:
            async with asyncio.TaskGroup() as group:
                for duty in duties:
                    group.create_task(tick(duty), name=duty.name)
        finally:
            log.info("has ended")
