"""Partitions: how many each queue has, as all processes know it, and where its groups and keys belong.

A change goes in steps, and whoever meets one that is not finished takes the next: first it is written down, then each
old partition is closed to producers that do not know of it, then what lives there and belongs elsewhere is noted. From
then on producers ask for a moved group or key at its old home first, which takes the job as long as any other of them
is left there.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from streamq.errors import Rejected, StreamqError
from streamq.model.clock import monotonic
from streamq.model.names import is_partition
from streamq.model.partitions import WHOLE, Partitions, read
from streamq.model.places import SEPARATOR, anchor, anchor_before, home, partition, queue_of
from streamq.noun_errors import PartitionsChanging
from streamq.redis import scripts
from streamq.redis.replies import pairs
from streamq.store.access import Access
from streamq.store.group import Groups
from streamq.store.inheriting import inherit
from streamq.store.replicated import confirm, until_safe
from streamq.store.schedules import Schedules
from streamq.store.staying import NOTHING, Staying, let_go, note

FRESH: Final = 1.0
"""Seconds for which what was read is taken to be so, by who looks at queues. Producers are told by the scripts."""
RETIRED: Final = 86_400
"""Seconds for which partitions beyond the count stay: longer than any producer may repeat a call."""
LEASE: Final = 10_000
"""Milliseconds for which others wait for the process that notes what stays, unless it goes on showing that it lives."""
LOOK: Final = 0.1
"""Seconds between two looks of those who wait for it."""


class _Overtaken(Exception):
    """It took so long that another process does it."""


class PartitionStore:
    """Commands: a number of partitions is told, and what follows from that. Queries: the partitions of queues."""

    def __init__(self, access: Access, groups: Groups, schedules: Schedules) -> None:
        self._access, self._groups, self._schedules = access, groups, schedules
        self._read_at = 0.0
        self._finding: dict[str, asyncio.Future[Partitions]] = {}
        """By queue, what has to stay is being found out."""

    # -- queries --------------------------------------------------------------------------------------------

    def known(self, queue: str) -> Partitions:
        """The partitions of a queue as they were last read."""
        return self._access.partitions.get(queue, WHOLE)

    async def refresh(self, *, fresh: float = FRESH) -> None:
        """Read those of all queues, unless that was done so many seconds ago."""
        if monotonic() - self._read_at < fresh:
            return
        began = monotonic()
        rows = pairs(await self._access.ask_home("HGETALL", self._access.shared.partitions))
        found = {name.decode("utf-8", "replace"): read(text) for name, text in rows.items()}
        self._access.partitions.clear()
        self._access.partitions.update({name: its for name, its in found.items() if not its.is_whole})
        self._read_at = began

    async def of_each(self, queues: Iterable[str]) -> list[str]:
        """The names of the partitions of these queues that may have jobs."""
        await self.refresh()
        return self.known_of_each(queues)

    def known_of_each(self, queues: Iterable[str]) -> list[str]:
        """The same as they were last read."""
        return [name for queue in queues for name in self.known(queue).names(queue)]

    async def in_use(self, queues: Iterable[str]) -> list[str]:
        """The same, with those beyond in which a producer that was late has put anything."""
        queues = list(queues)
        names = await self.of_each(queues)
        try:
            members = await self._access.ask_home("SMEMBERS", self._access.shared.queues)
        except Rejected:  # what is wrong with the list keeps nobody from the partitions that are known
            return names
        listed = [member.decode("utf-8", "replace") for member in members]
        late = {name for name in listed if is_partition(name) and queue_of(name) in queues}
        return [*names, *sorted(late.difference(names))]

    async def place_of_group(self, queue: str, group: str) -> str:
        """The partition to which jobs of a group go now: an old home as long as any of them is left there."""
        its, by = self.known(queue), anchor(group, "")
        former = [(home(by, count), by) if count else (0, anchor_before(by)) for count in its.former]
        for number, field in former:
            name = partition(queue, number)
            if await self._access.pool.call(name, "HEXISTS", self._access.keys(name).staying, field):
                return name
        return partition(queue, home(by, its.count))

    # -- commands -------------------------------------------------------------------------------------------

    async def change(self, queue: str, count: int, *, told: bool) -> Partitions:
        """Tell how many partitions a queue has. ``told`` by an operator; what code says only makes them more, and
        counts nothing where one has told, and where it is not possible now it is to be said again. What an operator
        tells then raises ``PartitionsChanging``. Raises ``QueueMoved``."""
        await self._access.pool.call(
            queue, "XLEN", self._access.keys(queue).lanes[0]
        )  # before any is written
        while True:
            text, its = await self._read(queue)
            is_there = its.count == count or (not told and (its.told or its.count > count))
            is_possible = its.phase != "closing" and its.may_become(count)
            if (is_there and (its.told or not told)) or not (is_there or is_possible or told):
                return await self.settled_or_moving(queue)
            if is_there:
                changed = replace(its, told=True)
            elif is_possible:
                changed = its.changed(count, told=told, now=await self._now() // 1000)
            else:
                back = () if its.phase == "closing" else its.may_go_back_to
                raise PartitionsChanging(queue, its.was, its.count, count, back)
            if await self._write(queue, text, changed):
                now = await self.settled_or_moving(queue)
                if now.generation >= changed.generation:  # else the server that knew it is lost
                    return now

    async def close(self, queue: str, its: Partitions) -> None:
        """Close all partitions of a queue to producers that do not know of its last change."""
        names = its.names(queue)
        calls: list[tuple[Any, Sequence[Any]]] = [
            (self._access.keys(name), (its.generation,)) for name in names
        ]
        async with self._access.pool.links() as links:
            for reply in await scripts.PLACING.run_over(links, names, calls):
                if isinstance(reply, StreamqError):
                    raise reply

    async def adopt(self, queue: str, its: Partitions) -> Partitions:
        """Have as many partitions as the queue has elsewhere, from where it comes, unless any are known here. Returns
        those that are."""
        _, here = await self._read(queue)
        if here.is_whole and not its.is_whole:
            await self._write(queue, b"", its)
            _, here = await self._read(queue)
        return here

    async def disown(self, queue: str) -> None:
        """The queue does not come here after all, or is removed: nothing is known of its partitions any more."""
        await self._access.pool.call_home("HDEL", self._access.shared.partitions, queue)
        shared = self._access.shared.shared
        fields = await self._access.pool.call_home("HKEYS", shared)
        own = [
            field for field in fields if field.partition(b" ")[2].startswith(f"{queue}{SEPARATOR}".encode())
        ]
        if own:
            await self._access.pool.call_home("HDEL", shared, *own)
        self._access.partitions.pop(queue, None)

    async def settled_or_moving(self, queue: str) -> Partitions:
        """The partitions of a queue, read anew, once it is known what has to stay where it is. Of all who wait for that
        one finds it out: of this process, and of all processes as long as it is alive."""
        finding = self._finding.get(queue)
        if finding is None:
            finding = self._finding[queue] = asyncio.ensure_future(self._find(queue))
            finding.add_done_callback(lambda done: self._found(queue, done))
        return await asyncio.shield(finding)

    def _found(self, queue: str, done: asyncio.Future[Partitions]) -> None:
        self._finding.pop(queue, None)
        if not done.cancelled():
            done.exception()  # who waits for it raises it

    async def found_later(self, queue: str, generation: int) -> Partitions:
        """Somebody who knew that change was refused for a later one. Where nobody knows of that, as the server that was
        told of it first is lost, it is told again, under a number that is later still."""
        text, its = await self._read(queue)
        if its.phase != "closing" and its.generation <= generation:
            now = await self._now() // 1000
            await self._write(queue, text, its.changed(its.count, told=its.told, now=now))
        return await self.settled_or_moving(queue)

    async def _find(self, queue: str) -> Partitions:
        me = secrets.token_hex(8)
        while True:
            text, its = await self._read(queue)
            if its.phase != "closing":
                return its
            now = await self._now()
            if its.walker not in ("", me) and its.until > now:
                await asyncio.sleep(LOOK)
                continue
            its = replace(its, walker=me, until=now + LEASE)
            if await self._write(queue, text, its):
                return await self._walk(queue, its)

    async def _walk(self, queue: str, its: Partitions) -> Partitions:
        """Close the old partitions, and note what stays in each; others see meanwhile that this is done."""
        names, renewed = list(its.names(queue)), monotonic()

        async def show_life() -> None:
            nonlocal its, renewed
            if monotonic() - renewed > LEASE / 3000:
                later = replace(its, until=await self._now() + LEASE)
                if not await self._write(queue, its.written(), later):
                    raise _Overtaken
                its, renewed = later, monotonic()

        links, stay = self._access.links(), NOTHING
        try:
            async for _ in until_safe(self._access, names):
                await self._hold(queue, its)
                await inherit(self._access, self._groups, names, its)
                await self.close(queue, its)
                stay = NOTHING
                for name in names[: its.had]:
                    stay += await note(self._access, links.of(name), name, its, show_life)
                await self._seen(queue, its.written(), its, stay)
        except _Overtaken:
            return await self._find(queue)
        finally:
            await links.close()
        return (await self._read(queue))[1]

    async def _hold(self, queue: str, its: Partitions) -> None:
        """Be the one who walks, also where a server that has failed over knows nothing of that."""
        text, now = await self._read(queue)
        is_held = text == its.written()
        if now.generation != its.generation or not (is_held or await self._write(queue, text, its)):
            raise _Overtaken

    async def _seen(self, queue: str, text: bytes, its: Partitions, stay: Staying) -> None:
        """So much was seen to stay; where that is nothing, the change is over. Schedules have no jobs while they rest:
        they go when those of their group have gone."""
        for name in its.names(queue):
            await self._schedules.follow(name, its)
        after = its.moving(stay.count, stay.examples) if stay.count else its.settled()
        if after != its:
            await self._write(queue, text, after)

    async def stop(self) -> None:
        """Find out nothing more: the store is closed."""
        for finding in list(self._finding.values()):
            finding.cancel()
            await asyncio.wait([finding])

    async def _now(self) -> int:
        """The server's time in ms since the epoch."""
        seconds, micros = await self._access.pool.call_home("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    async def _read(self, queue: str) -> tuple[bytes, Partitions]:
        text = await self._access.pool.call_home("HGET", self._access.shared.partitions, queue) or b""
        its = read(text)
        if its.is_whole:
            self._access.partitions.pop(queue, None)
        else:
            self._access.partitions[queue] = its
        return text, its

    async def _write(self, queue: str, before: bytes, its: Partitions) -> bool:
        async with self._access.pool.links() as links:
            on = scripts.PARTITION_CHANGE.on(partitions=self._access.shared.partitions)
            said = await scripts.PARTITION_CHANGE.run(links.home, on, queue, before, its.written())
            # a partition that is closed to a change nobody knows takes no job
            if said and its.phase == "closing":
                await confirm(links.home)
        if said:
            self._access.partitions[queue] = its
        return bool(said)

    # -- the end of a change ---------------------------------------------------------------------------------

    async def sweep(self, queue: str) -> Partitions:
        """Let go what was found to be gone: what lives nowhere in its old home, however often one looks. Where nothing
        stays any more, the change is over; where those beyond the count are empty for a day, nobody looks there."""
        text, its = await self._read(queue)
        if its.phase == "closing":
            return await self.settled_or_moving(queue)
        if its.phase != "moving":
            return await self._drain(queue, text, its) if its.reach > its.count else its
        stay = NOTHING
        async with self._access.pool.links() as links:
            for name in its.names(queue):
                stay += await let_go(self._access, links.of(name), name)
        await self._seen(queue, text, its, stay)
        return self.known(queue)

    async def _drain(self, queue: str, text: bytes, its: Partitions) -> Partitions:
        """Those beyond the count are served for a day after they are empty: by then nobody sends there any more."""
        now, sizes = await self._now() // 1000, list[int]()
        for name in its.names(queue)[its.count :]:
            *jobs, _ = await self._kept_in(name)
            if not any(jobs):
                await self._schedules.follow(name, its, alone=True)
            sizes += [*await self._kept_in(name), await self._schedules.count(name)]
        drained = 0 if any(sizes) else its.drained or now
        if drained and now - drained > RETIRED:
            its = replace(its, reach=its.count, drained=0)
        elif drained == its.drained:
            return its
        else:
            its = replace(its, drained=drained)
        await self._write(queue, text, its)
        return self.known(queue)

    async def _kept_in(self, name: str) -> list[int]:
        """How many jobs are left in the places of a partition, and records of them."""
        keys = self._access.keys(name)
        lengths = [("XLEN", lane) for lane in keys.lanes] + [
            ("HLEN", key) for key in (keys.parked, keys.finished)
        ]
        async with self._access.pool.links() as links:
            return [int(size) for size in await links.of(name).calls(*lengths)]
