"""Unique keys that are taken until their jobs start."""

from __future__ import annotations

from streamq.redis import scripts
from streamq.store.access import Access


class UniqueKeys:
    """Commands: a job that starts gives its key up. (At a job's end the script that ends it does so.)"""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def begin(self, queue: str, key: str, job_id: str) -> None:
        """The job starts: its key is free. Raises ``Unavailable``."""
        async with self._access.pool.links() as links:
            await scripts.BEGIN.run(links.of(queue), self._access.keys(queue), key, job_id)
