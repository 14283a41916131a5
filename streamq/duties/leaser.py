"""Duty: a queue leases its part of the shared limits that its jobs draw from.

The gate tells when it is short; then what is left of the last lease is given back, and the next one asked for. A lease
lasts for a tenth of the limit's window, a second at most, so what a lost process had leased is free again soon after.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from streamq.duties.duty import Rounds
from streamq.model.clock import monotonic
from streamq.redis.links import Links
from streamq.store.store import Store

POLL: Final = 30.0
"""Seconds between two looks at most, where no signal came: one is lost only with its connection, and that is news."""
REFRESH: Final = 1.0
"""The same while jobs draw from a shared limit: what they do not need any more is others' then."""
NEWS: Final = b"lease "
"""The word of the signal that wakes it."""


class Leaser(Rounds):
    """Sees to the queues that ``queues()`` names."""

    def __init__(
        self, store: Store, queues: Callable[[], Sequence[str]], *, links: Links | None = None
    ) -> None:
        super().__init__(
            "leaser", store, queues, longest=POLL, act="lease from the shared limits of", links=links
        )
        self._next: dict[str, dict[str, float]] = {}
        """By queue and shared limit, when it is to be looked at again."""

    def _hear(self, queue: str, message: bytes | None) -> None:
        if message is None:
            self._due_now(queue)
            return
        for line in message.split(b"\n"):
            if line.startswith(NEWS):
                self._next.setdefault(queue, {})[line.removeprefix(NEWS).decode("utf-8", "replace")] = 0.0
                self._due_now(queue)

    def _due_now(self, queue: str) -> None:
        self._at[queue] = 0.0
        self._rested = True
        self.wake()

    async def once(self) -> int:
        """One round over the queues that are due."""
        self._listen(self._queues())
        done = await super().once()
        for queue, names in self._next.items():  # some are due before the round is
            if names and queue in self._at:
                self._at[queue] = min(self._at[queue], *names.values())
        return done

    async def see_to(self, queue: str) -> int:
        """Lease what one queue needs of each shared limit that is due. Returns of how many more may start now."""
        known = self._next.setdefault(queue, {})
        for name in await self._store.shared_limits.drawn(self._links, queue):
            known.setdefault(name, 0.0)
        started, now = 0, monotonic()
        for name in [name for name, at in known.items() if at <= now]:
            known[name] = monotonic() + REFRESH  # a signal that comes meanwhile goes before
            leased = await self._store.shared_limits.lease(self._links, queue, name)
            started += leased.starts
            if not leased.is_drawn and known.get(name):
                known.pop(name, None)
            elif leased.again is not None and known.get(name):
                known[name] = monotonic() + min(leased.again, POLL)
        return started
