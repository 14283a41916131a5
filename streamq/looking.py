"""What there is to look at: queues, jobs, failures, workers and what they came to, and the way to each."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from streamq.audited import page
from streamq.client.client import Client
from streamq.durations import Duration
from streamq.errors import ConfigurationError, Rejected, Unavailable, UsageError
from streamq.merging import by_queue, one_of
from streamq.model.events import ENDS, TAILED, Told
from streamq.model.failure_kinds import FailureKind
from streamq.model.job_record import JobRecord
from streamq.model.keys import APP_KEYS, QUEUE_KEYS
from streamq.model.misplaced import MisplacedKey, misplaced
from streamq.model.operation import OperationRecord, queue_in
from streamq.model.partitions import checked_count
from streamq.model.places import place_of, queue_of
from streamq.model.served_task import ServedTask
from streamq.model.server_state import ServerState
from streamq.model.shared_status import SharedStatus
from streamq.model.shown import as_given
from streamq.model.slow import SlowJobs
from streamq.model.statistics import Overall, Statistics, Sums
from streamq.model.steering import Steering
from streamq.model.totals import Totals, totals_of
from streamq.model.trail import AuditPage
from streamq.model.worker_info import WorkerInfo, as_known
from streamq.noun_errors import OperationNotFound, TaskNotFound
from streamq.operation import Operation, checked
from streamq.queue import Queue
from streamq.records import LIMIT, Records
from streamq.redis.answers import is_of_another_type
from streamq.remote_worker import RemoteWorker
from streamq.shared import SharedLimit
from streamq.slow import kept_of, told_by
from streamq.statistics import nothing_of, overall_of, statistics_of, window
from streamq.tallies import Tallies
from streamq.task import Task


class Looking:
    """The part of a program that asks the server; what it sends, ``Program`` has."""

    client: Client
    tasks: dict[str, Task[Any, Any]]

    def queue(self, name: str, *, partitions: int | None = None) -> Queue:
        """A queue to look at and to steer. Raises ``ConfigurationError`` for a bad name.

        ``partitions``, 1 to 64, declares that its jobs are spread over so many: where Redis knows of fewer, it has so
        many from its first use on, for all processes; ``Queue.partition`` says otherwise at run time. Raises
        ``ConfigurationError`` for another number, also than the one that was declared before.
        """
        queue, declared = Queue(name, self.client), self.client.partitions
        if partitions is not None and declared.setdefault(name, checked_count(partitions)) != partitions:
            raise ConfigurationError(
                f"partitions={partitions} of queue {name!r} is not possible: it was declared with {declared[name]}"
            )
        return queue

    def records(self, name: str, *, limit: int = LIMIT) -> Records:
        """What a service remembers beside its jobs, at most ``limit`` entries. Raises ``ConfigurationError`` for a bad
        name: it is like that of a queue, and lies beside that queue where there is one."""
        return Records(name, self.client, limit)

    def tallies(self, name: str) -> Tallies:
        """What a service counts of its own, by minute and by hour. Raises ``ConfigurationError`` for a bad name: it is
        like that of a queue."""
        return Tallies(name, self.client)

    def shared(self, name: str) -> SharedLimit:
        """A limit that several queues draw from, to look at and steer. Raises ``InvalidLimit`` for a bad name."""
        return SharedLimit(name, self.client)

    async def shared_limits(self) -> list[SharedStatus]:
        """How all shared limits are of which anything is said."""
        store = self.client.store.shared_limits
        return [await store.status(name) for name in await store.names()]

    async def queues(self) -> list[str]:
        """The names of the queues: this app's and those that were ever used."""
        known = {queue_of(name) for name in await self.client.store.queues.names()}
        return sorted({task.queue for task in self.tasks.values()} | known)

    async def _names(self, queues: Iterable[str] | None = None) -> list[str]:
        """The partitions of these queues, by default of all."""
        return [*await self.client.partition_names(*(await self.queues() if queues is None else queues))]

    async def find(self, job_id: str) -> list[JobRecord]:
        """The jobs of an id, whatever their queue: none, or one as a rule.

        Each queue makes ids for itself, so two may have one each. It takes one round trip to each server. Raises
        ``UsageError`` for what is no text.
        """
        if not isinstance(job_id, str):
            raise UsageError(f"{as_given(job_id)} is no id of a job: use a text, as job.id")
        calls = {place_of(queue, job_id) for queue in await self.queues()}
        own_id = next(iter(calls))[1] if calls else job_id
        return await self.client.store.jobs.everywhere(sorted(name for name, _ in calls), own_id)

    def tail(
        self, queues: Collection[str] | None = None, *, kinds: Collection[str] = TAILED,
        states: Collection[str] = ENDS,
    ) -> AsyncGenerator[Told]:  # fmt: skip
        """What all jobs tell from now on: ``async for told in app.tail(["sms"], kinds=["end"], states=["failed"])``.

        Of these queues, by default all, also those that are new. ``kinds`` are ``end``, ``progress`` and ``line``,
        ``states`` those in which jobs end. A ``Hearing`` says when a queue is heard; nothing that was told before is
        looked for. Who reads too slowly is told how many events were missed: ``Missed``. While anybody tails them,
        workers tell of each job that ends. Raises ``UsageError``, and ``NotOpen`` when the app is closed meanwhile.
        """

        async def names() -> Collection[str]:
            return await self._names(queues)

        return self.client.tail(names, kinds, states)

    async def steering(self, queues: Sequence[str] | None = None) -> dict[str, Steering]:
        """What was told to each of these queues, by default all, in one round trip."""
        told = await self.client.store.steering.told_all(names := await self._names(queues))
        return {queue: one_of(told[name] for name in of) for queue, of in by_queue(names).items()}

    async def audit(
        self, queue: str | None = None, *, limit: int = 50, cursor: str | None = None
    ) -> AuditPage:
        """What people did, the latest first: in one queue, or in all, with the removal of queues.

        ``limit`` is 1 to 1,000; ``cursor`` is the ``next`` of the page before. Each queue keeps its latest thousand.
        Raises ``UsageError``.
        """
        queues = await self.queues() if queue is None else [queue]
        return await page(self.client, queues, limit, cursor, with_removed=queue is None)

    async def statistics(
        self, since: Duration | datetime = "1h", until: Duration | datetime | None = None, *,
        step: Duration | None = None,
    ) -> dict[str, Statistics]:  # fmt: skip
        """The same of all queues: see ``Queue.statistics``. What concerns them together, ``overall`` tells in less."""
        store = self.client.store.statistics
        asked = window(await store.now(), since, until, step)
        queues = await self.queues()
        active = by_queue(await store.active(await self._names(queues), asked.hours))
        return {
            queue: await statistics_of(store, active[queue], asked)
            if queue in active
            else nothing_of(queue, asked)
            for queue in queues
        }

    async def overall(
        self, since: Duration | datetime = "1h", until: Duration | datetime | None = None, *,
        step: Duration | None = None, queues: Collection[str] | None = None,
    ) -> Overall:  # fmt: skip
        """What the jobs of all queues, or of ``queues`` alone, came to together, and the rates of those in which
        anything ended.

        ``since``, ``until`` and ``step`` are those of ``Queue.statistics``, which says what is raised too.
        """
        store = self.client.store.statistics
        asked = window(await store.now(), since, until, step)
        names = await self._names([name for name in await self.queues() if queues is None or name in queues])
        return await overall_of(store, by_queue(await store.active(names, asked.hours)), asked)

    async def totals(self) -> dict[str, Totals]:
        """What the attempts of each queue have come to since it is there, as counters that never fall: in one round
        trip to each server. They begin anew with a queue that was removed, or in which nothing ran for 90 days."""
        found = await self.client.store.statistics.totals(await self._names())
        whole: dict[str, Sums] = {}
        for name, sums in found.items():
            whole.setdefault(queue_of(name), Counter()).update(sums)
        return {queue: totals_of(queue, sums) for queue, sums in whole.items()}

    async def slow(self, *, limit: int = 20) -> SlowJobs:
        """The jobs that run longest now, and those of the last hour that ran longest, ``limit`` (1 to 100) of each.

        What runs is what workers told with their last beats. What has ended they tell once a second, also of jobs whose
        records are not kept: of each ten minutes the slowest hundred. Where they count nothing (``statistics`` is
        off), the latest 200 records of each queue and end are looked at: ``complete`` says whether those are all of the
        hour. Raises ``UsageError``.
        """
        if type(limit) is not int or not 1 <= limit <= 100:
            raise UsageError(f"limit={as_given(limit)} is not possible: use 1 to 100")
        store, names = self.client.store, await self._names()
        if not self.client.settings.statistics:
            queues = [self.queue(name) for name in await self.queues()]
            return await kept_of(await self.workers(), queues, limit)
        now = await store.statistics.now()
        active = await store.statistics.active(names, window(now, "1h", None, None).hours)
        return told_by(await self.workers(), await store.slow.of_the_hour(active, now * 1000), limit)

    async def operations(self) -> list[OperationRecord]:
        """The background operations of all queues, the latest first; those of more than a day ago are forgotten."""
        return await self.client.store.operations.of_each(await self._names())

    def operation(self, operation_id: str) -> Operation:
        """The handle on a background operation. Raises ``OperationNotFound`` for what is no id of one."""
        queue = queue_in(checked(operation_id))
        if not queue:
            raise OperationNotFound("", operation_id)
        return Operation(operation_id, queue, self.client)

    async def failures(self) -> list[FailureKind]:
        """The kinds of jobs that failed alike, of all queues, those with the most failed jobs first."""
        found: list[FailureKind] = []
        for queue in await self.queues():
            try:
                found += await self.queue(queue).failures()
            except Rejected as error:
                if not is_of_another_type(error):
                    raise
        return sorted(found, key=lambda group: -group.failed)

    async def overdue(self, queues: Sequence[str] | None = None) -> dict[str, int]:
        """How many delayed jobs of these queues, by default of all, were due more than ten seconds ago; without those
        of none.

        Workers and schedulers are late by milliseconds: where there are such jobs, none of them runs.
        """
        found: Counter[str] = Counter()
        for name, count in (await self.client.store.delayed.overdue(await self._names(queues))).items():
            found[queue_of(name)] += count
        return dict(found)

    async def server(self) -> ServerState:
        """The server as it tells of itself, and of a cluster what is worst of any node: nothing where our user may not
        ask."""
        return await self.client.store.server.state()

    async def misplaced_keys(self) -> list[MisplacedKey]:
        """Keys that lie where ours do and are of another type: the type of each key of all queues is asked for, but of
        one that moves to another server.

        Raises ``Rejected`` where our user may not ask for types.
        """
        store = self.client.store
        found = misplaced(store.shared.__dict__, APP_KEYS, await store.server.types(store.shared.__dict__))
        for queue in await self._names():
            if await store.migrations.door(queue):
                continue
            keys = {name: store.keys(queue).__dict__[name] for name in QUEUE_KEYS}
            try:
                found += misplaced(keys, QUEUE_KEYS, await store.server.types(keys, queue), queue_of(queue))
            except Rejected:
                raise
            except Unavailable:  # its node is lost, which others tell: the other queues are looked at
                continue
        return found

    async def served_tasks(self) -> list[ServedTask]:
        """The tasks that workers have published when they began, by name, each with the JSON Schema of its payload.

        One whose workers are all gone stays, with ``workers`` 0, until another worker begins.
        """
        return await self.client.store.tasks.listed()

    async def served_task(self, name: str, queue: str | None = None) -> ServedTask:
        """One of them, by its name or one that it had before.

        Tasks of one name may be in several queues: without ``queue`` it is the one that most workers serve.
        Raises ``TaskNotFound``.
        """
        tasks = await self.served_tasks()
        found = [
            task for task in tasks
            if (name == task.name or name in task.aliases) and queue in (None, task.queue)
        ]  # fmt: skip
        if not found:
            raise TaskNotFound(name, [task.name for task in tasks if queue in (None, task.queue)])
        return max(found, key=lambda task: task.workers)

    async def workers(self) -> list[WorkerInfo]:
        """The workers that are registered, with what they do now. A lost one stays until it is reclaimed."""
        return [as_known(info) for info in await self.client.store.workers.with_loads()]

    def worker(self, name: str) -> RemoteWorker:
        """One of them, wherever it runs, to look at and to steer."""
        return RemoteWorker(name, self.client)
