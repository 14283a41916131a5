"""Reading ready jobs by plain XREADGROUP, which costs the server half of what a script would."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from streamq.errors import Rejected, StreamqError, Unavailable
from streamq.model.keys import GROUP
from streamq.model.lanes import BELL, READY, QueueLane
from streamq.redis.answers import concerns_all, translate
from streamq.redis.link import Link, Sent
from streamq.redis.links import Links
from streamq.redis.replies import clients_in
from streamq.store.access import Access

ANSWER: Final = 5.0
"""Seconds that a reply may take beyond the BLOCK time before the connection counts as lost: as long as a busy
server may pause."""
WAKE_AGAIN: Final = 0.1
"""Seconds between two wake-ups of a read that goes on: the first may have come just before it blocked."""


@dataclass(slots=True)
class Found:
    """The result of a blocking read."""

    entries: list[tuple[QueueLane, list[Any]]] = field(default_factory=list)
    """Lanes that had jobs, and their entries."""
    refused: list[tuple[Sequence[QueueLane], StreamqError]] = field(default_factory=list)
    """Lanes that were read together and refused together: one of them, or all, is the reason."""


class Asked(NamedTuple):
    """A read of one queue that is under way."""

    queue: str
    wanted: int
    link: Link
    sent: Sent

    async def answer(self) -> list[Any] | StreamqError:
        """What it brought, or why the server refused it. Raises ``Unavailable``."""
        (reply,) = await self.link.replies(self.sent, ANSWER)
        if isinstance(reply, Exception):
            return translate(reply, sent=True)
        return reply[0][1] if reply else []


class Reader:
    """Reads for one worker. A read that blocks is never cancelled, which could strand what it was just given: it is
    woken, by the number that the server gave to its connection."""

    def __init__(self, access: Access, links: Links, worker: str) -> None:
        self._access, self._links, self._worker = access, links, worker
        self._streams: dict[QueueLane, bytes] = {}
        self._places: dict[bytes, QueueLane] = {}
        self._known: dict[Link, tuple[int, int]] = {}
        """By connection, its generation and the server's number for it, 0 where that may not be asked."""

    # -- reading --------------------------------------------------------------------------------------------

    async def read(self, shares: Mapping[QueueLane, int]) -> dict[QueueLane, list[Any] | StreamqError]:
        """What waits now: up to so many jobs of each lane, in one round trip. By lane, or what was refused."""
        streams = self._streams_of(list(shares))
        commands = [
            self._command(count, (stream,), 0) for count, stream in zip(shares.values(), streams, strict=True)
        ]
        replies = await self._links.commands([queue for queue, _ in shares], commands)
        return {
            place: reply if isinstance(reply, StreamqError) else reply[0][1] if reply else []
            for place, reply in zip(shares, replies, strict=True)
        }

    def ask(self, queue: str, count: int) -> Asked | None:
        """Send a read of what is ready in a queue now, whose answer comes later; ``None`` where it cannot be sent."""
        link = self._links.home
        if not (self._links.is_one and link.connected):
            return None
        return Asked(
            queue, count, link, link.begin(self._command(count, self._streams_of(((queue, READY),)), 0))
        )

    async def wait(self, places: Sequence[QueueLane], count: int, block_ms: int) -> Found:
        """Up to ``count`` jobs of each lane; when there is none, wait ``block_ms`` for the first (0: do not wait).

        Raises only what concerns all servers.
        """
        found = Found()
        if self._links.is_one:
            await self._wait_on(self._links.home, places, count, block_ms, found)
        else:
            reads = [
                asyncio.create_task(self._wait_on(link, [places[at] for at in some], count, block_ms, found))
                for link, some in self._links.split([queue for queue, _ in places]).items()
            ]
            await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED)
            await self._end(reads)
        away = [error for _, error in found.refused if concerns_all(error)]
        if len(away) == len(self._access.servers.all):
            raise away[0]
        return found

    async def _end(self, reads: Sequence[asyncio.Task[None]]) -> None:
        """One of them has something: the others, on other servers, wait no longer."""
        while True:
            _, blocked = await asyncio.wait(reads, timeout=0)
            if not blocked:
                break
            with contextlib.suppress(Unavailable):
                await self.wake()
            await asyncio.wait(blocked, timeout=WAKE_AGAIN)
        for read in reads:
            read.result()

    async def _wait_on(
        self, link: Link, places: Sequence[QueueLane], count: int, block_ms: int, found: Found
    ) -> None:
        command = self._command(count, self._streams_of(places), block_ms)
        try:
            (reply,) = await link.batch(command, timeout=block_ms / 1000 + ANSWER)
        except StreamqError as error:
            reply = error
        if isinstance(reply, Exception):
            found.refused.append((places, translate(reply, sent=True)))
        elif reply:
            found.entries += [(self._places[stream], entries) for stream, entries in reply]

    def _streams_of(self, places: Sequence[QueueLane]) -> list[bytes]:
        try:
            return [self._streams[place] for place in places]
        except KeyError:
            for queue, lane in places:
                keys = self._access.keys(queue)
                self._streams[queue, lane] = (keys.bell if lane == BELL else keys.lanes[lane - 1]).encode()
            self._places = {stream: place for place, stream in self._streams.items()}
            return [self._streams[place] for place in places]

    def _command(self, count: int, streams: Sequence[bytes], block_ms: int) -> tuple[Any, ...]:
        return (
            "XREADGROUP", "GROUP", GROUP, self._worker, "COUNT", count, *(("BLOCK", block_ms) if block_ms else ()),
            "STREAMS", *streams, *[">"] * len(streams),
        )  # fmt: skip

    # -- waking ---------------------------------------------------------------------------------------------

    async def greet(self, queues: Callable[[], Sequence[str]]) -> bool:
        """Learn the client ids of new connections to the servers of these queues; whether one replaces another.

        A proxy may keep the old one open, with our read still blocked on it: that would take the next job.
        """
        if self._links.is_one:
            return await self._greet(self._links.home)
        replaced, errors, parts = False, list[Unavailable](), self._links.split(queues())
        for link in parts:
            try:
                replaced |= await self._greet(link)
            except Unavailable as error:  # the read of its queues raises it
                errors.append(error)
        if parts and len(errors) == len(parts):
            raise errors[0]
        return replaced

    async def _greet(self, link: Link) -> bool:
        generation, former = self._known.get(link, (0, 0))
        if link.connected and generation == link.generation:
            return False
        self._known[link] = (0, 0)
        number = 0
        with contextlib.suppress(Rejected):  # without the right to ask, a read ends by itself
            number = await link.call("CLIENT", "ID")
        self._known[link] = (link.generation, number)
        if not former:
            return False
        await self._end_read_of(link, former)
        return True

    async def _end_read_of(self, link: Link, number: int) -> None:
        """Wake our read on a former connection. Its name is compared, since a restarted server reuses client ids."""
        with contextlib.suppress(Rejected):  # no right to do so: the audits find what it took
            listed = clients_in(await link.call("CLIENT", "LIST", "ID", number))
            if any(client.get("name") == self._worker for client in listed):
                await link.call("CLIENT", "UNBLOCK", number)

    async def wake(self) -> None:
        """End the reads that are blocked now. Raises ``Unavailable``."""
        errors: list[Unavailable] = []
        async with self._access.pool.links() as others:
            for link, (_, number) in list(self._known.items()):
                try:
                    await others.beside(link).call("CLIENT", "UNBLOCK", number)
                except Unavailable as error:  # the reads on other servers are woken all the same
                    errors.append(error)
        if errors:
            raise errors[0]
