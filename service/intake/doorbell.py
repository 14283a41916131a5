"""Doorbells: what says that there are rows. Tables are looked at on a timer too, so a lost ring loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from .database import Database

CHANNEL: Final = "streamq_intake"
"""On which the triggers of the tables notify; what they say is the name of the table."""


class Bells:
    """One for each table; ``heard`` is called when somebody listens, for the first time or again."""

    def __init__(self, tables: Iterable[str], heard: Callable[[], None]) -> None:
        self._bells = {table: asyncio.Event() for table in tables}
        self._heard = heard

    def ring(self, table: str) -> None:
        """There may be rows in a table; one that is not ours is nothing to us."""
        if table in self._bells:
            self._bells[table].set()

    def listening(self) -> None:
        """From now on rings are heard; there may be rows of the time in which they were not."""
        self._heard()
        self.ring_all()

    def ring_all(self) -> None:
        """There may be rows anywhere."""
        for bell in self._bells.values():
            bell.set()

    async def wait(self, table: str, seconds: float) -> None:
        """Wait until it rings, at most so long."""
        bell = self._bells[table]
        try:
            async with asyncio.timeout(seconds):
                await bell.wait()
        except TimeoutError:
            return

    def hush(self, table: str) -> None:
        """From now on a ring means rows that come after."""
        self._bells[table].clear()


class Doorbell(Protocol):
    """What rings."""

    name: str
    """As people read it."""

    async def listen(self, bells: Bells) -> None:
        """Ring until the connection ends. Raises ``Unavailable`` then."""


class Notifications:
    """PostgreSQL's own: LISTEN, on a connection that does nothing else."""

    name = "LISTEN"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def listen(self, bells: Bells) -> None:
        """Ring until the connection ends. Raises ``DatabaseUnavailable`` then."""
        async with self._database.listening(CHANNEL, bells.ring) as listener:
            bells.listening()
            await listener.ended()
