"""A queue as people look at it and steer it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from streamq.acting import actor
from streamq.client.client import Client
from streamq.durations import Duration
from streamq.errors import FieldError, InvalidPayload, UsageError
from streamq.group import end_of
from streamq.keeping import keep, remove
from streamq.limited import PAGE_LIMIT, Limited
from streamq.many import Many
from streamq.merging import merged, one_of, searched, together
from streamq.model import codec
from streamq.model.cursors import invalid
from streamq.model.events import Event
from streamq.model.explanations import explain
from streamq.model.facts import Explanation
from streamq.model.failure_kinds import FailureKind
from streamq.model.filter_text import narrowed
from streamq.model.group import is_group, tenant_of
from streamq.model.job_record import Counts, JobRecord, Page, SearchPage
from streamq.model.masked import MASK, masks_in
from streamq.model.names import checked_queue
from streamq.model.reports import Log
from streamq.model.retention import Retention
from streamq.model.shown import as_given
from streamq.model.states import State
from streamq.model.statistics import OTHERS, Statistics
from streamq.model.steering import Steering
from streamq.options import Priority, line
from streamq.statistics import groups_of, statistics_of, window
from streamq.store.jobs import Change
from streamq.terms import terms

UNCHANGED: Final[Any] = object()
"""The payload of a change that leaves it: ``None`` is a payload like any other."""
SOON: Final = "0"
"""A due time that is now (``model.due``)."""


class Queue(Limited, Many):
    """Made by ``app.queue(name)``, and one whatever its partitions. Every method raises ``Unavailable`` when the server
    cannot be reached."""

    def __init__(self, name: str, client: Client) -> None:
        self.name, self._client = checked_queue(name), client
        if client.is_open:  # else it is declared before, as tasks are
            client.openings.here()  # raises where another event loop has opened the app

    def __repr__(self) -> str:
        return f"<Queue {self.name!r}>"

    async def counts(self) -> Counts:
        """How many jobs are in each state."""
        found = await self._each(self._client.store.queues.counts)
        return sum(found[1:], found[0])

    async def get(self, job_id: str) -> JobRecord:
        """Everything known of a job. Raises ``JobNotFound``, and ``UsageError`` for an id that is no text."""
        return await self._client.store.jobs.job(*self._place(job_id))

    async def logs(self, job_id: str) -> Log:
        """What is kept of a job's log, oldest line first. Raises ``JobNotFound``, also once the job is forgotten."""
        log = await self._client.store.reports.log(*self._place(job_id))
        if not log.written:
            await self.get(job_id)
        return log

    async def watch(self, job_id: str, *, after: int = 0) -> AsyncGenerator[Event]:
        """What a job tells from now on, begun with how it is: ``async for event in queue.watch(job.id)``.

        A ``StateChange`` for each state that is seen, within a second; a ``Progress`` and a ``LogLine`` as soon as they
        are written, within a tenth of a second as a rule; and at the end the ``JobRecord`` of the job that has ended. A
        lost connection ends nothing: what came meanwhile is looked for, lines as far as they are kept, and of the
        progress the last. Lines up to the number ``after`` are known already, and left out. However many watch, a
        process has one connection for them. Raises ``JobNotFound``, and ``NotOpen`` when the app is closed meanwhile.
        """
        if type(after) is not int or after < 0:
            raise UsageError(
                f"after={as_given(after)} is no number of a line: use 0 or the number of the last one"
            )
        self._place(job_id)
        async with contextlib.aclosing(self._client.watch(self.name, job_id, after)) as events:
            async for event in events:
                yield event

    async def why(self, job_id: str) -> Explanation:
        """Why a job does not run now: a sentence, and a code that stays. Raises as ``get``.

        It looks three times at most, so what changes meanwhile may be told as it was or as it is.
        """
        return explain(await self._client.store.explanations.facts(*self._place(job_id)))

    async def jobs(self, state: State, *, limit: int = 50, cursor: str | None = None) -> Page:
        """A page of the jobs in ``state``: oldest first while they live, latest first when they are finished.

        ``limit`` is 1 to 200; ``cursor`` is the ``next`` of the page before. Raises ``UsageError``. Held jobs come in
        no order, and a page of them may have fewer, or none, while its ``next`` is no ``None``.
        """
        if type(limit) is not int or not 1 <= limit <= PAGE_LIMIT:
            raise UsageError(f"limit={as_given(limit)} is not a page size: use 1 to {PAGE_LIMIT}")
        if not isinstance(cursor, str | None):
            raise invalid(cursor)
        if (state := _state(state)) is State.HELD:
            found = await self.search(state=state, limit=limit, cursor=cursor)
            return Page(found.items, found.next)
        names = await self._names()
        if len(names) == 1:
            return await self._client.store.jobs.jobs(self.name, state, limit, cursor)
        return await merged(self._client.store.jobs, names, state, limit, cursor)

    async def waiting_since(self) -> datetime | None:
        """When the first of the jobs that wait began to, by the server's clock; ``None`` where none waits.

        A job begins to wait when it could be taken: one that was delayed, or is retried, when that time was over.
        """
        found = await self._each(self._client.store.jobs.waiting_since)
        return min((since for since in found if since is not None), default=None)

    async def search(
        self, text: str = "", *, state: State | None = None, task: str | None = None, limit: int = 50,
        cursor: str | None = None,
    ) -> SearchPage:  # fmt: skip
        """Jobs that a filter means, such as ``state:failed error:"timed out" age>1h``, and how far it looked.

        With ``state`` only those in it, and with ``task`` only those of it; the filter may be left out then.

        One call looks at 2,000 jobs at most: where ``next`` is no ``None``, go on with it as ``cursor``, also where a
        page has no job. A state, a unique key, an id, and the task and the fingerprint of failed jobs are found
        without looking at others. With ``key:`` the living job that has the key now is found, and those that follow it.
        Raises ``InvalidFilter`` with the place of what is wrong, and ``UsageError``.
        """
        if type(limit) is not int or not 1 <= limit <= PAGE_LIMIT:
            raise UsageError(f"limit={as_given(limit)} is not a page size: use 1 to {PAGE_LIMIT}")
        if not isinstance(cursor, str | None):
            raise invalid(cursor)
        self._check_task(task)
        wanted = narrowed(text, None if state is None else _state(state), task)
        return await searched(self._client.store.search, await self._names(), wanted, limit, cursor)

    async def failures(self) -> list[FailureKind]:
        """The kinds of jobs that failed alike, those with the most failed jobs first.

        To retry one: ``retry_all(f"fingerprint:{kind.fingerprint}")``.
        """
        return together(await self._each(self._client.store.failures.kinds))

    async def retry(self, job_id: str, *, payload: Any = UNCHANGED) -> JobRecord:
        """A job that failed, was cancelled or has expired waits again, with all its attempts. Returns it as it waits.

        Its history stays, and it does not expire any more. Of many concurrent calls one moves it. With another
        ``payload`` a new job is made of it, and is returned: the old one stays as it ended, and each says the id of the
        other (``clone_of``, ``cloned_as``). Raises ``JobNotFound``, ``WrongState`` for a job that has not ended so, or
        not any more, with the state it has, ``KeyInUse`` when another job has its unique key by now, and
        ``InvalidPayload`` where its task is known here.
        """
        jobs = self._client.store.jobs
        if payload is UNCHANGED:
            retried = await jobs.requeue(*self._place(job_id))
            await self._note("job.retry", job_id)
            return retried
        job = await self.get(job_id)
        encoded, headers = self._client.encode(job.task, payload)
        _refuse_masks(job, encoded)
        made = await jobs.clone(*self._place(job_id), encoded, headers or b"")
        await self._note("job.retry", job_id, cloned_as=made.id)
        return made

    async def cancel(self, job_id: str, reason: str = "", *, by: str = "") -> JobRecord:
        """End a job that has not begun, and ask for the end of one that runs. Returns it as it is now.

        A job that runs stays ``active`` until its handler has ended: that is cancelled, or sees ``ctx.cancelled``.
        Whatever it comes to then, the job ends as ``cancelled``, after two seconds also while the handler goes on.
        ``reason`` and ``by``, who asks, are kept in its record: each one line of up to 500 characters.
        A job that is cancelled already is returned as it is. Raises ``JobNotFound``, and ``WrongState`` for a job that
        has ended otherwise.
        """
        said = line("reason", reason), line("by", by) or actor()
        job = await self._client.store.jobs.cancel(*self._place(job_id), *said)
        await self._note("job.cancel", job_id, by, reason=reason)
        return job

    async def promote(self, job_id: str, *, version: int | None = None) -> JobRecord:
        """Let a delayed job wait now, whenever it was due. Returns it as it waits. Raises as ``change``."""
        return await self._change(job_id, Change("now", version=version))

    async def reschedule(
        self, job_id: str, *, delay: Duration | None = None, at: datetime | None = None,
        version: int | None = None,
    ) -> JobRecord:  # fmt: skip
        """Give a waiting or delayed job another due time: ``delay`` from now, or ``at``. Raises as ``change``."""
        if delay is None and at is None:
            raise UsageError("say when: reschedule(delay=…) or reschedule(at=…)")
        return await self.change(job_id, delay=delay, at=at, version=version)

    async def change_priority(
        self, job_id: str, priority: Priority, *, version: int | None = None
    ) -> JobRecord:
        """Give a job that has not begun another priority. Raises as ``change``."""
        return await self.change(job_id, priority=priority, version=version)

    async def edit(self, job_id: str, payload: Any, *, version: int | None = None) -> JobRecord:
        """Give a job that has not begun another payload. Raises as ``change``."""
        return await self.change(job_id, payload=payload, version=version)

    async def change(
        self, job_id: str, *, payload: Any = UNCHANGED, priority: Priority | None = None,
        delay: Duration | None = None, at: datetime | None = None, version: int | None = None,
    ) -> JobRecord:  # fmt: skip
        """Change several things of a job at once, all of them or none. Returns it as it is now.

        A waiting one goes to the end of its lane; one with a due time becomes delayed. With ``version``, as its
        ``JobRecord`` told it, nothing happens when it was changed since. Its unique key stays what it is.
        Raises ``InvalidPayload`` where its task is known here, ``UsageError``, ``JobNotFound``, ``WrongState`` for a
        job that runs or has ended, and ``VersionConflict``.
        """
        given = {"delay": delay, "at": at, "priority": priority}
        due = terms(job_id, {name: value for name, value in given.items() if value is not None}).due
        if delay is not None or at is not None:
            due = due or SOON
        change = Change(due, priority or "", version=version)
        if payload is not UNCHANGED:
            job = await self.get(job_id)
            encoded, headers = self._client.encode(job.task, payload)
            _refuse_masks(job, encoded)
            change = change._replace(payload=encoded, headers=headers or b"")
        return await self._change(job_id, change)

    async def _change(self, job_id: str, change: Change) -> JobRecord:
        if change.version is not None and (type(change.version) is not int or change.version < 0):
            raise UsageError(f"version={change.version!r} is not a version: use that of the job's record")
        if not change.actions:
            raise UsageError("say what to change: payload, priority, delay or at")
        job = await self._client.store.jobs.change(*self._place(job_id), change)
        promoted = change.actions == ("promote",)
        await self._note(
            f"job.{'promote' if promoted else 'change'}", job_id, what=[] if promoted else change.actions
        )
        return job

    async def delete(self, job_id: str) -> None:
        """Delete the record of a finished job. Raises ``JobNotFound``, and ``WrongState`` where it has not ended."""
        await self._client.store.jobs.remove(*self._place(job_id))
        await self._note("job.delete", job_id)

    async def statistics(
        self, since: Duration | datetime = "1h", until: Duration | datetime | None = None, *,
        step: Duration | None = None, task: str | None = None, group: str | None = None, by_group: bool = False,
    ) -> Statistics:  # fmt: skip
        """What the jobs of a time came to, by task and step by step, and how long they waited and ran.

        ``since`` and ``until`` are how long ago, or aware times; ``step`` is whole minutes, and chosen when nobody says
        it. A day is kept by the minute, 90 days by the hour. Workers add to it once a second. With ``group`` it is of
        that group alone, and with ``by_group`` it tells the groups too: by their tenants, the first level of a name, to
        which workers add every ten seconds. An hour tells a hundred apart. Raises ``WindowNotKept`` for an older time,
        and ``UsageError`` for what can be none.
        """
        self._check_task(task)
        _check_group(task, group, by_group=by_group)
        store = self._client.store.statistics
        asked = window(await store.now(), since, until, step)
        names = await self._names()
        if group is not None:
            return await groups_of(store, names, asked, group)
        found = await statistics_of(store, names, asked, task)
        if by_group:
            return replace(found, groups=(await groups_of(store, names, asked)).groups)
        return found

    # -- steering -------------------------------------------------------------------------------------------

    async def steering(self) -> Steering:
        """What was told to the queue: whether it is paused, which tasks in it are, and its bounds."""
        return one_of(await self._each(self._client.store.steering.told))

    @property
    def is_known_plain(self) -> bool:
        """Whether nothing was told to it, as far as this process knows by its last enqueue there; asks nobody."""
        store = self._client.store
        return self.name in store.producers.plain and self.name not in store.partitions

    async def pause(
        self, reason: str = "", *, until: Duration | datetime | None = None, task: str | None = None,
        by: str = "",
    ) -> None:  # fmt: skip
        """Stop the start of jobs: of all in the queue, or of one ``task`` in it. What runs goes on.

        Jobs of a paused queue stay ``waiting``; those of a paused task are ``held``, and come back when it is resumed.
        ``until`` ends the pause by itself: a duration from now or an aware time to come. ``by`` says who asked for it.
        Raises ``UsageError`` for a time or a name that cannot be.
        """
        self._check_task(task)
        ends = end_of(until)
        said, steering = (
            (line("reason", reason), line("by", by) or actor(), ends),
            self._client.store.steering,
        )
        async for its in self._client.telling(self.name):
            for name in its.names(self.name):
                await steering.pause(name, task, *said)
                self._client.store.producers.plain.forget(name)
        await self._note(
            "queue.pause", task or "", by, reason=reason, until=None if until is None else str(until)
        )

    async def resume(self, *, task: str | None = None) -> bool:
        """End a pause of the queue, or of a ``task`` in it. Returns whether there was one."""
        self._check_task(task)
        steering = self._client.store.steering
        was_paused = False
        async for its in self._client.telling(self.name):
            for name in its.names(self.name):
                was_paused |= await steering.resume(name, task)
        if was_paused:
            await self._note("queue.resume", task or "")
        return was_paused

    async def retention(self) -> Retention:
        """What was told of its retention, and what its tasks say in code; where it says nothing, the settings count."""
        return (await self.steering()).retention

    async def keep(
        self, *, task: str | None = None, completed: int | None = UNCHANGED,
        completed_for: Duration | None = UNCHANGED, failed: int | None = UNCHANGED,
        failed_for: Duration | None = UNCHANGED,
    ) -> Retention:  # fmt: skip
        """Say how many records of finished jobs are kept, and for how long: of the queue, or of one ``task`` in it.

        ``failed`` is of failed, of cancelled and of expired jobs, each. ``None`` goes back to what the settings say, or
        the task's code. What is told holds for all processes, within a second; a task can be told less than its queue
        and not more. Returns all that is told then. Raises ``UsageError``.
        """
        self._check_task(task)
        given = {
            "completed": completed, "completed_for": completed_for, "failed": failed, "failed_for": failed_for,
        }  # fmt: skip
        told = {name: value for name, value in given.items() if value is not UNCHANGED}
        await keep(self._client, self.name, task, told)
        return await self.retention()

    # -- the whole queue ------------------------------------------------------------------------------------

    async def remove(self, *, purge: bool = False) -> None:
        """Remove a queue that nobody serves and that is empty, or with ``purge`` all that is in it, for good.

        Nothing of it stays, neither what was told to it nor its name on the list; a job that is sent there later makes
        it anew. The records of services (``app.records``) are not the queue's. Raises ``QueueInUse`` while a worker
        is registered for it, and ``QueueNotEmpty`` where it has jobs in any state, or schedules.
        """
        await remove(self._client, self.name, purge=purge)


def _refuse_masks(job: JobRecord, payload: bytes) -> None:
    """Who changes what a view shows would write ``***`` over the values that are masked."""
    for at in masks_in(codec.loads(payload), job.masked) if job.masked else ():
        shown = FieldError(at, "masked", f"{MASK} is what views show in its place: give the value itself")
        raise InvalidPayload(job.task, [shown])


def _check_group(task: str | None, group: str | None, *, by_group: bool) -> None:
    if group is None and not by_group:
        return
    if task is not None:
        raise UsageError("statistics are kept by task and by group, not by both: leave one out")
    if group not in (None, OTHERS) and (not is_group(group) or tenant_of(str(group)) != group):
        raise UsageError(
            f"group={as_given(group)} is not possible: groups are counted by tenant, the first level of a name"
        )


def _state(state: State) -> State:
    try:
        return State(state)
    except ValueError:
        raise UsageError(f"{as_given(state)} is not a state: use one of {', '.join(State)}") from None
