"""Partitions: how many each queue has, as all processes know it, and where its groups and keys belong.

A change goes in steps, and whoever meets one that is not finished takes the next: first it is written down, then each
old partition is closed to producers that do not know of it, then what lives there and belongs elsewhere is noted. From
then on producers ask for a moved group or key at its old home first, which takes the job as long as any other of them
is left there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from streamq.errors import StreamqError
from streamq.model.clock import monotonic
from streamq.model.names import is_partition
from streamq.model.partitions import WHOLE, Partitions, read
from streamq.model.places import WITHIN, anchor, home, number_of, queue_of
from streamq.model.schedule import group_in
from streamq.noun_errors import PartitionsChanging
from streamq.redis import scripts
from streamq.redis.link import Link
from streamq.redis.links import Links
from streamq.redis.replies import pairs
from streamq.store.access import Access
from streamq.store.group import Groups
from streamq.store.inheriting import inherit

FRESH: Final = 1.0
"""Seconds for which what was read is taken to be so, by who looks at queues. Producers are told by the scripts."""
RETIRED: Final = 86_400
"""Seconds for which partitions beyond the count stay: longer than any producer may repeat a call."""
WALKS: Final = 3
"""How often it is looked whether anything of a group is left: a job that goes from one key to another while one looks
at the other is missed by a walk, and by no three unless it comes and goes each time."""
SCANNED: Final = 500
"""Jobs that one call looks at: about half a millisecond of the server's time."""


class PartitionStore:
    """Commands: a number of partitions is told, and what follows from that. Queries: the partitions of queues."""

    def __init__(self, access: Access, groups: Groups) -> None:
        self._access, self._groups = access, groups
        self._read_at = 0.0

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
        members = await self._access.ask_home("SMEMBERS", self._access.shared.queues)
        listed = [member.decode("utf-8", "replace") for member in members]
        late = {name for name in listed if is_partition(name) and queue_of(name) in queues}
        return [*names, *sorted(late.difference(names))]

    # -- commands -------------------------------------------------------------------------------------------

    async def change(self, queue: str, count: int, *, told: bool) -> Partitions:
        """Tell how many partitions a queue has. ``told`` by an operator; what code says only makes them more, and
        counts nothing where one has told. Raises ``PartitionsChanging`` while another change goes on."""
        while True:
            text, its = await self._read(queue)
            is_there = its.count == count or (not told and (its.told or its.count > count))
            if is_there and (its.told or not told):
                return await self.settled_or_moving(queue)
            if its.phase != "settled":
                raise PartitionsChanging(queue, its.was, its.count, count)
            changed = its.changed(count, told=told)
            if is_there:
                changed = replace(its, told=True)
            if await self._write(queue, text, changed):
                return await self.settled_or_moving(queue)

    async def close(self, queue: str, its: Partitions) -> None:
        """Close all partitions of a queue to producers that do not know of its last change."""
        async with self._access.pool.links() as links:
            await self._close(links, its.names(queue), its)

    async def _close(self, links: Links, names: Sequence[str], its: Partitions) -> None:
        calls: list[tuple[Any, Sequence[Any]]] = [
            (self._access.keys(name), (its.generation,)) for name in names
        ]
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
        """The queue does not come here after all."""
        await self._access.pool.call_home("HDEL", self._access.shared.partitions, queue)
        self._access.partitions.pop(queue, None)

    async def settled_or_moving(self, queue: str) -> Partitions:
        """The partitions of a queue, read anew, once it is known what has to stay where it is."""
        text, its = await self._read(queue)
        if its.phase != "closing":
            return its
        names = list(its.names(queue))
        old = names[: its.had]
        async with self._access.pool.links() as links:
            await inherit(self._access, self._groups, links, names, names[its.had :])
            await self._close(links, old, its)
            stays = False
            for name in old:
                stays |= await self._note_staying(links.of(name), name, its)
        await self._write(queue, text, replace(its, phase="moving" if stays else "settled"))
        return (await self._read(queue))[1]

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
        if said:
            self._access.partitions[queue] = its
        return bool(said)

    # -- what stays where it was ----------------------------------------------------------------------------

    async def _note_staying(self, link: Link, name: str, its: Partitions) -> bool:
        """Note what lives in an old partition and belongs elsewhere now. Returns whether anything does."""
        key = self._access.keys(name).staying
        async for some in self._living(link, name):
            moved = [each for each in some if _moves(each, name, its)]
            if moved:
                await link.batch(*[("HSETNX", key, each, 1) for each in moved])
        return int(await link.call("HLEN", key)) > 1  # one has no name

    async def _living(self, link: Link, name: str) -> AsyncIterator[set[str]]:
        """Groups and keys of which there is any job in a partition, some at a time."""
        keys = self._access.keys(name)
        async for rows in _scan(link, "HSCAN", keys.out):
            yield {anchor(text.decode("utf-8", "replace").partition("\n")[0], "") for text in rows[1::2]}
        cursor = b""
        while cursor != b"0":
            cursor, *said = await scripts.TENANTS.run(link, keys, cursor or 0, SCANNED)
            yield {anchor(text.decode("utf-8", "replace"), "") for text in said}
        async for rows in _scan(link, "HSCAN", keys.schedules):
            yield {anchor(group, "") for text in rows[1::2] if (group := group_in(text))}
        async for rows in _scan(link, "HSCAN", keys.unique):
            yield {_anchor_of_key(text.decode("utf-8", "replace")) for text in rows[::2]}

    async def sweep(self, queue: str) -> Partitions:
        """Let go what was found to be gone: what lives nowhere in its old home, however often one looks. Where nothing
        stays any more, the change is over; where those beyond the count are empty for a day, nobody looks there."""
        text, its = await self._read(queue)
        if its.phase == "closing":
            return await self.settled_or_moving(queue)
        if its.phase != "moving":
            return await self._drain(queue, text, its) if its.reach > its.count else its
        stay = 0
        async with self._access.pool.links() as links:
            for name in its.names(queue):
                stay += await self._let_go(links.of(name), name)
        if not stay:
            await self._write(queue, text, replace(its, phase="settled", was=its.count))
        return self.known(queue)

    async def _drain(self, queue: str, text: bytes, its: Partitions) -> Partitions:
        """Those beyond the count are served for a day after they are empty: by then nobody sends there any more."""
        async with self._access.pool.links() as links:
            clock = await links.home.call("TIME")
            now, beyond = int(clock[0]), its.names(queue)[its.count :]
            sizes = [size for name in beyond for size in await links.of(name).calls(*self._sizes(name))]
        drained = 0 if any(sizes) else its.drained or now
        if drained and now - drained > RETIRED:
            its = replace(its, reach=its.count, drained=0)
        elif drained == its.drained:
            return its
        else:
            its = replace(its, drained=drained)
        await self._write(queue, text, its)
        return self.known(queue)

    def _sizes(self, name: str) -> list[tuple[str, str]]:
        """The commands that tell whether anything is left in a partition."""
        keys = self._access.keys(name)
        return [
            *[("XLEN", lane) for lane in keys.lanes],
            *[("HLEN", key) for key in (keys.parked, keys.finished, keys.schedules)],
        ]

    async def _let_go(self, link: Link, name: str) -> int:
        """Returns how many stay."""
        key = self._access.keys(name).staying
        noted = pairs(await link.call("HGETALL", key))
        noted.pop(b"", None)
        gone = dict(noted)
        for _ in range(WALKS):
            if gone:
                async for some in self._living(link, name):
                    for each in some:
                        gone.pop(each.encode(), None)
        if not gone:
            return len(noted)
        flat = [part for row in gone.items() for part in row]
        _, stay = await scripts.LEAVE_HOME.run(link, self._access.keys(name), *flat)
        return int(stay)


async def _scan(link: Link, command: str, key: str) -> AsyncIterator[list[bytes]]:
    cursor = b""
    while cursor != b"0":
        cursor, rows = await link.call(command, key, cursor or 0, "COUNT", SCANNED)
        yield rows


def _anchor_of_key(key: str) -> str:
    tenant, within, _ = key.partition(WITHIN)
    return anchor(tenant, "") if within else anchor("", key)


def _moves(anchor_: str, name: str, its: Partitions) -> bool:
    """Whether what lives in a partition belongs elsewhere now. In a queue that had one, keys were unique in all of it:
    so each group with its keys stays until it is gone, and is made anew then."""
    return its.is_first or home(anchor_, its.count) != number_of(name)
