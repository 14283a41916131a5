"""The move of a queue from one server to another, as one of the two has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from streamq.errors import OutcomeUnknown, Rejected, StreamqError, Unavailable
from streamq.model.job_record import Counts
from streamq.model.keys import TOGETHER, Keys
from streamq.model.moving import CLOSED, HERE, Move, beside, doors, is_door, stays
from streamq.model.names import is_partition
from streamq.model.slots import partition_in
from streamq.noun_errors import MoveRefused
from streamq.redis import scripts
from streamq.redis.answers import is_of_another_type
from streamq.redis.replies import info_in, pairs
from streamq.store import pieces
from streamq.store.access import Access
from streamq.store.queues import SCANNED, Queues

T = TypeVar("T")

AT_ONCE: Final = 250
"""Keys that get other names in one call: a fraction of a millisecond of the server's time."""
_ANY: Final = "any"
"""A name, to see what stands around it in a key."""
CONFIRMED_IN: Final = 10.0
"""Seconds that replicas have to confirm what was copied."""
FILE_FOLLOWS: Final = 1.5
"""Seconds after which the file of a server has what was written, with the usual `appendfsync everysec`."""
LEASE: Final = 5.0
"""Seconds after its last sign of life for which a process alone may move a queue."""


class Leader(NamedTuple):
    """The process that moves a queue, and for how many milliseconds nobody else may."""

    token: str
    life: int


class Migrations:
    """Commands: a queue is closed, copied and opened. Queries: how far its move is, and what is in its keys.

    A key is called by its ``end``: what stands behind the name of the queue, which is the same on both servers.
    """

    def __init__(self, access: Access, queues: Queues) -> None:
        self._access, self._queues = access, queues

    def aside(self, queue: str) -> Keys:
        """The keys that a queue has while it moves."""
        settings, servers = self._access.settings, self._access.servers
        return Keys(settings.prefix, queue, sharded=not servers.is_one, aside=True)

    def _doors(self, queue: str) -> list[str]:
        """Each key that is known beforehand, with its name aside."""
        keys = self._access.keys(queue)
        return beside(doors(keys), keys, self.aside(queue))

    # -- commands on the server that it leaves ----------------------------------------------------------------

    async def begin(self, queue: str, move: str, peer: str) -> Move:
        """Note that a queue is to leave. Returns what is known of its move: of this one, or of another."""
        told = await self._run(queue, scripts.MIGRATE_BEGIN, self._access.keys(queue), move, peer)
        return Move.of(pairs(told))

    async def leave(self, queue: str, move: str, door: str) -> int:
        """Close a queue of which no job runs. Returns how many do."""
        on = scripts.MIGRATE_LEAVE.on(self._access.keys(queue), pairs=self._doors(queue))
        active: int = await self._run(queue, scripts.MIGRATE_LEAVE, on, move, door)
        if active < 0:
            raise _lost(queue)
        return active

    async def set_aside(self, queue: str, move: str) -> None:
        """The keys whose names are found by a walk alone go aside, after those that are known."""
        keys, aside = self._access.keys(queue), self.aside(queue)
        known = {*doors(keys)}
        async for page in self._pages(queue, keys.pattern):
            names = [name for name in page if name not in known and not stays(name.removeprefix(keys.before))]
            if names:
                await self._shift(queue, move, CLOSED, beside(tuple(names), keys, aside))

    async def give_up(self, queue: str, move: str, phase: str) -> None:
        """A queue that is closed opens as it was, and nothing is known of its move any more."""
        await self._bring_back(queue, move, phase)
        await self._open(queue, move, phase, "")

    # -- commands on the server that it comes to --------------------------------------------------------------

    async def expect(self, queue: str, move: str, peer: str, door: str) -> str:
        """Close a queue that is empty. Returns the phase of the move; ``busy`` or ``used`` where that cannot be."""
        on = scripts.MIGRATE_AWAIT.on(self._access.keys(queue), pairs=self._doors(queue))
        return str((await self._run(queue, scripts.MIGRATE_AWAIT, on, move, peer, door)).decode())

    async def take_the_lead(self, queue: str, token: str) -> bool:
        """Be the one process that moves the queue, unless another one is."""
        name, ms = self._access.keys(queue).migrator, int(LEASE * 1000)
        return bool(await self._call(queue, "SET", name, token, "NX", "PX", ms))

    async def leave_the_lead(self, queue: str, token: str) -> None:
        """Let another process go on at once."""
        name = self._access.keys(queue).migrator
        on = scripts.MIGRATE_LAND.on(migrator=name, target=name)
        await self._run(queue, scripts.MIGRATE_LAND, on, token, 1, "", "", 0)

    async def land(self, queue: str, token: str, end: str, kind: str, life: int, piece: pieces.Piece) -> None:
        """Write a piece of a key. Raises ``StreamqError`` where another process moves the queue by now."""
        keys = self._access.keys(queue)
        on = scripts.MIGRATE_LAND.on(migrator=keys.migrator, target=self.aside(queue).before + end)
        arguments = (token, int(LEASE * 1000), kind, piece.at, life, *piece.items)
        said = await self._run(queue, scripts.MIGRATE_LAND, on, *arguments)
        if said != 1:
            raise _lost(queue)

    async def show_life(self, queue: str, token: str) -> None:
        """Stay the one process that moves the queue."""
        await self.land(queue, token, "", "", 0, pieces.Piece("", [], 0))

    async def confirm(self, queue: str) -> None:
        """Wait until replicas have all that was written, and the file of the server too, where there are any.

        Raises ``Unavailable`` when that takes too long.
        """
        mark = (
            "PEXPIRE",
            self._access.keys(queue).migrator,
            int(LEASE * 1000),
        )  # a write, behind which they wait
        async with self._access.pool.links() as links:
            link, ms = links.of(queue), int(CONFIRMED_IN * 1000)
            try:
                info = info_in(await link.call("INFO"))
            except Rejected:  # a host that does not tell
                return
            if replicas := int(info.get("connected_slaves", 0)):
                _, have = await link.calls(mark, ("WAIT", replicas, ms), timeout=2 * CONFIRMED_IN)
                if have < replicas:
                    raise Unavailable(
                        f"{replicas - have} of {replicas} replicas have not confirmed what was copied: start the move "
                        "again when they follow; the old server has all of it"
                    )
            if info.get("aof_enabled") == "1":
                _, have = await link.batch(mark, ("WAITAOF", 1, 0, ms), timeout=2 * CONFIRMED_IN)
                if isinstance(
                    have, Exception
                ):  # Redis 7.0 does not know it: its file follows within a second
                    await asyncio.sleep(FILE_FOLLOWS)

    async def open(self, queue: str, move: str, phase: str) -> None:
        """The queue opens with all that has come."""
        await self._bring_back(queue, move, phase)
        await self._open(queue, move, phase, HERE)
        await self._queues.announce(queue)

    # -- commands on both -------------------------------------------------------------------------------------

    async def go_on(self, queue: str, move: str, phase: str, following: str) -> None:
        """The move is in its next phase. Raises ``StreamqError`` where it was in another one."""
        await self._shift(queue, move, phase, [], following)

    async def remove(self, queue: str, ends: Collection[str]) -> None:
        """Remove keys that lie aside."""
        before = self.aside(queue).before
        for end in ends:
            await self._call(queue, "UNLINK", before + end)

    async def clear(self, queue: str, move: str, phase: str) -> None:
        """Remove all that lies aside."""
        keys = self._access.keys(queue)
        async for page in self._pages(queue, self.aside(queue).pattern):
            on = scripts.MIGRATE_CLEAR.on(keys, others=page)
            if page and not await self._run(queue, scripts.MIGRATE_CLEAR, on, move, phase):
                raise _lost(queue)

    async def _bring_back(self, queue: str, move: str, phase: str) -> None:
        """What lies aside under names that are not known beforehand gets these; the rest follows at once."""
        keys, aside = self._access.keys(queue), self.aside(queue)
        known = {*doors(aside)}
        async for page in self._pages(queue, aside.pattern):
            if names := tuple(name for name in page if name not in known):
                await self._shift(queue, move, phase, beside(names, aside, keys))

    async def _open(self, queue: str, move: str, phase: str, following: str) -> None:
        on = scripts.MIGRATE_OPEN.on(self._access.keys(queue), pairs=self._doors(queue))
        said = await self._run(queue, scripts.MIGRATE_OPEN, on, move, phase, following)
        if said is None or said.decode() != following:
            raise _lost(queue)

    async def _shift(
        self, queue: str, move: str, phase: str, named: Sequence[str], following: str = ""
    ) -> None:
        keys = self._access.keys(queue)
        for begin in range(0, max(1, len(named)), 2 * AT_ONCE):
            on = scripts.MIGRATE_SHIFT.on(keys, pairs=named[begin : begin + 2 * AT_ONCE])
            said = await self._run(queue, scripts.MIGRATE_SHIFT, on, move, phase, following or phase)
            if said is None or said.decode() != (following or phase):
                raise _lost(queue)

    # -- queries ----------------------------------------------------------------------------------------------

    async def state(self, queue: str) -> Move:
        """How far the move of a queue is, as this server knows it."""
        return Move.of(pairs(await self._call(queue, "HGETALL", self._access.keys(queue).migration)))

    async def door(self, queue: str) -> str:
        """The text that stands where a queue was or will be; empty where it is open."""
        try:
            said = await self._call(queue, "GET", self._access.keys(queue).lanes[0])
        except StreamqError as error:
            if is_of_another_type(error):
                return ""
            raise
        text = (said or b"").decode("utf-8", "replace")
        return text if is_door(text) else ""

    async def explained(self, queue: str, error: T) -> T | StreamqError:
        """An error that was met in a queue: as ``QueueMoved`` where it moves or has moved."""
        if not isinstance(error, StreamqError) or isinstance(error, OutcomeUnknown):
            return error
        try:
            async with self._access.pool.links() as links:
                return await links.of(queue).explained(error, self._access.keys(queue).lanes)
        except StreamqError:
            return error

    async def leader(self, queue: str) -> Leader:
        """The process that moves a queue; without a token there is none."""
        name = self._access.keys(queue).migrator
        async with self._access.pool.links() as links:
            token, life = await links.of(queue).calls(("GET", name), ("PTTL", name))
        return Leader((token or b"").decode("utf-8", "replace"), life)

    async def size(self, queue: str) -> int:
        """About how many elements the keys of a queue have that lie open or aside: those that every queue has."""
        keys = self._access.keys(queue), self.aside(queue)
        states = [await pieces.state_of(self._caller(queue), name) for each in keys for name in doors(each)]
        return sum(state.size for state in states if state.kind != "string")

    async def names(self) -> set[str]:
        """The names under which there are any keys: queues, and records and counts of services."""
        prefix, found = self._access.keys(_ANY).before.removesuffix(_ANY + "}:"), set[str]()
        async with self._access.pool.links() as links:
            for server in self._access.servers.all:
                cursor = b"0"
                while True:
                    cursor, page = await links.to(server).call(
                        "SCAN", cursor, "MATCH", f"{prefix}*", "COUNT", SCANNED
                    )
                    texts = (name.decode("utf-8", "replace").removeprefix(prefix) for name in page)
                    found |= {partition_in(text.partition("}")[0]) for text in texts}
                    if cursor == b"0":
                        break
        return {name for name in found if is_partition(name) and name != TOGETHER}

    async def ends(self, queue: str) -> set[str]:
        """The keys of a queue that lie aside."""
        aside = self.aside(queue)
        return {
            name.removeprefix(aside.before)
            async for page in self._pages(queue, aside.pattern)
            for name in page
        }

    async def key(self, queue: str, end: str) -> pieces.KeyState:
        """A key that lies aside."""
        return await pieces.state_of(self._caller(queue), self.aside(queue).before + end)

    async def ended_at(self, queue: str, end: str, kind: str) -> str:
        """Where a list or a stream that lies aside ends."""
        return await pieces.end_of(self._caller(queue), self.aside(queue).before + end, kind)

    async def read(self, queue: str, end: str, kind: str, at: str) -> AsyncIterator[pieces.Piece]:
        """The elements of a key that lies aside."""
        name = self.aside(queue).before + end
        async for piece in pieces.pieces(self._caller(queue), name, kind, at):
            yield piece

    async def remembered(self, queue: str, end: str) -> pieces.Piece:
        """What a stream that lies aside remembers beside its entries."""
        said = await pieces.groups_of(self._caller(queue), self.aside(queue).before + end)
        return pieces.Piece("", said, 0)

    async def digest(self, queue: str, end: str) -> str:
        """What a key that lies aside comes to; empty where there is none."""
        return await pieces.digest(self._caller(queue), self.aside(queue).before + end)

    async def counts(self, queue: str) -> Counts:
        """How many jobs of each state lie aside."""
        return await self._queues.counts_in(queue, self.aside(queue))

    # -- schedules, whose names are those of the whole app ------------------------------------------------------

    async def places(self, names: Collection[str]) -> dict[str, str]:
        """Where schedules are, of those that are anywhere."""
        if not names:
            return {}
        found = await self._access.pool.call_home("HMGET", self._access.shared.schedules, *names)
        return {name: place.decode() for name, place in zip(names, found, strict=True) if place is not None}

    async def scheduled(self, queue: str) -> list[str]:
        """The names of the schedules of a queue, aside or not."""
        keys = self._access.keys(queue) if not await self.door(queue) else self.aside(queue)
        return [name.decode("utf-8", "replace") for name in await self._call(queue, "HKEYS", keys.schedules)]

    async def place(self, names: dict[str, str]) -> None:
        """Note where schedules are."""
        if names:
            said = [each for pair in names.items() for each in pair]
            await self._access.pool.call_home("HSET", self._access.shared.schedules, *said)

    async def shared_told(self) -> dict[bytes, bytes]:
        """What was told of shared limits, and what code says of them."""
        return pairs(await self._access.pool.call_home("HGETALL", self._access.shared.shared))

    async def tell_shared(self, told: dict[bytes, bytes]) -> None:
        """The same, where nothing is told yet."""
        for name, value in told.items():
            await self._access.pool.call_home("HSETNX", self._access.shared.shared, name, value)

    async def forget(self, queue: str, names: Collection[str]) -> None:
        """A queue that has left is on no list any more, and its schedules neither."""
        await self._queues.strike(queue)
        await self._call(queue, "UNLINK", self._access.keys(queue).leases)
        if names:
            await self._access.pool.call_home("HDEL", self._access.shared.schedules, *names)

    # -- how it is sent ---------------------------------------------------------------------------------------

    async def _pages(self, queue: str, pattern: str) -> AsyncIterator[list[str]]:
        cursor = b"0"
        while True:
            cursor, found = await self._call(queue, "SCAN", cursor, "MATCH", pattern, "COUNT", SCANNED)
            yield [name.decode("utf-8", "surrogateescape") for name in found]
            if cursor == b"0":
                return

    def _caller(self, queue: str) -> pieces.Call:
        async def call(*command: Any) -> Any:
            return await self._call(queue, *command)

        return call

    async def _call(self, queue: str, *command: Any) -> Any:
        return await self._access.pool.call(queue, *command)

    async def _run(
        self, queue: str, script: scripts.Script, keys: Keys | scripts.Named, *arguments: Any
    ) -> Any:
        async with self._access.pool.links() as links:
            return await script.run(links.of(queue), keys, *arguments)


def _lost(queue: str) -> MoveRefused:
    return MoveRefused(queue, "another process moves it by now, or has given that up: start again")
