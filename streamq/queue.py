"""A queue as people look at it and steer it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from streamq.client.client import Client
from streamq.durations import Duration
from streamq.errors import FieldError, InvalidPayload, UsageError
from streamq.model import codec
from streamq.model.clock import host_now
from streamq.model.cursors import invalid
from streamq.model.explanations import Explanation, explain
from streamq.model.job_record import Counts, JobRecord, Page
from streamq.model.masked import MASK, masks_in
from streamq.model.operation import OperationRecord
from streamq.model.shown import as_given
from streamq.model.states import PURGED, State
from streamq.model.statistics import Statistics
from streamq.model.steering import Steering
from streamq.operation import Operation
from streamq.options import Priority, wrong_task_name
from streamq.statistics import statistics_of, window
from streamq.store.jobs import Change
from streamq.terms import moment, terms
from streamq.times import rfc3339

PAGE_LIMIT = 200
"""Jobs on a page at most: they are read in four round trips."""
UNCHANGED: Final[Any] = object()
"""The payload of a change that leaves it: ``None`` is a payload like any other."""
SOON: Final = "0"
"""A due time that is now (``model.due``)."""


class Queue:
    """Made by ``app.queue(name)``. Every method raises ``Unavailable`` when the server cannot be reached."""

    def __init__(self, name: str, client: Client) -> None:
        client.store.keys(name)  # raises for an invalid name
        self.name, self._client = name, client

    def __repr__(self) -> str:
        return f"<Queue {self.name!r}>"

    async def counts(self) -> Counts:
        """How many jobs are in each state."""
        return await self._client.store.queues.counts(self.name)

    async def get(self, job_id: str) -> JobRecord:
        """Everything known of a job. Raises ``JobNotFound``, and ``UsageError`` for an id that is no text."""
        return await self._client.store.jobs.job(self.name, _text(job_id))

    async def why(self, job_id: str) -> Explanation:
        """Why a job does not run now: a sentence, and a code that stays. Raises as ``get``.

        It looks three times at most, so what changes meanwhile may be told as it was or as it is.
        """
        return explain(await self._client.store.explanations.facts(self.name, _text(job_id)))

    async def jobs(self, state: State, *, limit: int = 50, cursor: str | None = None) -> Page:
        """A page of the jobs in ``state``: oldest first while they live, latest first when they are finished.

        ``limit`` is 1 to 200; ``cursor`` is the ``next`` of the page before. Raises ``UsageError``.
        """
        if type(limit) is not int or not 1 <= limit <= PAGE_LIMIT:
            raise UsageError(f"limit={as_given(limit)} is not a page size: use 1 to {PAGE_LIMIT}")
        if not isinstance(cursor, str | None):
            raise invalid(cursor)
        return await self._client.store.jobs.jobs(self.name, _state(state), limit, cursor)

    async def retry(self, job_id: str) -> JobRecord:
        """A job that failed, was cancelled or has expired waits again, with all its attempts. Returns it as it waits.

        Its history stays, and it does not expire any more. Of many concurrent calls one moves it. Raises
        ``JobNotFound``, ``WrongState`` for a job that has not ended so, or not any more, with the state it has, and
        ``KeyInUse`` when another job has its unique key by now.
        """
        return await self._client.store.jobs.requeue(self.name, _text(job_id))

    async def cancel(self, job_id: str, reason: str = "", *, by: str = "") -> JobRecord:
        """End a job that has not begun, and ask for the end of one that runs. Returns it as it is now.

        A job that runs stays ``active`` until its handler has ended: that is cancelled, or sees ``ctx.cancelled``.
        Whatever it comes to then, the job ends as ``cancelled``, after two seconds also while the handler goes on.
        ``reason`` and ``by``, who asks, are kept in its record: each one line of up to 500 characters.
        A job that is cancelled already is returned as it is. Raises ``JobNotFound``, and ``WrongState`` for a job that
        has ended otherwise.
        """
        said = _line("reason", reason), _line("by", by)
        return await self._client.store.jobs.cancel(self.name, _text(job_id), *said)

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
        return await self._client.store.jobs.change(self.name, _text(job_id), change)

    async def delete(self, job_id: str) -> None:
        """Delete the record of a finished job. Raises ``JobNotFound``, and ``WrongState`` where it has not ended."""
        await self._client.store.jobs.remove(self.name, _text(job_id))

    async def statistics(
        self, since: Duration | datetime = "1h", until: Duration | datetime | None = None, *,
        step: Duration | None = None, task: str | None = None,
    ) -> Statistics:  # fmt: skip
        """What the jobs of a time came to, by task and step by step, and how long they waited and ran.

        ``since`` and ``until`` are how long ago, or aware times; ``step`` is whole minutes, and chosen when nobody says
        it. A day is kept by the minute, 90 days by the hour. Workers add to it once a second. Raises ``WindowNotKept``
        for an older time, and ``UsageError`` for what can be none.
        """
        self._check_task(task)
        store = self._client.store.statistics
        return await statistics_of(store, self.name, window(await store.now(), since, until, step), task)

    # -- steering -------------------------------------------------------------------------------------------

    async def steering(self) -> Steering:
        """What was told to the queue: whether it is paused, which tasks in it are, and its bounds."""
        return await self._client.store.steering.told(self.name)

    @property
    def is_known_plain(self) -> bool:
        """Whether nothing was told to it, as far as this process knows by its last enqueue there; asks nobody."""
        return self.name in self._client.store.producers.plain

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
        ends = "" if until is None else moment("until", until)
        if isinstance(until, datetime) and until <= host_now():
            given = rfc3339(until.astimezone(UTC))
            raise UsageError(f"until={given} is in the past, so nothing would be paused: give a time to come")
        await self._client.store.steering.pause(
            self.name, task, _line("reason", reason), _line("by", by), ends
        )
        self._client.store.producers.plain.forget(self.name)

    async def resume(self, *, task: str | None = None) -> bool:
        """End a pause of the queue, or of a ``task`` in it. Returns whether there was one."""
        self._check_task(task)
        return await self._client.store.steering.resume(self.name, task)

    async def limit(self, *, max_waiting: int | None) -> bool:
        """Let so many jobs wait at most: an enqueue beyond raises ``QueueFull``. ``None`` lets any number wait.

        Delayed jobs do not count until they are due, and those that come back never do. Producers that run know it
        after a second at most. Returns whether that changes anything.
        """
        fits = max_waiting is None or (type(max_waiting) is int and 0 <= max_waiting < 2**53)
        if not fits:
            raise UsageError(
                f"max_waiting={as_given(max_waiting)} is not possible: use a whole number from 0 on, or None"
            )
        changed = await self._client.store.steering.set_max_waiting(self.name, max_waiting)
        self._client.store.producers.plain.forget(self.name)
        return changed

    # -- background operations ------------------------------------------------------------------------------

    async def purge(self, states: Iterable[State | str] = PURGED, *, by: str = "") -> Operation:
        """Delete the jobs of these states, by default of all but ``active``; there is no way back.

        It goes on in the background, done by workers and schedulers, for the jobs that are there now. Raises
        ``UsageError`` for a state whose jobs cannot be purged.
        """
        return await self._begin("purge", states, by)

    async def drain(self, *, delayed: bool = False, by: str = "") -> Operation:
        """Delete what has not begun: the waiting jobs, and with ``delayed`` the delayed and held ones, too."""
        states = (State.HELD, State.DELAYED, State.WAITING) if delayed else (State.WAITING,)
        return await self._begin("drain", states, by)

    async def _begin(self, kind: str, states: Iterable[State | str], by: str) -> Operation:
        asked = [states] if isinstance(states, str) or not isinstance(states, Iterable) else list(states)
        if not asked:
            raise UsageError(f"name a state whose jobs are to be purged: any of {', '.join(PURGED)}")
        if strange := [state for state in asked if state not in PURGED]:
            raise UsageError(
                f"jobs that are {as_given(strange[0])} cannot be purged: use any of {', '.join(PURGED)}"
            )
        counts = (await self.counts()).asdict()
        wanted = [state for state in PURGED if state in asked]
        total = sum(counts[state] for state in wanted)
        begun = await self._client.store.operations.begin(self.name, kind, wanted, total, _line("by", by))
        return Operation(begun, self.name, self._client)

    async def operations(self) -> list[OperationRecord]:
        """The background operations of the queue, the latest first; those of more than a day ago are forgotten."""
        return await self._client.store.operations.of_each([self.name])

    def operation(self, operation_id: str) -> Operation:
        """The handle on an operation, by its id."""
        if not isinstance(operation_id, str):
            raise UsageError(f"{as_given(operation_id)} is not the id of an operation: give it as text")
        return Operation(operation_id, self.name, self._client)

    def _check_task(self, task: str | None) -> None:
        if task is not None and (problem := wrong_task_name(task)):
            raise UsageError(problem)


REASON: Final = 500
"""Characters of a reason at most: it is shown on one line."""


def _line(name: str, text: object) -> str:
    if isinstance(text, str) and len(text) <= REASON and "\n" not in text:
        return text
    raise UsageError(f"{name}={as_given(text)} is not possible: use at most {REASON} characters on one line")


def _refuse_masks(job: JobRecord, payload: bytes) -> None:
    """Who changes what a view shows would write ``***`` over the values that are masked."""
    for at in masks_in(codec.loads(payload), job.masked) if job.masked else ():
        shown = FieldError(at, "masked", f"{MASK} is what views show in its place: give the value itself")
        raise InvalidPayload(job.task, [shown])


def _text(job_id: str) -> str:
    if not isinstance(job_id, str):
        raise UsageError(f"{as_given(job_id)} is not the id of a job: give it as text, as job.id has it")
    return job_id


def _state(state: State) -> State:
    try:
        return State(state)
    except ValueError:
        raise UsageError(f"{as_given(state)} is not a state: use one of {', '.join(State)}") from None
