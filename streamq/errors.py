"""Everything streamq raises, in one tree.

    StreamqError
    ├── ConfigurationError        a setting or a task declaration is wrong
    │   └── NameTaken             another living worker has the name
    ├── UsageError                the call is wrong; nothing was sent
    │   ├── InvalidPayload        the payload does not fit the task's type
    │   ├── PayloadTooLarge       the payload is over the limit
    │   ├── UnknownTask           no task of that name is registered
    │   │   └── UnknownVersion    the payload is of a newer version than the task here
    │   ├── RequestReused         the idempotency key was used for another request
    │   ├── InvalidSchedule       the definition of a schedule is wrong
    │   ├── InvalidFilter         the filter cannot be read
    │   ├── InvalidLimit          a limit, or the name of a group, cannot be what was given
    │   ├── WindowNotKept         statistics are not kept of that time, or not so finely
    │   └── NotOpen               the app was not opened with ``async with app``
    │       └── OpenElsewhere     it is open in another event loop, not in this one
    ├── JobError                  about one job
    │   ├── JobNotFound           no such job, or its record has expired
    │   ├── WrongState            the job's state does not allow the action
    │   │   └── KeyInUse          another job has its unique key by now
    │   ├── VersionConflict       the job was changed since it was looked at
    │   ├── JobFailed             the job ended without a result
    │   │   └── JobCancelled      somebody has cancelled it
    │   ├── ResultTimeout         the job did not end in the time given
    │   └── ResultUnreadable      the result does not fit the type that is declared here
    ├── RequestRunning            the first request with an idempotency key is still being answered
    ├── OperationError            about a background operation
    │   ├── OperationNotFound     no such operation, or it ended more than a day ago
    │   ├── OperationConflict     one that runs already is for the same jobs
    │   ├── OperationEnded        it has ended and cannot be cancelled
    │   └── OperationTimeout      it did not end in the time given
    ├── QueueError                about a queue
    │   ├── QueueInUse            workers serve it
    │   ├── MoveRefused           it cannot move to another server
    │   ├── MoveUnfinished        its jobs did not end in the time given, so it has not moved yet
    │   └── QueueNotEmpty         there are jobs, records or schedules in it
    ├── RecordError               about an entry of records
    │   ├── RecordConflict        the entry was changed since it was looked at
    │   └── RecordsFull           as many entries are kept under the name as may be
    ├── NotThere                  nothing has that name
    │   ├── TaskNotFound          no worker has published a task of that name
    │   ├── WorkerNotFound        no worker of that name is registered
    │   └── ScheduleNotFound      no schedule of that name
    ├── WorkerStopping            the worker was asked to stop, and ends
    ├── ScheduleConflict          what the schedule is now does not allow the action
    └── Unavailable               the server cannot take the command now
        ├── QueueFull             as many jobs wait in the queue as may
        │   └── GroupFull         as many jobs of a group wait as may
        ├── OutOfMemory           the server is at ``maxmemory``
        ├── Rejected              the server refuses us: login, rights, version
        │   └── QueueMoved        the queue moves between servers, or has moved
        └── OutcomeUnknown        the command may have run; ``await error.repeat()`` adds nothing twice
            └── NotDurable        the jobs are in the server's memory, and it refuses to make them safer

Three more are not errors but verdicts a handler raises, in ``verdicts``: ``Retry``, ``Fail`` and ``Snooze``.
Each class has a stable ``code``; logs and the HTTP API show it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, ClassVar

from streamq.model.counted import counted
from streamq.model.places import queue_of, shown_id
from streamq.model.shown import as_given
from streamq.tickets import Repeatable, Ticket


class StreamqError(Exception):
    """Root of the tree: ``except StreamqError`` catches all of ours and nothing else."""

    code: ClassVar[str] = "error"

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process, such as that of a ``multiprocessing.Pool``, which hangs on an error it cannot read.

        What can only be done here (``repeat``) stays here.
        """
        carried = {name: value for name, value in self.__dict__.items() if not isinstance(value, Ticket)}
        return _as_it_was, (type(self), self.args), carried


def _as_it_was(kind: type[StreamqError], args: tuple[Any, ...]) -> StreamqError:
    """An error from its text: ``__init__`` made that, of other arguments."""
    error = kind.__new__(kind, *args)
    error.args = args  # OSError, of which TimeoutError is one, leaves them to ``__init__``
    return error


def meant(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """The hint of an error about a name: the nearest that is known, as ``did you mean …?``, or ``otherwise``."""
    near = get_close_matches(name, sorted(known), 1)
    return f"did you mean {near[0]}?" if near else otherwise


class ConfigurationError(StreamqError):
    """A setting or a task declaration is wrong."""

    code = "configuration"


class NameTaken(ConfigurationError):
    """Another living worker has the name: of two with one name, each would take the other's jobs for its own."""

    code = "name-taken"

    def __init__(self, name: str, where: str) -> None:
        self.name = name
        super().__init__(
            f"the name {name!r} is taken by a living worker ({where}): give this one another name, or none"
        )


class UsageError(StreamqError):
    """The call is wrong; nothing was sent."""

    code = "usage"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field.

    ``pointer`` is a JSON Pointer (RFC 6901) into the payload, ``""`` for the payload itself.
    """

    pointer: str
    code: str
    message: str


class InvalidPayload(UsageError):
    """The payload does not fit the task's type. ``errors`` has every field error at once.

    Of many payloads the pointers begin with the place of the wrong one, from 0: ``/17/phone``.
    ``version`` is that of the payload, ``task_version`` that of the task; both are 1 where a task names none.
    """

    code = "invalid-payload"

    def __init__(
        self, task: str, errors: Sequence[FieldError], version: int = 1, task_version: int = 1
    ) -> None:
        self.task, self.version, self.task_version = task, version, task_version
        self.errors = tuple(errors)
        listed = "; ".join(f"{e.pointer or 'payload'}: {e.message}" for e in self.errors)
        of = f" (version {version}, the task has version {task_version})" if task_version > 1 else ""
        super().__init__(f"payload of {task!r}{of} is not valid: {listed}")

    def of_many(self, place: int) -> InvalidPayload:
        """The same of a payload among others, by its place."""
        errors = [replace(each, pointer=f"/{place}{each.pointer}") for each in self.errors]
        return InvalidPayload(self.task, errors, self.version, self.task_version)


class PayloadTooLarge(UsageError):
    """The encoded payload is over the limit. ``size`` and ``limit`` are bytes; ``place`` is that among many, from 0."""

    code = "payload-too-large"

    def __init__(self, task: str, size: int, limit: int, place: int | None = None) -> None:
        self.task, self.size, self.limit, self.place = task, size, limit, place
        which = "payload" if place is None else f"payload {place}"
        super().__init__(
            f"{which} of {task!r} has {size:,} bytes, at most {limit:,} are allowed: "
            "store the data elsewhere and send a reference, or raise STREAMQ_MAX_PAYLOAD"
        )

    def of_many(self, place: int) -> PayloadTooLarge:
        """The same of a payload among others."""
        return PayloadTooLarge(self.task, self.size, self.limit, place)


class UnknownTask(UsageError):
    """No task of that name is registered. ``known`` lists those that are."""

    code = "unknown-task"

    def __init__(self, task: str, known: Sequence[str] = ()) -> None:
        self.task, self.known = task, tuple(sorted(known))
        has = f"known are {', '.join(self.known)}" if self.known else "none is registered"
        super().__init__(f"no task is named {task!r}; {has}")


class UnknownVersion(UnknownTask):
    """The payload is of a newer ``version`` than the task that is registered here, which has ``known_version``."""

    code = "unknown-version"

    def __init__(self, task: str, version: int, known_version: int) -> None:
        super().__init__(task)
        self.version, self.known_version = version, known_version
        self.args = (
            f"the payload of {task!r} is of version {version}, and the task here is of version {known_version}",
        )


class NotOpen(UsageError):
    """The app was not opened, or it was closed meanwhile."""

    code = "not-open"

    def __init__(
        self,
        said: str = "the app is not open: use it inside `async with app:`, "
        "or without an event loop as `app.sync.enqueue(…)`",
    ) -> None:
        super().__init__(said)


class OpenElsewhere(NotOpen):
    """The app is open in another event loop; connections belong to the loop they were made in."""

    code = "open-elsewhere"

    def __init__(self) -> None:
        super().__init__(
            "the app is open in another event loop, not in this one: open it here too with `async with app:`, "
            "or call `app.sync.enqueue(…)`, which any thread without a loop may"
        )


class JobError(StreamqError):
    """About one job."""

    code = "job"


class JobNotFound(JobError):
    """No such job, or its record has expired."""

    code = "job-not-found"

    def __init__(self, queue: str, job_id: str) -> None:
        self.queue, self.job_id = queue, job_id = queue_of(queue), shown_id(queue, job_id)
        super().__init__(
            f"queue {queue!r} has no job {as_given(job_id)}: never enqueued, or past its retention"
        )


class WrongState(JobError):
    """The job's state does not allow the action. ``allowed`` are the actions it does allow."""

    code = "wrong-state"

    def __init__(self, job_id: str, action: str, state: str, allowed: Sequence[str] = ()) -> None:
        self.job_id, self.action, self.state, self.allowed = job_id, action, state, tuple(allowed)
        may = f"it allows {', '.join(allowed)}" if allowed else "it allows no action"
        act = "change the priority of" if action == "priority" else action
        super().__init__(f"cannot {act} job {job_id}: it is {state}, and {may}")


class KeyInUse(WrongState):
    """The job cannot run again, as the job ``other`` has its unique ``key`` by now."""

    code = "key-in-use"

    def __init__(
        self, job_id: str, action: str, state: str, allowed: Sequence[str], key: str, other: str
    ) -> None:
        super().__init__(job_id, action, state, allowed)
        self.key, self.other = key, other
        said = f"its unique key {key!r} is now that of job {other}; wait until that one is done, or cancel it"
        self.args = (f"cannot {action} job {job_id}: {said}",)


class VersionConflict(JobError):
    """The job was changed since it was looked at: it has ``version`` now, and ``expected`` was named."""

    code = "version-conflict"

    def __init__(self, job_id: str, expected: int, version: int) -> None:
        self.job_id, self.expected, self.version = job_id, expected, version
        told = f"it has version {version} now, not {expected}; look at it again"
        super().__init__(f"job {job_id} was changed meanwhile: {told}")


class JobFailed(JobError):
    """The job ended without a result: ``state`` says how, ``error_type`` and ``error`` say why."""

    code = "job-failed"

    def __init__(self, job_id: str, state: str, error_type: str, error: str) -> None:
        self.job_id, self.state, self.error_type, self.error = job_id, state, error_type, error
        super().__init__(f"job {job_id} {state}: {error_type}: {error}")


class JobCancelled(JobFailed):
    """The job was cancelled: ``error`` is the reason that was given."""

    code = "job-cancelled"


class ResultTimeout(JobError, TimeoutError):
    """The job did not end in the time given; it goes on all the same."""

    code = "result-timeout"

    def __init__(self, job_id: str, timeout: float) -> None:
        super().__init__(f"job {job_id} did not end within {timeout:g} s; it goes on")


class ResultUnreadable(JobError):
    """The job is completed, but its result does not fit the type that the task declares here."""

    code = "result-unreadable"

    def __init__(self, job_id: str, task: str, reason: str) -> None:
        self.job_id, self.task, self.reason = job_id, task, reason
        super().__init__(
            f"the result of job {job_id} is not what task {task!r} declares: {reason}; "
            "(await job.status()).result has it as JSON"
        )


class Unavailable(StreamqError):
    """The server cannot take the command now. ``retry_after`` is a hint in seconds."""

    code = "unavailable"
    retry_after: float = 2.0
    advice: ClassVar[str] = "try: streamq doctor, or start a server with: streamq up"
    """What a command says below it; empty for nothing."""


class QueueFull(Repeatable, Unavailable):
    """As many jobs wait in the queue as its ``max_waiting`` allows: none of the call was added.

    Of a call with so many jobs that they were sent in parts, ``sent`` were added before the queue was full;
    ``await error.repeat()`` sends the others, and returns what the call would have.
    """

    code = "queue-full"
    sent: int = 0
    group: str = ""
    """The group that is full, where it is one (``GroupFull``)."""

    def __init__(self, queue: str, waiting: int, bound: int) -> None:
        self.queue, self.waiting, self.bound = queue, waiting, bound
        wait = counted(waiting, "job waits", "jobs wait")
        super().__init__(
            f"queue {queue!r} is full: {wait}, at most {bound:,} may. Send again when workers have "
            "caught up, or raise its max_waiting"
        )

    def after(self, sent: int, ticket: Ticket) -> QueueFull:
        """This error, when so many jobs of the call were added before."""
        self.sent = sent
        self.args = (
            f"{self.args[0]}. Of this call {counted(sent, 'job was', 'jobs were')} added: repeat() sends the others",
        )
        return self.carrying(ticket)


class OutOfMemory(Unavailable):
    """The server is at ``maxmemory`` and refuses new jobs; running ones still finish."""

    code = "out-of-memory"
    retry_after = 15.0


class Rejected(Unavailable):
    """The server answers but refuses us: wrong password, missing rights, too old."""

    code = "rejected"
    retry_after = 30.0


class OutcomeUnknown(Repeatable, Unavailable):
    """The command may have run.

    When it was an enqueue, ``await error.repeat()`` sends the same batch under the same number, which adds nothing
    twice, and returns what the enqueue would have; the server remembers a batch for an hour.
    """

    code = "outcome-unknown"


class NotDurable(OutcomeUnknown, Rejected):
    """The jobs are in the server's memory, and it refuses the durability that was asked for.

    It is a ``Rejected`` as well. ``await error.repeat()`` asks again for the same jobs, and adds nothing twice.
    """

    code = "not-durable"
    advice = ""  # its server is there
