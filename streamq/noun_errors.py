"""Errors about schedules, filters, background operations, repeated requests and reports, in the tree of ``errors``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches

from streamq.errors import FieldError, JobError, QueueFull, Rejected, StreamqError, UsageError
from streamq.model.counted import counted
from streamq.model.shown import as_given, shown
from streamq.model.typed import typed
from streamq.times import rfc3339


class InvalidSchedule(UsageError):
    """The definition of a schedule is wrong. ``errors`` has every field error at once."""

    code = "invalid-schedule"

    def __init__(self, name: str, errors: Sequence[FieldError]) -> None:
        self.name, self.errors = name, tuple(errors)
        listed = "; ".join(f"{e.pointer.removeprefix('/')}: {e.message}" for e in self.errors)
        super().__init__(f"schedule {name!r} is not valid: {listed}")


class InvalidFilter(UsageError):
    """A filter cannot be read. ``place`` is the character from which on, counted from 0; ``text`` is the filter."""

    code = "invalid-filter"
    AROUND = 60
    """Characters shown before and behind the place."""

    def __init__(self, text: str, place: int, reason: str) -> None:
        self.text, self.place, self.reason = text, place, reason
        before, behind = text[max(0, place - self.AROUND) : place], text[place : place + self.AROUND]
        marked = f"{shown(before)} >>> {shown(behind)}".rstrip()
        super().__init__(f"not a filter, at character {place + 1}: {reason}: {marked}")


class InvalidLimit(UsageError):
    """A limit cannot be what was given. ``part`` is what of it is wrong; ``group`` is the name of a group."""

    code = "invalid-limit"

    def __init__(self, part: str, reason: str) -> None:
        self.part = part
        super().__init__(reason)


class GroupFull(QueueFull):
    """As many jobs of the ``group`` wait as its ``max_waiting`` allows: none of the call was added."""

    code = "group-full"

    def __init__(self, queue: str, waiting: int, bound: int, group: str) -> None:
        super().__init__(queue, waiting, bound)
        self.group = group
        said = (
            f"group {group!r} of queue {queue!r} is full: {waiting:,} of its jobs wait, at most {bound:,} may"
        )
        self.args = (f"{said}. Send again when workers have caught up, or raise its max_waiting",)


def full(queue: str, told: str) -> QueueFull:
    """What a script tells of a queue that takes no more: how many wait, how many may, and the group that is full."""
    waiting, bound, *group = told.split()
    if group:
        return GroupFull(queue, int(waiting), int(bound), group[0])
    return QueueFull(queue, int(waiting), int(bound))


class OperationError(StreamqError):
    """About a background operation."""

    code = "operation"


class OperationNotFound(OperationError):
    """No such operation, or it ended more than a day ago."""

    code = "operation-not-found"

    def __init__(self, queue: str, operation_id: str) -> None:
        self.queue, self.operation_id = queue, operation_id
        super().__init__(f"there is no operation {operation_id!r}: never begun, or ended more than a day ago")


class OperationTimeout(OperationError, TimeoutError):
    """The operation did not end in the time given; it goes on all the same."""

    code = "operation-timeout"

    def __init__(self, operation_id: str, done: int, total: int) -> None:
        self.operation_id, self.done, self.total = operation_id, done, total
        super().__init__(f"operation {operation_id} has done {done:,} of {counted(total, 'job')}; it goes on")


class QueueError(StreamqError):
    """About a queue."""

    code = "queue"


class QueueMoved(Rejected):
    """The queue moves between servers, or has moved: nothing was added. ``door`` says where to, or from."""

    code = "queue-moved"
    advice = ""

    def __init__(self, queue: str, door: str) -> None:
        self.queue, self.door = queue, door
        does = f"queue {queue!r} {door}"
        if door.startswith("comes"):
            super().__init__(f"{does} and is not open yet: send again when `streamq migrate` has ended")
        else:
            super().__init__(
                f"{does} and takes nothing here: set STREAMQ_REDIS_URL to that server, and start again"
            )


class MoveRefused(QueueError):
    """A queue cannot move to another server: the message says what is in the way."""

    code = "move-refused"

    def __init__(self, queue: str, reason: str) -> None:
        self.queue, self.reason = queue, reason
        super().__init__(f"queue {as_given(queue)} cannot move: {reason}")


class MoveUnfinished(QueueError, TimeoutError):
    """Jobs of a queue that is to move still run: ``active`` of them. It stays paused until the move goes on."""

    code = "move-unfinished"

    def __init__(self, queue: str, active: int) -> None:
        self.queue, self.active = queue, active
        super().__init__(
            f"{counted(active, 'job')} of queue {queue!r} did not end in time: it is paused; start the move again to "
            "go on, or with --undo to give it up"
        )


class QueueInUse(QueueError):
    """Workers serve the queue: ``workers`` are their names."""

    code = "queue-in-use"

    def __init__(self, queue: str, workers: Sequence[str]) -> None:
        self.queue, self.workers = queue, tuple(workers)
        super().__init__(
            f"queue {queue!r} cannot be removed: {', '.join(workers[:5])} serves it. Stop it first; if it was lost, "
            "`streamq doctor --repair` takes its jobs back"
        )


class QueueNotEmpty(QueueError):
    """There are jobs, records or schedules in the queue: ``counts`` of them."""

    code = "queue-not-empty"

    def __init__(self, queue: str, counts: Mapping[str, int]) -> None:
        self.queue, self.counts = queue, dict(counts)
        there = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count) or "jobs by now"
        super().__init__(
            f"queue {queue!r} cannot be removed: it has {there}. Wait, or remove them with it: purge=True"
        )


class PartitionsChanging(QueueError):
    """The number of its partitions is being changed by another at this moment, or too many changes of it are not over:
    it ``was`` so many, and comes to ``count``. It may go back to any of ``former`` where there are some."""

    code = "partitions-changing"

    def __init__(self, queue: str, was: int, count: int, wanted: int, former: Sequence[int] = ()) -> None:
        self.queue, self.was, self.count, self.wanted, self.former = queue, was, count, wanted, tuple(former)
        looks = f"`{typed('queue partition', queue)}` tells"
        back = " or ".join(map(str, sorted(self.former)))
        reason = (
            f"groups or keys stay since {len(self.former)} changes: wait for those that {looks}, or go back to {back}"
            if self.former else f"say it again when that is known, which {looks}"
        )  # fmt: skip
        super().__init__(
            f"queue {queue!r} is on its way from {was} to {counted(count, 'partition')}, and cannot be given {wanted} "
            f"meanwhile: {reason}"
        )


class RecordError(StreamqError):
    """About an entry of records."""

    code = "record"


class RecordConflict(RecordError):
    """The entry was changed since it was looked at: it has ``version`` now, 0 where there is none."""

    code = "record-conflict"

    def __init__(self, name: str, key: str, expected: int, version: int) -> None:
        self.name, self.key, self.expected, self.version = name, key, expected, version
        told = f"version {version}" if version else "no entry"
        super().__init__(
            f"records {name!r}: {as_given(key)} has {told} now, not {expected or 'none'}; look at it again"
        )


class RecordsFull(RecordError):
    """As many entries are kept under the name as may be."""

    code = "records-full"

    def __init__(self, name: str, limit: int) -> None:
        self.name, self.limit = name, limit
        super().__init__(
            f"records {name!r} have {limit:,} entries, as many as may be: give them shorter lifetimes, delete some, "
            "or raise app.records(…, limit=…)"
        )


class OperationConflict(OperationError):
    """Another operation that runs already is for the same jobs: ``other`` is its id."""

    code = "operation-conflict"

    def __init__(self, queue: str, other: str) -> None:
        self.queue, self.other = queue, other
        super().__init__(
            f"operation {other} is for the same jobs and still runs: wait for its end, or cancel it first"
        )


class OperationEnded(OperationError):
    """The operation has ended and cannot be cancelled any more."""

    code = "operation-ended"

    def __init__(self, operation_id: str, state: str) -> None:
        self.operation_id, self.state = operation_id, state
        super().__init__(f"operation {operation_id} is {state}: there is nothing left to cancel")


class NotThere(StreamqError):
    """Nothing has the ``name``: that is ``said``, and the ``hint`` is what of the ``known`` may have been meant."""

    code = "not-there"

    def __init__(self, name: str, said: str = "", known: Sequence[str] = ()) -> None:
        self.name, self.said, self.known, self.hint = name, said, tuple(known), _hint(name, known)
        super().__init__(f"{said}: {self.hint}")


class ScheduleNotFound(NotThere):
    """No schedule of that name. ``known`` lists those that there are."""

    code = "schedule-not-found"

    def __init__(self, name: str, known: Sequence[str] = ()) -> None:
        super().__init__(name, f"there is no schedule {as_given(name)}", known)


class TaskNotFound(NotThere):
    """No worker has published a task of that name. ``known`` lists those that there are."""

    code = "task-not-found"

    def __init__(self, name: str, known: Sequence[str] = ()) -> None:
        super().__init__(name, f"no worker has told of a task {as_given(name)}", known)


class WorkerNotFound(NotThere):
    """No worker of that name is registered. ``known`` lists those that are."""

    code = "worker-not-found"

    def __init__(self, name: str, known: Sequence[str] = ()) -> None:
        super().__init__(name, f"there is no worker {as_given(name)}", known)


class WorkerStopping(StreamqError):
    """The worker was asked to stop, which cannot be taken back."""

    code = "worker-stopping"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"worker {name!r} was asked to stop, and ends: start another one")


class ScheduleConflict(StreamqError):
    """What the schedule is now does not allow the action: it was changed meanwhile, or code declares it."""

    code = "schedule-conflict"

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        super().__init__(f"schedule {name!r}: {reason}")


class WindowNotKept(UsageError):
    """Statistics are asked for of a time of which they are not kept, or not so finely; they are from ``oldest`` on."""

    code = "window-not-kept"

    def __init__(self, since: datetime, oldest: datetime, *, by_hour: bool) -> None:
        self.since, self.oldest, self.oldest_text = since, oldest, rfc3339(oldest, "seconds")
        instead = (
            "what is older than a day is kept by the hour: use step='1h' or longer"
            if by_hour
            else "older hours are gone"
        )
        super().__init__(
            f"statistics from {rfc3339(since, 'seconds')} on are not kept, only from {self.oldest_text}: "
            f"{instead}"
        )


class RequestRunning(StreamqError):
    """The request is being answered already: ask again in ``retry_after`` seconds, and get that answer."""

    code = "idempotency-key-in-flight"

    def __init__(self, key: str, retry_after: float) -> None:
        self.key, self.retry_after = key, retry_after
        super().__init__(
            f"the first request with the key {key!r} is still being answered: ask again in a second"
        )


class RequestReused(UsageError):
    """The key is that of another request: a new request needs a key of its own."""

    code = "idempotency-key-reused"

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(
            f"the key {key!r} was used for another request: use a new key, or send that one again"
        )


class InvalidProgress(UsageError):
    """What a handler reports as its progress cannot be kept: no number from 0 to 1, no JSON form, or too long."""

    code = "invalid-progress"


class ResultNotKept(JobError):
    """The job has completed, and its result is not kept, or not any more: ``keep_result`` says how long."""

    code = "result-not-kept"

    def __init__(self, queue: str, job_id: str) -> None:
        self.queue, self.job_id = queue, job_id
        super().__init__(
            f"job {job_id} on {queue!r} has completed; its result is not kept any more, as keep_result says"
        )


def _hint(name: object, known: Sequence[str]) -> str:
    """What may have been meant."""
    near = get_close_matches(str(name)[:64], known, 1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known[:10]) or 'none'}"
