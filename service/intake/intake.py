"""The intake of one process: loops that take rows, follow their jobs and listen, none of which another can end."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from time import monotonic
from typing import Final

from streamq import App, QueueFull, StreamqError

from ..settings import ServiceSettings
from .claims import Batch, Claims
from .database import CLOSING, Database
from .doorbell import Bells, Doorbell, Notifications
from .following import Following
from .outbox import TABLE as OUTBOX
from .realtime import Realtime
from .table import Table
from .troubles import Troubles

log = logging.getLogger("streamq.intake")

FIRST: Final = 0.5
"""Seconds before the second try of what failed; doubles with each,"""
LONGEST: Final = 30.0
"""up to these."""
FINISHING: Final = 5.0
"""Seconds that a batch which is under way may take at the end."""
TICK: Final = 1.0
"""Seconds between two looks at jobs whose time it may be."""
COUNTED: Final = 2.0
"""Seconds between two counts of rows, or a poll where that is longer."""
RECORDS: Final = "intake"
COUNTS: Final = "counts"
"""The records in which a worker leaves them, and their key there."""


class Intake:
    """What a process reads rows with. ``poll`` is in seconds: so long a table is not looked at without a ring."""

    def __init__(
        self, app: App, database: Database, tables: Sequence[Claims], doorbell: Doorbell, poll: float
    ) -> None:
        self._app, self._database, self._tables = app, database, tables
        self._doorbell, self._poll = doorbell, poll
        self._troubles = Troubles(app.notes)
        self._bells = Bells(
            (each.table.name for each in tables), heard=partial(self._troubles.end, doorbell.name)
        )
        self._following = {each.table.name: Following(app, each) for each in tables if each.table.follows}
        self._records = app.records(RECORDS)
        self._stopping = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Take rows within the block. At its end a batch that is under way is brought to its end."""
        taking = [self._loop(each.table.name, partial(self._take, each)) for each in self._tables]
        beside = [
            *(
                self._loop(f"jobs of {name}", partial(self._look, each))
                for name, each in self._following.items()
            ),
            *(self._loop(f"ends of {name}", each.settle) for name, each in self._following.items()),
            self._loop(self._doorbell.name, partial(self._doorbell.listen, self._bells)),
            self._loop("counts", self._count),
        ]
        try:
            yield
        finally:
            self._stopping.set()
            self._bells.ring_all()
            await self._ended(taking, FINISHING)
            await self._ended(beside, 0)
            finishing = [asyncio.create_task(self._finish(each)) for each in self._following.values()]
            await self._ended(finishing, FINISHING)
            self._troubles.clear()

    async def _ended(self, tasks: Sequence[asyncio.Task[None]], seconds: float) -> None:
        """Wait for tasks, and then end them; one that a database keeps even so loses its connection."""
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        hanging = (await asyncio.wait(late, timeout=CLOSING))[1] if late else late
        if hanging:
            self._database.abandon()
            await asyncio.wait(hanging)

    async def _finish(self, following: Following) -> None:
        try:
            await following.finish()
        except StreamqError as error:
            log.warning("intake: the ends of some jobs are written down by whoever comes next: %s", error)
        finally:
            await following.close()

    def _loop(self, about: str, once: Callable[[], Awaitable[object]]) -> asyncio.Task[None]:
        return asyncio.create_task(self._forever(about, once), name=f"intake {about}")

    async def _forever(self, about: str, once: Callable[[], Awaitable[object]]) -> None:
        failures = 0
        while not self._stopping.is_set():
            begun = monotonic()
            try:
                await once()
                failures = 0
                self._troubles.end(about)
            except Exception as error:  # whatever comes of a database, the other tables go on
                is_news = self._troubles.begin(about, str(error) or type(error).__name__)
                if is_news and not isinstance(error, StreamqError):
                    log.exception("intake, %s: an unexpected error", about)
                is_first = isinstance(error, QueueFull) or monotonic() - begun > LONGEST
                failures = 0 if is_first else min(failures + 1, 10)
                await self._rest(min(LONGEST, FIRST * 2.0**failures) * random.uniform(0.5, 1.0))  # noqa: S311

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _take(self, claims: Claims) -> None:
        """Take all there is, and wait for a ring."""
        name = claims.table.name
        self._bells.hush(name)
        await self._app.ping()  # nothing is taken while jobs cannot be made
        self._follow(await claims.resume())
        while self._follow(await claims.take()) and not self._stopping.is_set():
            pass
        self._troubles.end(name)
        await self._bells.wait(name, self._poll)

    def _follow(self, batch: Batch) -> int:
        """Follow the jobs of a batch; of how many rows it is. Raises why some were given back."""
        for each in batch.jobs[:1]:
            if each.table in self._following:
                self._following[each.table].watch(batch.jobs)
        if batch.trouble is not None:
            raise batch.trouble
        return batch.rows

    async def _look(self, following: Following) -> None:
        """Look, and rest: in a flood twice as long as it took, so that it is never the most of what a process does."""
        begun = monotonic()
        found = await following.look()
        await self._rest(2 * (monotonic() - begun) if found else TICK)

    async def _count(self) -> None:
        """Tell those who have no database how many rows there are."""
        counts: Counter[str] = Counter()
        for each in self._tables:
            counts.update({row["status"]: row["rows"] for row in await each.counts()})
        rest = max(COUNTED, self._poll)
        await self._records.put(COUNTS, dict(counts), lifetime=3 * rest)
        await self._rest(rest)


@asynccontextmanager
async def opened(app: App, settings: ServiceSettings, tables: Sequence[Table]) -> AsyncIterator[None]:
    """The intake of a worker, where a database is named; nothing else. Raises ``ConfigurationError``."""
    if not settings.secret("intake_url"):
        yield
        return
    async with Database(partial(settings.secret, "intake_url")) as database:
        batch, poll = settings.intake_batch, settings.intake_poll
        claims = [Claims(app, database, table, batch=batch, poll=poll) for table in tables]
        doorbell = doorbell_of(settings, database, tables)
        log.info(line(settings, tables, doorbell))
        async with Intake(app, database, claims, doorbell, poll).running():
            yield


@asynccontextmanager
async def moving(app: App) -> AsyncIterator[None]:
    """The lifespan of an app whose workers move the rows of the outbox, and nothing else: ``App(lifespan=moving)``.

    The database is that of ``STREAMQ_INTAKE_URL``. Raises ``ConfigurationError``.
    """
    settings = app.settings if isinstance(app.settings, ServiceSettings) else ServiceSettings.load()
    async with opened(app, settings, (OUTBOX,)):
        yield


def doorbell_of(settings: ServiceSettings, database: Database, tables: Sequence[Table]) -> Doorbell:
    """Realtime where it is named, else LISTEN."""
    url = settings.secret("intake_realtime_url")
    if not url:
        return Notifications(database)
    return Realtime(url, partial(settings.secret, "intake_realtime_key"), [table.name for table in tables])


def line(settings: ServiceSettings, tables: Sequence[Table], doorbell: Doorbell) -> str:
    """What is to be known of it when a worker starts."""
    names = ", ".join(table.name for table in tables)
    return (
        f"channel intake: {settings.intake_batch} rows at once, doorbell {doorbell.name}, looks every "
        f"{settings.intake_poll:g} s, tables {names}"
    )
