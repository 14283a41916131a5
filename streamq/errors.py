"""Everything streamq raises, in one tree.

    StreamqError
    ├── ConfigurationError        a setting or a task declaration is wrong
    │   └── NameTaken             another living worker has the name
    ├── UsageError                the call is wrong; nothing was sent
    │   ├── InvalidPayload        the payload does not fit the task's type
    │   ├── PayloadTooLarge       the payload is over the limit
    │   ├── UnknownTask           no task of that name is registered
    │   ├── InvalidSchedule       the definition of a schedule is wrong
    │   └── NotOpen               the app was not opened with ``async with app``
    │       └── OpenElsewhere     it is open in another event loop, not in this one
    ├── JobError                  about one job
    │   ├── JobNotFound           no such job, or its record has expired
    │   ├── WrongState            the job's state does not allow the action
    │   ├── JobFailed             the job ended without a result
    │   ├── ResultTimeout         the job did not end in the time given
    │   └── ResultUnreadable      the result does not fit the type that is declared here
    ├── ScheduleNotFound          no schedule of that name
    ├── ScheduleConflict          what the schedule is now does not allow the action
    └── Unavailable               the server cannot take the command now
        ├── OutOfMemory           the server is at ``maxmemory``
        ├── Rejected              the server refuses us: login, rights, version
        └── OutcomeUnknown        the command may have run; ``await error.repeat()`` adds nothing twice
            └── NotDurable        the jobs are in the server's memory, and it refuses to make them safer

Three more are not errors but verdicts a handler raises: ``Retry``, ``Fail`` and ``Snooze``.
Each class has a stable ``code``; logs and the HTTP API show it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, ClassVar, Final, TypeVar

from streamq.durations import Duration, seconds_of
from streamq.model.shown import as_given

T = TypeVar("T")


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
    """The payload does not fit the task's type. ``errors`` has every field error at once."""

    code = "invalid-payload"

    def __init__(self, task: str, errors: Sequence[FieldError]) -> None:
        self.task = task
        self.errors = tuple(errors)
        listed = "; ".join(f"{e.pointer or 'payload'}: {e.message}" for e in self.errors)
        super().__init__(f"payload of {task!r} is not valid: {listed}")


class PayloadTooLarge(UsageError):
    """The encoded payload is over the limit. ``size`` and ``limit`` are bytes."""

    code = "payload-too-large"

    def __init__(self, task: str, size: int, limit: int) -> None:
        self.size, self.limit = size, limit
        super().__init__(
            f"payload of {task!r} has {size:,} bytes, at most {limit:,} are allowed: "
            "store the data elsewhere and send a reference, or raise STREAMQ_MAX_PAYLOAD"
        )


class UnknownTask(UsageError):
    """No task of that name is registered. ``known`` lists those that are."""

    code = "unknown-task"

    def __init__(self, task: str, known: Sequence[str] = ()) -> None:
        self.task, self.known = task, tuple(sorted(known))
        has = f"known are {', '.join(self.known)}" if self.known else "none is registered"
        super().__init__(f"no task is named {task!r}; {has}")


class InvalidSchedule(UsageError):
    """The definition of a schedule is wrong. ``errors`` has every field error at once."""

    code = "invalid-schedule"

    def __init__(self, name: str, errors: Sequence[FieldError]) -> None:
        self.name, self.errors = name, tuple(errors)
        listed = "; ".join(f"{e.pointer.removeprefix('/')}: {e.message}" for e in self.errors)
        super().__init__(f"schedule {name!r} is not valid: {listed}")


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
        self.queue, self.job_id = queue, job_id
        super().__init__(
            f"queue {queue!r} has no job {as_given(job_id)}: never enqueued, or past its retention"
        )


class WrongState(JobError):
    """The job's state does not allow the action. ``allowed`` are the actions it does allow."""

    code = "wrong-state"

    def __init__(self, job_id: str, action: str, state: str, allowed: Sequence[str] = ()) -> None:
        self.job_id, self.action, self.state, self.allowed = job_id, action, state, tuple(allowed)
        may = f"it allows {', '.join(allowed)}" if allowed else "it allows no action"
        super().__init__(f"cannot {action} job {job_id}: it is {state}, and {may}")


class JobFailed(JobError):
    """The job ended without a result: ``state`` says how, ``error_type`` and ``error`` say why."""

    code = "job-failed"

    def __init__(self, job_id: str, state: str, error_type: str, error: str) -> None:
        self.job_id, self.state, self.error_type, self.error = job_id, state, error_type, error
        super().__init__(f"job {job_id} {state}: {error_type}: {error}")


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


class ScheduleNotFound(StreamqError):
    """No schedule of that name. ``known`` lists those that there are."""

    code = "schedule-not-found"

    def __init__(self, name: str, known: Sequence[str] = ()) -> None:
        self.name, self.known = name, tuple(known)
        near = get_close_matches(name[:64], known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known[:10]) or 'none'}"
        super().__init__(f"there is no schedule {as_given(name)}: {hint}")


class ScheduleConflict(StreamqError):
    """What the schedule is now does not allow the action: it was changed meanwhile, or code declares it."""

    code = "schedule-conflict"

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        super().__init__(f"schedule {name!r}: {reason}")


class Unavailable(StreamqError):
    """The server cannot take the command now. ``retry_after`` is a hint in seconds."""

    code = "unavailable"
    retry_after: float = 2.0


class OutOfMemory(Unavailable):
    """The server is at ``maxmemory`` and refuses new jobs; running ones still finish."""

    code = "out-of-memory"
    retry_after = 15.0


class Rejected(Unavailable):
    """The server answers but refuses us: wrong password, missing rights, too old."""

    code = "rejected"
    retry_after = 30.0


class OutcomeUnknown(Unavailable):
    """The command may have run.

    When it was an enqueue, ``await error.repeat()`` sends the same batch under the same number, which adds nothing
    twice, and returns what the enqueue would have; the server remembers a batch for an hour.
    """

    code = "outcome-unknown"
    ticket: Ticket | None = None

    @property
    def repeat(self) -> Callable[[], Any] | None:
        """A function that sends the batch again under its number; ``None`` when it was no enqueue."""
        return None if self.ticket is None else self.ticket.repeat

    def carrying(self, ticket: Ticket) -> OutcomeUnknown:
        """This error with the ticket of its batch."""
        self.ticket = ticket
        return self


class Ticket:
    """Sends a batch again, and makes of its ids what the caller of enqueue would have got."""

    def __init__(self, send: Callable[[], Awaitable[list[str]]]) -> None:
        self.send = send
        self.handles: Callable[[list[str]], Any] = lambda ids: ids
        self.run: Callable[[Callable[[], Awaitable[Any]]], Any] = lambda act: act()
        """How the caller awaits: for a thread without an event loop, in the loop of ``app.sync``."""

    def repeat(self) -> Any:
        """Send it again. Raises another ``OutcomeUnknown`` with this ticket when there is no reply."""
        return self.run(self._again)

    async def _again(self) -> Any:
        return await handed(self.send(), self.handles)


async def handed(send: Awaitable[list[str]], handles: Callable[[list[str]], T]) -> T:
    """What ``handles`` makes of the ids that ``send`` returns, now or when an unknown outcome is repeated."""
    try:
        return handles(await send)
    except OutcomeUnknown as error:
        if error.ticket is not None:
            error.ticket.handles = handles
        raise


class NotDurable(OutcomeUnknown, Rejected):
    """The jobs are in the server's memory, and it refuses the durability that was asked for.

    It is a ``Rejected`` as well. ``await error.repeat()`` asks again for the same jobs, and adds nothing twice.
    """

    code = "not-durable"


class Verdict(Exception):
    """What a handler may raise to decide the fate of its attempt; not an error."""


LONGEST_WAIT: Final = 366 * 24 * 3600.0
"""Seconds a job may be delayed: a year. A longer time is most likely in the wrong unit."""


def _wait(duration: Duration) -> float:
    if isinstance(duration, int | float) and duration < 0:
        return 0.0  # a computed time in the past means at once
    if isinstance(duration, timedelta) and duration < timedelta():
        return 0.0
    seconds = seconds_of(duration)
    if seconds > LONGEST_WAIT:
        raise ValueError(f"{seconds:g} seconds is not a time to wait: use at most {LONGEST_WAIT:g} seconds")
    return seconds


class Retry(Verdict):
    """Run the job again after ``after`` seconds (default: the task's backoff). Spends an attempt.

    ``after`` may be text too, such as ``"30s"`` or ``"5m"``, or a ``timedelta``.
    Raises ``ValueError`` for more than a year, and for what is no duration.
    """

    after: float | None = None
    """Seconds to wait; ``None`` leaves it to the task's backoff, also in a subclass that does not say."""

    def __init__(self, reason: str = "", *, after: Duration | None = None) -> None:
        self.after = None if after is None else _wait(after)
        super().__init__(reason or "the handler asked for a retry")


class Fail(Verdict):
    """End the job as ``failed`` now, whatever attempts are left."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class Snooze(Verdict):
    """Run the job again after ``seconds``, without spending an attempt.

    ``seconds`` may be text too, such as ``"30s"`` or ``"5m"``, or a ``timedelta``.
    Raises ``ValueError`` for more than a year, and for what is no duration.
    A subclass passes its ``seconds`` to ``super().__init__``: without them it is a failed attempt like any other error.
    """

    seconds: float

    def __init__(self, seconds: Duration, reason: str = "") -> None:
        self.seconds = _wait(seconds)
        super().__init__(reason or f"snoozed for {self.seconds:g} s")
