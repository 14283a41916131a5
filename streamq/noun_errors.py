"""Errors about schedules, background operations and repeated requests. They stand in the tree of ``errors``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches

from streamq.errors import FieldError, StreamqError, UsageError
from streamq.model.shown import as_given
from streamq.times import rfc3339


class InvalidSchedule(UsageError):
    """The definition of a schedule is wrong. ``errors`` has every field error at once."""

    code = "invalid-schedule"

    def __init__(self, name: str, errors: Sequence[FieldError]) -> None:
        self.name, self.errors = name, tuple(errors)
        listed = "; ".join(f"{e.pointer.removeprefix('/')}: {e.message}" for e in self.errors)
        super().__init__(f"schedule {name!r} is not valid: {listed}")


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
        super().__init__(f"operation {operation_id} has done {done:,} of {total:,} jobs; it goes on")


class ScheduleNotFound(StreamqError):
    """No schedule of that name. ``known`` lists those that there are."""

    code = "schedule-not-found"

    def __init__(self, name: str, known: Sequence[str] = ()) -> None:
        self.name, self.known = name, tuple(known)
        near = get_close_matches(str(name)[:64], known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known[:10]) or 'none'}"
        super().__init__(f"there is no schedule {as_given(name)}: {hint}")


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
