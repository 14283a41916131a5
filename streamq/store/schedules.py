"""Schedules: their definitions, their next planned times, and their runs."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, NamedTuple

from streamq.errors import Rejected, StreamqError
from streamq.model import codec, due
from streamq.model.clock import from_ms, to_ms
from streamq.model.names import is_partition
from streamq.model.partitions import WHOLE, Partitions
from streamq.model.places import anchor, anchor_before, home, number_of, partition, queue_of
from streamq.model.schedule import Moving, Schedule
from streamq.model.schedule_record import ScheduleRecord, record
from streamq.noun_errors import QueueMoved
from streamq.redis import scripts
from streamq.redis.link import Link
from streamq.redis.links import Links
from streamq.redis.replies import pairs
from streamq.store.access import Access

log = logging.getLogger("streamq.store")

STALE: Final = "stale"
"""What a tick is answered when another has done it, or the schedule has changed."""
_AWAY: Final = "away"
"""What the script answers when the group of a tick has another home by now: the schedule goes there, too."""
IN_TURN: Final = "schedule:"
"""Before the name of a schedule in the key that its jobs have where they wait for each other."""
SAME: Final = "same"
"""In the place of a next planned time: the one that it has stays."""
SKIPPED: Final = "skipped"
"""What it is answered when the job of the run before is not at its end, and runs may not overlap."""
FULL: Final = "full"
"""What it is answered when no more jobs may wait in the queue: then the planned time stays the next one."""


class Tick(NamedTuple):
    """The run of a planned time as a scheduler asks for it; times are milliseconds since the epoch."""

    schedule: Schedule
    version: int
    """Of the schedule as it is known here."""
    expected: int | None
    """The planned time that is next, as far as it is known here; ``None`` to run now, whatever is planned."""
    following: int | None
    """The planned time after it."""
    planned: int | None
    """That of the run; ``None`` when there is none."""
    missed: int = 0
    due: int | None = None
    """When the job is due, when that is put off."""


class Ticked(NamedTuple):
    """What became of a tick: ``ran``, ``skipped``, ``none``, ``stale`` or ``full``."""

    said: str
    job: str
    """Its id; of one that found no room, what ``noun_errors.full`` takes."""


class Kept(NamedTuple):
    """What is kept of the schedules of a queue."""

    definitions: Mapping[bytes, bytes]
    ticks: Mapping[bytes, bytes]
    runs: Mapping[bytes, bytes]


class Schedules:
    """Commands: schedules are made, changed, paused, removed and run. Queries: which there are, and what is planned."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._unreadable: dict[tuple[str, bytes], bytes] = {}

    # -- commands -------------------------------------------------------------------------------------------

    async def claim(self, name: str, queue: str, before: str | None) -> bool:
        """Take the name for a schedule of this queue. Whether ``before`` stood there, as ``place_of`` tells it."""
        keys = scripts.SCHEDULE_CLAIM.on(all_schedules=self._access.shared.schedules)
        async with self._access.pool.links() as links:
            return bool(await scripts.SCHEDULE_CLAIM.run(links.home, keys, name, queue, before or ""))

    async def forget(self, name: str) -> None:
        """The name is free."""
        await self._access.pool.call_home("HDEL", self._access.shared.schedules, name)

    async def put(self, schedule: Schedule, version: int, following: int | str | None) -> int | None:
        """Make a schedule, or change it; ``following`` may be ``SAME``.

        Returns its version then; ``None`` when it was not at ``version``, or ``following`` has been run already.
        """
        return await self._put(
            schedule.queue, schedule.name, version, schedule.encoded(), following, None, 0, b""
        )

    async def _put(self, queue: str, name: str, version: int, *what: Any) -> int | None:
        arguments = (name, version, *map(_text, what))
        async with self._access.pool.links() as links:
            keys = self._access.keys(queue)
            said = await scripts.SCHEDULE_PUT.run(links.of(queue), keys, *arguments)
        return None if said is None else int(said)

    async def leave(self, found: ScheduleRecord, schedule: Schedule, planned: int | None) -> bool:
        """A schedule leaves its queue for that of ``schedule``, which it is from now on; ``arrive`` ends that.

        It rests meanwhile, and all that is needed to end it is kept with it: a process that is killed between the two
        leaves it to whoever meets it. Whether it was at the version and the next planned time of ``found``.
        """
        definition = schedule.encoded(Moving(schedule.queue, planned))
        expected = None if found.next_at is None else to_ms(found.next_at)
        said = await self._put(
            found.schedule.queue, found.name, found.version, definition, None, expected, 0, b""
        )
        return said is not None

    async def arrive(self, left: ScheduleRecord) -> None:
        """A schedule that has left its queue arrives in the other one: as new, but for its pause and the number of its
        changes; in another partition with all but the job of its last run. Several may do it at once, and again.

        Its copy rests there until the name is taken for it, and is removed where it was only when it runs there. The
        numbers never come twice: who is late with an old move takes and removes nothing of a later one.
        """
        moving, name, queue = left.moving, left.name, left.schedule.queue
        if moving is None:
            return
        if moving.queue == queue:  # the copy
            await self._begin(left)
            return
        place, again = await self.place_of(name), await self._lying(queue, name)
        if again is None or again.version != left.version:
            return  # others were faster
        await self._copy(left, moving)
        there = f"{moving.queue} {left.version + 1}"
        if queue_in(place) == queue and await self.claim(name, there, place):
            place = there
            await self._copy(left, moving)  # it may have been taken for one that is late
        copy = await self._lying(moving.queue, name)
        if copy is not None and copy.moving and copy.version == left.version + 1:
            await self._begin(copy)
        if await self.place_of(name) == there and await self._lying(moving.queue, name) is None:
            return  # who meets it next ends it
        await self.remove(queue, name, left.version)

    async def follow(self, queue: str, its: Partitions, *, alone: bool = False) -> None:
        """The schedules of a partition go where the jobs of their groups are at home now, once none of these is left
        here; with ``alone``, those without a group go as well: no job is left here, and no more come."""
        for each in await self.listed([queue]) if await self.count(queue) else ():
            group = each.schedule.group or ""
            there = partition(queue_of(queue), home(anchor(group, each.name), its.count))
            if each.moving:
                await self.arrive(each)
            elif there != queue and (not await self._stays(queue, group) if group else alone):
                planned = None if each.next_at is None else to_ms(each.next_at)
                if await self.leave(each, replace(each.schedule, queue=there), planned):
                    left = await self._lying(queue, each.name)
                    await self.arrive(left or each)

    async def _stays(self, queue: str, group: str) -> bool:
        """Whether jobs of a group are at an old home of theirs here."""
        by = anchor(group, "")
        fields = await self._access.pool.call(
            queue, "HMGET", self._access.keys(queue).staying, by, anchor_before(by)
        )
        return any(fields)

    async def _copy(self, left: ScheduleRecord, moving: Moving) -> None:
        copy, number = replace(left.schedule, queue=moving.queue), left.version + 1
        lying = await self._lying(moving.queue, left.name)
        if lying is not None and lying.moving and lying.version < number:  # of a move that never ended
            await self.remove(moving.queue, left.name, lying.version)
        is_same = queue_of(left.schedule.queue) == queue_of(moving.queue)
        runs = (left if is_same else ScheduleRecord(copy, number, paused=left.paused)).written_runs()
        await self._put(moving.queue, left.name, 0, copy.encoded(moving), None, None, left.version, runs)

    async def _lying(self, queue: str, name: str) -> ScheduleRecord | None:
        with suppress(ValueError):  # another program's: it bars the way
            return await self.get(queue, name)
        return None

    async def _begin(self, copy: ScheduleRecord) -> None:
        """A copy runs from now on, where its name is taken for it; one that came too late is removed."""
        schedule, moving = copy.schedule, copy.moving
        if moving is None or await self.place_of(copy.name) != f"{schedule.queue} {copy.version}":
            await self.remove(schedule.queue, copy.name, copy.version)
            return
        planned = moving.planned
        await self._put(schedule.queue, copy.name, copy.version, schedule.encoded(), planned, None, 0, b"")

    async def pause(self, queue: str, name: str, version: int, pause: bytes, following: int | None) -> bool:
        """Pause a schedule, or let it go on when ``pause`` is empty. Whether it was at that version."""
        arguments = (name, version, pause, _text(following))
        async with self._access.pool.links() as links:
            keys = self._access.keys(queue)
            return bool(await scripts.SCHEDULE_PAUSE.run(links.of(queue), keys, *arguments))

    async def remove(self, queue: str, name: str, version: int | None) -> bool:
        """Remove a schedule, ``None`` for whatever lies there. Whether it was at that version."""
        async with self._access.pool.links() as links:
            keys = self._access.keys(queue)
            return bool(await scripts.SCHEDULE_REMOVE.run(links.of(queue), keys, name, _text(version)))

    async def remove_all(self, queue: str) -> None:
        """Remove every schedule of a queue, whatever it is."""
        for raw in await self._access.pool.call(
            queue, "HRANDFIELD", self._access.keys(queue).schedules, 1_000_000
        ):
            name = raw.decode("utf-8", "surrogateescape")
            await self.remove(queue, name, None)
            if queue_in(await self.place_of(name)) == queue:  # else it has come to another
                await self.forget(name)

    async def forget_ended(self, queue: str) -> int:
        """Remove what was made at run time, has run for the last time, and has been so for as long as a completed job
        is kept; and end what was begun by a process that is gone. Returns how many are removed."""
        if not await self.count(queue):
            return 0
        self._read_clock(await self._access.pool.call(queue, "TIME"))
        before = from_ms(self._access.clock.now()) - timedelta(
            seconds=self._access.settings.keep_completed_for
        )
        removed = 0
        for each in await self.listed([queue]):
            if each.moving:
                await self.arrive(each)
            elif each.is_over(before) and await self.remove(queue, each.name, each.version):
                await self.forget(each.name)
                removed += 1
        return removed

    async def tick(self, links: Links, queue: str, ticks: Sequence[Tick]) -> list[Ticked | StreamqError]:
        """The runs of planned times, in one round trip, each answered for itself."""
        keys, its = self._access.keys(queue), self._access.partitions.get(queue_of(queue), WHOLE)
        calls = [(keys, _call(tick, queue, its)) for tick in ticks]
        replies = await scripts.TICK.run_each(links.of(queue), calls)
        if replies and not isinstance(replies[-1], StreamqError):
            self._access.clock.set(replies[-1][0])  # the last of them: the others have waited for it
        ticked = [
            reply
            if isinstance(reply, StreamqError)
            else Ticked(*[part.decode() for part in (*reply[1:], b"")][:2])
            for reply in replies
        ]
        away = [isinstance(each, Ticked) and each.said == _AWAY for each in ticked]
        if any(away):
            await self.follow(queue, its)
        return [Ticked(STALE, "") if gone else each for gone, each in zip(away, ticked, strict=True)]

    # -- queries --------------------------------------------------------------------------------------------

    async def queues(self) -> dict[str, str]:
        """The queue of each schedule by its name; what cannot name a queue is left out."""
        said = pairs(await self._access.pool.call_home("HGETALL", self._access.shared.schedules))
        texts = {
            name.decode("utf-8", "replace"): queue.decode("utf-8", "replace") for name, queue in said.items()
        }
        return {name: queue for name, place in texts.items() if (queue := queue_in(place))}

    async def place_of(self, name: str) -> str | None:
        """What stands at a name: the queue of its schedule, and a number where it came there from another one."""
        said = await self._access.pool.call_home("HGET", self._access.shared.schedules, name)
        return said.decode("utf-8", "replace") if said else None

    async def count(self, queue: str) -> int:
        """How many schedules a queue has."""
        return int(await self._access.pool.call(queue, "HLEN", self._access.keys(queue).schedules))

    async def get(self, queue: str, name: str) -> ScheduleRecord | None:
        """A schedule, if there is one; the clock is read along with it. Raises ``ValueError`` for what is none."""
        keys = self._access.keys(queue)
        async with self._access.pool.links() as links:
            clock, kept, following, run = await links.of(queue).calls(
                ("TIME",),
                ("HGET", keys.schedules, name),
                ("ZSCORE", keys.ticks, name),
                ("HGET", keys.runs, name),
            )
        self._read_clock(clock)
        return record(name, queue, kept, following, run) if kept else None

    async def listed(self, queues: Sequence[str]) -> list[ScheduleRecord]:
        """The schedules of these queues, by name. One that cannot be read is logged once and left out, and so are those
        of a queue where the server refuses it."""
        found: list[ScheduleRecord] = []
        async with self._access.pool.links() as links:
            for queue in queues:
                try:
                    kept = await self._everything(links.of(queue), queue)
                except QueueMoved:
                    continue
                except Rejected as error:
                    self._leave_out(queue, b"", str(error).encode(), f"what is kept of schedules ({error})")
                    continue
                for name, definition in kept.definitions.items():
                    read = self.read(queue, name, definition, kept.ticks.get(name), kept.runs.get(name))
                    found += [read] if read else []
        return sorted(found, key=lambda each: each.name)

    async def planned(self, links: Links, queue: str) -> dict[str, float]:
        """The next planned time of each schedule of a queue, by its name."""
        ticks = await links.of(queue).call("ZRANGE", self._access.keys(queue).ticks, 0, -1, "WITHSCORES")
        return {name.decode("utf-8", "replace"): float(at) for name, at in pairs(ticks).items()}

    async def first_planned(self, links: Links, queues: Sequence[str]) -> list[float | StreamqError | None]:
        """The earliest planned time in each of these queues, if there is one."""
        commands = [("ZRANGE", self._access.keys(queue).ticks, 0, 0, "WITHSCORES") for queue in queues]
        replies = await links.commands(queues, commands)
        return [
            reply if isinstance(reply, StreamqError) else float(reply[1]) if reply else None
            for reply in replies
        ]

    async def kept(self, links: Links, queue: str) -> Kept:
        """What is kept of the schedules of a queue; the clock is read along with it."""
        keys = self._access.keys(queue)
        clock, definitions, ticks = await links.of(queue).calls(
            ("TIME",), ("HGETALL", keys.schedules), ("ZRANGE", keys.ticks, 0, -1, "WITHSCORES")
        )
        self._read_clock(clock)
        return Kept(pairs(definitions), pairs(ticks), {})

    async def _everything(self, link: Link, queue: str) -> Kept:
        keys = self._access.keys(queue)
        definitions, ticks, runs = await link.calls(
            ("HGETALL", keys.schedules), ("ZRANGE", keys.ticks, 0, -1, "WITHSCORES"), ("HGETALL", keys.runs)
        )
        return Kept(pairs(definitions), pairs(ticks), pairs(runs))

    def _read_clock(self, reply: Sequence[bytes]) -> None:
        self._access.clock.set(int(reply[0]) * 1000 + int(reply[1]) // 1000)

    def read(
        self, queue: str, name: bytes, kept: bytes, following: bytes | None, run: bytes | None
    ) -> ScheduleRecord | None:
        """A schedule from what is kept of it; one that cannot be read is logged once, and is none."""
        try:
            return record(name.decode(), queue, kept, following, run)
        except (ValueError, OverflowError) as error:  # the second for a time that is none
            self._leave_out(queue, name, kept, f"what is kept as schedule {name!r} ({error})")
            return None

    def _leave_out(self, queue: str, name: bytes, kept: bytes, what: str) -> None:
        if self._unreadable.get((queue, name)) != kept:
            log.warning("%s in queue %s cannot be read, and is left out", what, queue)
        self._unreadable[queue, name] = kept


def queue_in(place: str | None) -> str | None:
    """The queue that stands at the name of a schedule; ``None`` for what names none."""
    queue = (place or "").partition(" ")[0]
    return queue if is_partition(queue) else None


def _text(said: int | str | bytes | None) -> int | str | bytes:
    return "" if said is None else said


def _home(schedule: Schedule, queue: str, its: Partitions) -> tuple[int | str, bytes]:
    """Which change of partitions is known here, and what has to be left in one that is no home of the schedule's group.
    While it is found out what stays, nobody knows: any change is one too many."""
    if not schedule.group:
        return "", b""
    by = anchor(schedule.group, "")
    if its.phase == "closing":
        return 0, b""
    is_home = home(by, its.count) == number_of(queue)
    return its.generation, b"" if is_home else codec.dumps([by, anchor_before(by)])


def _call(tick: Tick, queue: str, its: Partitions) -> tuple[Any, ...]:
    schedule = tick.schedule
    headers: dict[str, Any] = {"schedule": schedule.name, **schedule.headers}
    if tick.planned is not None:
        headers["planned"] = tick.planned
    if schedule.overlap == "queue":
        headers["key"] = IN_TURN + schedule.name  # as the script takes it for them
    # the top bit of 48 set: as in the id of any job that is born parked
    sequence = secrets.randbits(47) | 1 << 47
    return (
        schedule.name, tick.version, _text(tick.expected), _text(tick.following), _text(tick.planned), tick.missed,
        schedule.overlap, "" if tick.due is None else due.at(tick.due), sequence, schedule.task, schedule.payload,
        codec.dumps(headers), *_home(schedule, queue, its),
    )  # fmt: skip
