"""Delivery: jobs that workers read, jobs that are pending under their names, and jobs that they give back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar

from streamq.errors import StreamqError
from streamq.model.keys import GROUP, Keys
from streamq.model.lanes import BELL, GATE, NUMBERS, QueueLane
from streamq.redis import scripts
from streamq.redis.answers import NoGroup, NoScript, translate
from streamq.redis.link import Link, Sent
from streamq.redis.links import Links
from streamq.redis.replies import pairs
from streamq.store.access import Access
from streamq.store.reader import Reader

T = TypeVar("T")

PENDING_PAGE: Final = 1_000
"""Rows of one answer to XPENDING: about half a millisecond of the server's time."""
RELEASED_AT_ONCE: Final = 100
"""Jobs that one call gives back: some milliseconds of the server's time. Fewer where they are large."""


class Passed(NamedTuple):
    """What the gate of a queue has let through."""

    more: bool
    """Whether there may be more now."""
    entries: list[tuple[int, list[Any]]]
    """Lanes, and their entries."""


class GateAsked(NamedTuple):
    """A call of a gate that is under way."""

    queue: str
    wanted: int
    link: Link
    sent: Sent
    keys: Keys
    arguments: tuple[Any, ...]

    async def answer(self) -> Passed | StreamqError:
        """What it let through, or why the server refused it. Raises ``Unavailable``."""
        reply = (await self.link.replies(self.sent))[-1]
        return await _passed(self.link, reply, self.keys, self.arguments)


@dataclass(slots=True)
class Depths:
    """How much waits, by queue and lane."""

    waiting: dict[QueueLane, int] = field(default_factory=dict)
    """Jobs that wait, in each lane that has entries; too low where delivered entries were deleted by hand."""
    refused: dict[str, StreamqError] = field(default_factory=dict)
    """Queues whose depth the server refused to tell, and why."""


class Delivery:
    """Commands: jobs go to workers and come back. Queries: what waits, and what is pending."""

    def __init__(self, access: Access) -> None:
        self._access = access

    # -- commands -------------------------------------------------------------------------------------------

    async def join(self, links: Links, queues: Iterable[str]) -> None:
        """Create the consumer groups of the queues where they are missing."""
        for queue in queues:
            await scripts.JOIN.run(links.of(queue), self._access.keys(queue))

    async def with_group(self, links: Links, queue: str, act: Callable[[], Awaitable[T]]) -> T:
        """Await ``act()``; when a consumer group of the queue is missing, create it and repeat."""
        try:
            return await act()
        except NoGroup:
            await self.join(links, (queue,))
            return await act()

    def reader(self, links: Links, worker: str) -> Reader:
        """Reads the ready jobs for a worker, over connections that nobody else uses."""
        return Reader(self._access, links, worker)

    async def fetch(self, links: Links, queue: str, worker: str, n: int) -> tuple[int, list[Any]]:
        """For a worker that runs nothing: one suspect, or up to ``n`` ready jobs. Returns lane and raw entries."""
        lane, entries = await scripts.FETCH.run(links.of(queue), self._access.keys(queue), worker, n)
        return lane, entries

    async def through_gate(
        self, links: Links, worker: str, asked: Mapping[str, tuple[int, Sequence[bytes]]]
    ) -> dict[str, Passed | StreamqError]:
        """Up to so many jobs of each queue that has groups, by turns and within limits; the bells are those heard."""
        queues = list(asked)
        calls = [
            (self._access.keys(queue), (worker, count, *bells)) for queue, (count, bells) in asked.items()
        ]

        async def send(link: Link, places: Sequence[int]) -> list[Any]:
            return [await self._through(link, *calls[place]) for place in places]

        replies = await links.pipeline(queues, send)
        return dict(zip(queues, replies, strict=True))

    def ask_gate(self, links: Links, worker: str, queue: str, count: int) -> GateAsked | None:
        """Send a call of the gate of a queue, whose answer comes later; ``None`` where it cannot be sent."""
        link, keys, arguments = links.home, self._access.keys(queue), (worker, count)
        if not (links.is_one and link.connected):
            return None
        return GateAsked(
            queue,
            count,
            link,
            link.begin(*_transaction(scripts.GATE.command, keys, arguments)),
            keys,
            arguments,
        )

    async def _through(self, link: Link, keys: Keys, arguments: tuple[Any, ...]) -> Passed | StreamqError:
        """What one queue's gate lets through is read in the same transaction, so nobody else can be given it."""
        return await _passed(
            link,
            (await link.batch(*_transaction(scripts.GATE.command, keys, arguments)))[-1],
            keys,
            arguments,
        )

    async def release(self, links: Links, queue: str, places: Sequence[tuple[int, bytes]]) -> int:
        """Give entries (lane, entry) back uncharged. Returns how many were still pending.

        A job whose end was asked for ends as cancelled instead.
        """
        keep = self._access.part_of(queue, self._access.settings.keep_failed)
        keys, link, released, at = self._access.keys(queue), links.of(queue), 0, 0
        while at < len(places):
            arguments = [part for lane_entry in places[at : at + RELEASED_AT_ONCE] for part in lane_entry]
            back, seen = await scripts.RELEASE.run(link, keys, keep, *arguments)
            released, at = released + back, at + seen
        return released

    async def claim_suspect(self, links: Links, queue: str, worker: str, ms: int) -> bool:
        """Whether a suspect waits in the queue, and this worker is the one that waits on its behalf for the next
        ``ms``. 0 gives the claim up."""
        keys = self._access.keys(queue)
        return bool(await scripts.CLAIM_SUSPECT.run(links.of(queue), keys, worker, ms))

    # -- queries --------------------------------------------------------------------------------------------

    async def pending(
        self, links: Links, places: Collection[QueueLane], worker: str
    ) -> dict[QueueLane, list[bytes]]:
        """By lane, the entries that are pending under a worker's name, all lanes in one round trip a page.

        A lane without any, or one that cannot be asked, is not in the answer.
        """
        found: dict[QueueLane, list[bytes]] = {}
        after = dict.fromkeys(places, b"-")
        while after:
            asked = list(after)
            commands = [
                ("XPENDING", self._lane(place), GROUP, start, "+", PENDING_PAGE, worker)
                for place, start in after.items()
            ]
            replies = await links.commands([queue for queue, _ in asked], commands)
            after = {}
            for place, rows in zip(asked, replies, strict=True):
                if rows and not isinstance(rows, Exception):
                    found.setdefault(place, []).extend(row[0] for row in rows)
                    if len(rows) == PENDING_PAGE:
                        after[place] = b"(" + rows[-1][0]
        return found

    def _lane(self, place: QueueLane) -> str:
        queue, lane = place
        keys = self._access.keys(queue)
        return keys.bell if lane == BELL else keys.lanes[lane - 1]

    async def pending_in(self, links: Links, queue: str, worker: str) -> list[tuple[int, bytes]]:
        """All entries of one queue that are pending under a worker's name: lane and entry of each."""
        found = await self.pending(links, [(queue, lane) for lane in NUMBERS], worker)
        return [(lane, entry) for (_, lane), entries in found.items() for entry in entries]

    async def depths(self, links: Links, places: Sequence[QueueLane]) -> Depths:
        """How many jobs wait in each of these lanes."""
        depths = Depths()
        if not places:
            return depths
        filled: dict[QueueLane, int] = {}
        lengths = await links.commands(
            [queue for queue, _ in places], [("XLEN", self._lane(place)) for place in places]
        )
        for place, length in zip(places, lengths, strict=True):
            if isinstance(length, StreamqError):
                depths.refused[place[0]] = length
            elif length:
                filled[place] = length
        if filled:
            deep = list(filled)
            commands = [("XINFO", "GROUPS", self._lane(place)) for place in deep]
            groups = await links.commands([queue for queue, _ in deep], commands)
            for place, reply in zip(deep, groups, strict=True):
                depths.waiting[place] = filled[place] - _delivered(reply)
        return depths


def _transaction(gate: Callable[..., tuple[Any, ...]], keys: Keys, arguments: tuple[Any, ...]) -> list[Any]:
    read = (
        "XREADGROUP", "GROUP", GROUP, arguments[0], "COUNT", arguments[1], "STREAMS", keys.passed, ">",
    )  # fmt: skip
    return [("MULTI",), gate(keys, arguments), read, ("EXEC",)]


async def _passed(link: Link, reply: Any, keys: Keys, arguments: tuple[Any, ...]) -> Passed | StreamqError:
    """What the transaction came to; it is sent in full where the script was unknown."""
    for again in (True, False):
        said = (
            reply
            if isinstance(reply, Exception)
            else next((each for each in reply if isinstance(each, Exception)), None)
        )
        if isinstance(reply, list) and isinstance(reply[0], Exception) and isinstance(reply[1], list):
            reply, said = [[0], reply[1]], None  # some were let through before, and are this worker's now
        if said is None:
            (more, *given), passed = reply
            entries = list(zip(given[::2], given[1::2], strict=True))
            return Passed(bool(more), [*entries, *([(GATE, passed[0][1])] if passed else [])])
        error = translate(said, sent=True)
        if not (again and isinstance(error, NoScript)):
            return error
        reply = (await link.batch(*_transaction(scripts.GATE.in_full, keys, arguments)))[-1]
    raise AssertionError("a script in full is known")


def _delivered(groups: Any) -> int:
    """How many entries of a lane are pending; 0 when there is no group, or the server refuses to tell."""
    for row in map(pairs, () if isinstance(groups, Exception) else groups):
        if row.get(b"name") == GROUP.encode():
            return int(row[b"pending"])
    return 0
