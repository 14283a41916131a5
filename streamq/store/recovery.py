"""Recovery: active jobs without a living worker wait again."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from streamq.model.keys import GROUP
from streamq.model.lanes import NUMBERS
from streamq.model.places import queue_of
from streamq.redis import scripts
from streamq.redis.links import Links
from streamq.redis.replies import name_in, pairs, raw_name
from streamq.store.access import Access
from streamq.store.delivery import Delivery
from streamq.store.workers import Workers

log = logging.getLogger("streamq.store")

PAGE: Final = 100
"""Jobs that one call recovers or audits: some milliseconds of the server's time. Fewer where they are large."""


@dataclass(frozen=True, slots=True)
class Reclaimed:
    """What became of a lost worker's jobs."""

    again: int = 0
    suspects: int = 0
    failed: int = 0
    cancelled: int = 0
    beaten: bool = False
    """The worker has beaten since its count was read: nothing was changed."""
    first: tuple[tuple[str, str, str], ...] = ()
    """The first of them: id, what became of it (``again``, ``alone``, ``failed`` or ``cancelled``), and task."""

    @property
    def jobs(self) -> int:
        """How many jobs were recovered."""
        return self.again + self.suspects + self.failed + self.cancelled


class Recovery:
    """Commands: jobs of lost workers, and stranded ones, are given back. Queries: unknown consumers that have jobs."""

    def __init__(self, access: Access, delivery: Delivery, workers: Workers) -> None:
        self._access, self._delivery, self._workers = access, delivery, workers

    # -- commands -------------------------------------------------------------------------------------------

    async def reclaim(self, links: Links, queue: str, worker: str, beat: bytes | None) -> Reclaimed:
        """Recover all jobs of a lost worker, page by page, and forget it.

        ``beat`` is its number of beats as last seen: nothing happens when it has beaten since. ``None`` takes
        it as lost without asking.
        """
        keys, settings = self._access.keys(queue), self._access.settings
        keep = self._access.part_of(queue, settings.keep_failed)
        arguments = (raw_name(worker), beat or b"", PAGE, settings.crash_limit, keep)
        again = suspects = failed = cancelled = 0
        first: tuple[tuple[str, str, str], ...] = ()
        link = links.of(queue)
        while True:
            more, suspected, buried, left, texts, ended = await self._delivery.with_group(
                links, queue, lambda: scripts.RECLAIM.run(link, keys, *arguments)
            )
            if more < 0:
                return Reclaimed(again, suspects, failed, cancelled, beaten=True, first=first)
            first = first or _by_three(texts)
            again, suspects, failed = again + more, suspects + suspected, failed + buried
            cancelled += ended
            if not left:
                return Reclaimed(again, suspects, failed, cancelled, first=first)

    async def audit(self, links: Links, queue: str) -> int:
        """Give back the stranded jobs: delivered, and pending under no consumer. Returns how many."""
        keys, link, stranded, missing = self._access.keys(queue), links.of(queue), 0, 0
        keep = self._access.part_of(queue, self._access.settings.keep_failed)
        await self._delivery.join(links, (queue,))
        for lane in NUMBERS:
            after = last = b""
            while True:
                found, gone, after, last = await scripts.AUDIT.run(link, keys, lane, after, last, PAGE, keep)
                stranded, missing = stranded + found, missing + gone
                if not after:
                    break
        if missing:
            log.warning("%d active jobs on %s were deleted by hand and are lost", missing, queue_of(queue))
        return stranded

    # -- queries --------------------------------------------------------------------------------------------

    async def unlisted(self, links: Links, queue: str) -> list[str]:
        """Consumers that have pending jobs and are not on the list of workers."""
        listed = set((await self._workers.beats(links, (queue,)))[queue])
        lanes = self._access.keys(queue).lanes
        holders: set[str] = set()
        for reply in await links.of(queue).batch(*[("XINFO", "CONSUMERS", lane, GROUP) for lane in lanes]):
            for row in map(pairs, () if isinstance(reply, Exception) else reply):
                if row[b"pending"]:
                    holders.add(name_in(row[b"name"]))
        return sorted(holders - listed)


def _by_three(raw: list[bytes]) -> tuple[tuple[str, str, str], ...]:
    texts = [text.decode("utf-8", "replace") for text in raw]
    return tuple(zip(texts[::3], texts[1::3], texts[2::3], strict=True))
