"""Reading ready jobs by plain XREADGROUP, which costs the server half of what a script would."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from streamq.errors import Rejected, StreamqError
from streamq.model.keys import GROUP
from streamq.model.lanes import BELL, READY, QueueLane
from streamq.redis.answers import concerns_all, translate
from streamq.redis.link import Link, Sent
from streamq.redis.links import Links
from streamq.redis.replies import clients_in
from streamq.store.access import Access
from streamq.store.waiting import Waiting

ANSWER: Final = 5.0
"""Seconds that a reply may take beyond the BLOCK time before the connection counts as lost: as long as a busy
server may pause."""


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
        self._waiting = None if links.is_one else Waiting(access, links, worker)
        self._generation = 0

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
        if self._waiting is not None:
            read = partial(self._read_of, count)
            for lanes, reply in (await self._waiting.wait(places, count, block_ms / 1000, read)).items():
                self._take(lanes, reply, found)
            return found
        await self._wait_on(self._links.home, places, count, block_ms, found)
        if found.refused and concerns_all(error := found.refused[0][1]):
            raise error
        return found

    def _read_of(self, count: int, lanes: Sequence[QueueLane]) -> tuple[Any, ...]:
        return self._command(count, self._streams_of(lanes), 0)

    async def _wait_on(
        self, link: Link, places: Sequence[QueueLane], count: int, block_ms: int, found: Found
    ) -> None:
        command = self._command(count, self._streams_of(places), block_ms)
        try:
            (reply,) = await link.batch(command, timeout=block_ms / 1000 + ANSWER)
        except StreamqError as error:
            reply = error
        self._take(places, reply, found)

    def _take(self, places: Sequence[QueueLane], reply: Any, found: Found) -> None:
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

    def suspect(self, queues: Collection[str]) -> None:
        """Something lies in these queues, of which nobody may have told us."""
        if self._waiting is not None:
            self._waiting.suspect(queues)

    # -- waking ---------------------------------------------------------------------------------------------

    async def greet(self) -> bool:
        """Learn the client ids of new connections; whether one replaces another.

        A proxy may keep the old one open, with our read still blocked on it: that would take the next job.
        """
        if self._waiting is None:
            return await self._greet(self._links.home)
        before, self._generation = self._generation, self._links.generation
        return before not in (0, self._generation)

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
        """End the read that is blocked now. Raises ``Unavailable``."""
        if self._waiting is not None:
            self._waiting.wake()
            return
        async with self._access.pool.links() as others:
            for _, number in list(self._known.values()):
                await others.home.call("CLIENT", "UNBLOCK", number)

    async def close(self) -> None:
        """Wait for nothing any more."""
        if self._waiting is not None:
            await self._waiting.close()
