"""The handle on all schedules, ``app.schedules``."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NoReturn, Unpack

from streamq.audited import note
from streamq.client.client import Client
from streamq.errors import StreamqError, UsageError
from streamq.job import Job
from streamq.model.calendars import WITHIN, YEARS
from streamq.model.clock import host_now, to_ms
from streamq.model.names import is_name
from streamq.model.places import anchor, home, partition, queue_of, shown_id
from streamq.model.preview import PlannedTime, preview
from streamq.model.schedule import Plan, Schedule
from streamq.model.schedule_record import ScheduleRecord, as_known, written_pause
from streamq.model.shown import as_given
from streamq.noun_errors import ScheduleConflict, ScheduleNotFound, full
from streamq.options import Option, line
from streamq.scheduling import Payload, ScheduleOptions, made
from streamq.store.schedules import FULL, SAME, SKIPPED, STALE, Tick, queue_in
from streamq.store.schedules import Schedules as Stored
from streamq.task import Task

log = logging.getLogger("streamq.schedules")

TRIES: Final = 5
"""Times that a change is tried when others change the same schedule at the same moment."""
MOVES: Final = 20
"""Times that a schedule is looked for that others let go from queue to queue meanwhile."""
PREVIEWED: Final = 100
"""Planned times of a preview at most."""
AFTER: Final = Option("after", "time", "After which moment the planned times are.")


class _Unreadable(ScheduleConflict):
    """Another program, or another version, has written what is kept of it."""


class Schedules:
    """Made by ``app.schedules``. Every method raises ``Unavailable`` when the server cannot be reached."""

    def __init__(
        self, client: Client, declared: Mapping[str, Schedule], tasks: Mapping[str, Task[Any, Any]],
        encode: Callable[[str, Any], Payload],
    ) -> None:  # fmt: skip
        self._client, self._declared, self._tasks, self._encode = client, declared, tasks, encode

    @property
    def _store(self) -> Stored:
        return self._client.store.schedules

    # -- looking --------------------------------------------------------------------------------------------

    async def list(self) -> Sequence[ScheduleRecord]:
        """All schedules, by name."""
        queues = await self._store.queues()
        names = await self._client.store.queues.names()
        found = await self._store.listed(sorted({*queues.values(), *names}))
        if moving := [each for each in found if each.moving]:
            for each in moving:
                await self._store.arrive(each)
            queues = await self._store.queues()
            found = await self._store.listed(sorted({*queues.values(), *names}))
            found = [each for each in found if not each.moving]
        for each in found:
            if each.name not in queues:  # it was made while one of its name was removed
                await self._store.claim(each.name, each.schedule.queue, None)
        return await self._judged(found)

    async def get(self, name: str) -> ScheduleRecord:
        """One of them. Raises ``ScheduleNotFound``."""
        _, found = await self._find(name)
        if found is None:
            await self._refuse(name)
        return (await self._judged([found]))[0]

    async def _find(self, name: str) -> tuple[str | None, ScheduleRecord | None]:
        """What stands at its name, and what lies in the queue that it names."""
        for _ in range(MOVES):
            place = await self._store.place_of(name) if is_name(name) else None
            queue = queue_in(place)
            found = await self._read(queue, name) if queue else None
            if found is not None and found.moving:
                await self._store.arrive(found)
            elif found is not None or not queue or await self._store.place_of(name) == place:
                return place, found
        raise ScheduleConflict(
            name, "it is on its way to another queue, and does not arrive there: try again"
        )

    async def _read(self, queue: str, name: str) -> ScheduleRecord | None:
        try:
            return await self._store.get(queue, name)
        except ValueError as error:
            raise _Unreadable(name, f"what is kept of it cannot be read ({error}): remove it") from None

    async def _refuse(self, name: str) -> NoReturn:
        raise ScheduleNotFound(name, sorted(await self._store.queues()))

    async def _judged(self, found: Sequence[ScheduleRecord]) -> Sequence[ScheduleRecord]:
        """With the mark of those that were declared in code, and that no worker of their queue declares any more."""
        if not any(each.schedule.source == "code" for each in found):
            return [as_known(each) for each in found]
        workers = await self._client.store.workers.listed()
        declared = {*self._declared, *(name for worker in workers for name in worker.schedules)}
        served = {queue for worker in workers for queue in worker.queues}
        return [
            as_known(replace(each, orphaned=True))
            if each.schedule.source == "code" and each.name not in declared and each.schedule.queue in served
            else as_known(each)
            for each in found
        ]

    def preview(
        self, schedule: Schedule, count: int = 5, after: datetime | None = None
    ) -> Sequence[PlannedTime]:
        """The next ``count`` planned times of a schedule (1 to 100), each with a note where clocks are set before it.

        It asks no server: those after ``after``, by default now by the clock of this host. Raises ``UsageError``.
        """
        if type(count) is not int or not 1 <= count <= PREVIEWED:
            raise UsageError(
                f"count={as_given(count)} is not a number of planned times: use 1 to {PREVIEWED}"
            )
        if wrong := "" if after is None else AFTER.wrong(after):
            raise UsageError(wrong)
        if after is not None and not YEARS[0] <= after.year <= YEARS[1]:
            raise UsageError(f"after={as_given(after)} is not possible: {WITHIN}")
        return preview(schedule, to_ms(after or host_now()), count)

    # -- changing -------------------------------------------------------------------------------------------

    async def put(
        self, name: str, *, task: str, payload: Any = None, queue: str | None = None, version: int | None = None,
        **options: Unpack[ScheduleOptions],
    ) -> ScheduleRecord:  # fmt: skip
        """Make a schedule of this name, or change it to what is given. Nothing happens when it is that already.

        A task that is registered here checks its payload, and has the ``queue`` where none is given. With ``version``
        it must be at that version; 0 means that there must be none. Raises ``InvalidSchedule``, what an enqueue
        raises, and ``ScheduleConflict`` for another version or a schedule that code declares.
        """
        schedule = self.made(name, task=task, payload=payload, queue=queue, options=options)
        put = await self._put(schedule, version)
        await self._note(schedule.queue, "put", name)
        return put

    def made(
        self,
        name: str,
        *,
        task: str,
        payload: Any = None,
        queue: str | None = None,
        options: Mapping[str, Any],
    ) -> Schedule:
        """A schedule that is not kept anywhere. Raises what ``put`` does for wrong arguments."""
        known = self._tasks.get(task)
        if queue is None and known is None:
            raise UsageError(
                f"no task {as_given(task)} is registered here: say in which queue its jobs are to be"
            )
        queue = queue if queue is not None else known.queue if known else ""
        return made(name, queue, task, lambda: self._encode(task, payload), options)

    async def declare(self) -> None:
        """Keep the schedules that the app declares: what workers and schedulers do when they begin.

        One that is paused stays so. One that was made at run time under the name of a declared one is replaced.
        """
        for schedule in self._declared.values():
            try:
                await self._put(schedule, None)
            except ScheduleConflict as error:
                log.error("%s; it is not as the app declares it", error)

    async def _put(self, schedule: Schedule, version: int | None) -> ScheduleRecord:
        _check(version)
        for _ in range(TRIES):
            place, found = await self._find(schedule.name)
            schedule = await self._placed(schedule, found)
            if version is not None and version != (found.version if found else 0):
                is_at = f"it is at version {found.version}" if found else "there is none"
                raise ScheduleConflict(schedule.name, f"{is_at}, not at version {version}")
            await self._check_source(schedule, found)
            if found is not None and found.schedule.equals(schedule):
                return as_known(found)
            moves = found is not None and found.schedule.queue != schedule.queue
            if await (
                self._left(schedule, found) if found and moves else self._written(schedule, place, found)
            ):
                return await self.get(schedule.name)
        raise ScheduleConflict(schedule.name, "others change it at this moment: try again")

    async def _placed(self, schedule: Schedule, found: ScheduleRecord | None) -> Schedule:
        """The schedule in one partition of its queue: where it is, else where the jobs of its group are at home."""
        queue = queue_of(schedule.queue)
        its = await self._client.partitions_of(queue)
        if found is not None and queue_of(found.schedule.queue) == queue:
            return replace(schedule, queue=found.schedule.queue)
        if schedule.group:
            return replace(
                schedule, queue=await self._client.store.partition.place_of_group(queue, schedule.group)
            )
        return replace(schedule, queue=partition(queue, home(anchor("", schedule.name), its.count)))

    async def _check_source(self, schedule: Schedule, found: ScheduleRecord | None) -> None:
        if found is None or found.schedule.source == schedule.source:
            return
        if schedule.source == "code":
            log.warning(
                "schedule %s was made at run time; it is as the app declares it from now on", schedule.name
            )
        elif not (await self._judged([found]))[0].orphaned:
            raise ScheduleConflict(schedule.name, "code declares it: change it there, or pause it")

    async def _written(self, schedule: Schedule, place: str | None, found: ScheduleRecord | None) -> bool:
        """Whether it could be written: nobody else has changed it meanwhile."""
        if found is None:
            await self._client.store.queues.announce(schedule.queue)  # schedulers look there
            if not await self._store.claim(schedule.name, schedule.queue, place):
                return False
            found = await self._read(schedule.queue, schedule.name)  # it may have been there without its name
        same = found is not None and found.schedule.has_times_of(schedule)
        following = SAME if same else self._following(schedule)
        return bool(await self._store.put(schedule, found.version if found else 0, following))

    def _following(self, schedule: Schedule) -> int | None:
        following = Plan(schedule).after(self._client.store.clock.now())
        return following.at if following else None

    async def _left(self, schedule: Schedule, found: ScheduleRecord) -> bool:
        """Whether it could leave its queue for another: who looks at it next lets it arrive there."""
        await self._client.store.queues.announce(schedule.queue)
        same = found.schedule.has_times_of(schedule) and found.next_at is not None
        planned = to_ms(found.next_at) if same and found.next_at else self._following(schedule)
        return await self._store.leave(found, schedule, planned)

    async def remove(self, name: str, *, version: int | None = None) -> None:
        """Remove a schedule; jobs that it has enqueued stay.

        Raises ``ScheduleNotFound``, and ``ScheduleConflict`` for another version or one that code declares.
        """
        _check(version)

        async def remove(found: ScheduleRecord) -> bool:
            if version not in (None, found.version):
                raise ScheduleConflict(name, f"it is at version {found.version}, not at version {version}")
            if found.schedule.source == "code" and not (await self._judged([found]))[0].orphaned:
                raise ScheduleConflict(name, "code declares it: remove it there, or pause it")
            return await self._store.remove(found.schedule.queue, name, found.version)

        queue = queue_in(await self._store.place_of(name)) if is_name(name) else None
        try:
            await self._changed(name, remove)
        except _Unreadable:
            await self._store.remove(queue or "", name, None)
        await self._store.forget(name)
        await self._note(queue_of(queue or ""), "remove", name)

    async def pause(self, name: str, *, reason: str = "") -> ScheduleRecord:
        """No run until it is resumed. ``reason`` is one line of up to 500 characters. Raises ``ScheduleNotFound``."""
        line("reason", reason)

        async def pause(found: ScheduleRecord) -> bool:
            said = written_pause(self._client.store.clock.now(), reason)
            return await self._store.pause(found.schedule.queue, name, found.version, said, None)

        await self._changed(name, pause)
        paused = await self.get(name)
        await self._note(paused.schedule.queue, "pause", name, reason=reason)
        return paused

    async def resume(self, name: str) -> ScheduleRecord:
        """It runs again, from the next planned time on: none is made up for. Raises ``ScheduleNotFound``."""

        async def resume(found: ScheduleRecord) -> bool:
            if found.paused is None:
                return True
            following = self._following(found.schedule)
            return await self._store.pause(found.schedule.queue, name, found.version, b"", following)

        await self._changed(name, resume)
        resumed = await self.get(name)
        await self._note(resumed.schedule.queue, "resume", name)
        return resumed

    async def _note(self, queue: str, action: str, name: str, **details: Any) -> None:
        await note(self._client, queue, f"schedule.{action}", name, **details)

    async def run(self, name: str) -> Job[Any]:
        """Run it now, beside what is planned, also while it is paused. Returns the job.

        Raises ``ScheduleNotFound``, ``QueueFull``, and ``ScheduleConflict`` where ``overlap`` is ``skip`` and the
        job of the run before is not at its end.
        """
        jobs: list[Job[Any]] = []

        async def run(found: ScheduleRecord) -> bool:
            of = found.schedule
            tick = Tick(of, found.version, None, None, self._client.store.clock.now())
            async with self._client.store.pool.links() as links:
                (ticked,) = await self._store.tick(links, of.queue, [tick])
            if isinstance(ticked, StreamqError):
                raise ticked
            if ticked.said == SKIPPED:
                raise ScheduleConflict(
                    name, f"the job of the run before, {found.last_job}, is not at its end"
                )
            if ticked.said == FULL:
                raise full(queue_of(of.queue), ticked.job)
            if ticked.said == STALE:
                return False
            known = self._tasks.get(of.task)
            parse = known.parse_result if known else None
            job_id = shown_id(of.queue, ticked.job)
            jobs.append(Job(job_id, queue_of(of.queue), of.task, self._client, parse))
            return True

        await self._changed(name, run)
        await self._note(jobs[0].queue, "run", name, job=jobs[0].id)
        return jobs[0]

    async def _changed(self, name: str, change: Callable[[ScheduleRecord], Awaitable[bool]]) -> None:
        """Do ``change``, and again where others were faster. Raises ``ScheduleNotFound``."""
        for _ in range(TRIES):
            _, found = await self._find(name)
            if found is None:
                await self._refuse(name)
            if await change(found):
                return
        raise ScheduleConflict(name, "others change it at this moment: try again")


def _check(version: Any) -> None:
    if version is not None and (type(version) is not int or version < 0):
        raise UsageError(
            f"version={as_given(version)} is not a version: use that of the schedule, or 0 for none"
        )
