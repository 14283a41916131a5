"""The connection on which the fetcher blocks: a read that waits on it is woken, never cancelled.

A cancelled read could strand what it was just given. So the worker asks for the server's id of its connection, and
has the server end the read.
"""

from __future__ import annotations

import contextlib
from typing import Any

from streamq.errors import Rejected
from streamq.redis.link import Link
from streamq.store.store import Store


class BlockingLink:
    """``link`` is what to read with; ``greet`` is to be called before each read, and does nothing mostly."""

    def __init__(self, store: Store, worker: str) -> None:
        self.link = Link(store.servers, worker)
        self._pool, self._worker = store.pool, worker
        self._client_id = self._generation = 0

    async def greet(self) -> bool:
        """Learn the server's id of a new connection; whether it replaces another.

        A proxy may keep the old one open, with our read still blocked on it: that would take the next job, so that
        read is ended.
        """
        if self.link.connected and self._generation == self.link.generation:
            return False
        former, self._client_id = self._client_id, 0
        with contextlib.suppress(Rejected):  # without the right to ask, a read ends by itself
            self._client_id = await self.link.call("CLIENT", "ID")
        self._generation = self.link.generation
        if former:
            await self._end_read_of(former)
        return bool(former)

    async def _end_read_of(self, client_id: int) -> None:
        """Wake our read on a former connection. The name is asked for, since ids begin anew with each server."""
        with contextlib.suppress(Rejected):  # no right to do so: the audits find what it took
            listed = await self.link.call("CLIENT", "LIST", "ID", client_id)
            if f"name={self._worker}".encode() in listed.split():
                await self.link.call("CLIENT", "UNBLOCK", client_id)

    async def wake(self) -> Any:
        """End the read that waits now, if one does. Raises ``Unavailable``."""
        return await self._pool.call("CLIENT", "UNBLOCK", self._client_id)

    async def close(self) -> None:
        """Drop the connection."""
        await self.link.close()
