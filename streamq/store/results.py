"""Results whose time is over (`keep_result`), while the records of their jobs stay."""

from __future__ import annotations

from typing import Final

from streamq.redis import scripts
from streamq.store.access import Access

PAGE: Final = 100
"""Results that one call deletes: about a millisecond of the server's time. It takes fewer where they are large."""
KEPT: Final = 100_000
"""Results of a queue whose times are known, some 10 MB: those that are due after these go with their records."""


class Results:
    """Commands: results are deleted."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def prune(self, queue: str) -> int:
        """Delete the results whose time is over. Returns of how many jobs."""
        pruned, looked = 0, 1
        async with self._access.pool.links() as links:
            while looked:
                looked = await scripts.PRUNE_RESULTS.run(
                    links.of(queue), self._access.keys(queue), PAGE, KEPT
                )
                pruned += looked
        return pruned
