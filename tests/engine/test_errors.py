"""What streamq raises, away from where it was raised."""

from __future__ import annotations

import pickle

import pytest

from streamq import StreamqError, errors, noun_errors
from streamq.model.clock import from_ms
from streamq.tickets import Ticket


def _kinds(kind: type[StreamqError]) -> list[type[StreamqError]]:
    return [kind, *[each for heir in kind.__subclasses__() for each in _kinds(heir)]]


_MADE: dict[type[StreamqError], StreamqError] = {
    errors.NameTaken: errors.NameTaken("w", "host 1"),
    errors.InvalidPayload: errors.InvalidPayload("t", [errors.FieldError("/a", "c", "no")]),
    errors.PayloadTooLarge: errors.PayloadTooLarge("t", 2, 1),
    errors.UnknownTask: errors.UnknownTask("t", ["u"]),
    errors.UnknownVersion: errors.UnknownVersion("t", 2, 1),
    errors.NotOpen: errors.NotOpen(),
    errors.OpenElsewhere: errors.OpenElsewhere(),
    noun_errors.InvalidSchedule: noun_errors.InvalidSchedule("s", [errors.FieldError("/cron", "cron", "no")]),
    noun_errors.InvalidLimit: noun_errors.InvalidLimit("rate", "no"),
    noun_errors.GroupFull: noun_errors.GroupFull("q", 1, 1, "g"),
    noun_errors.ScheduleNotFound: noun_errors.ScheduleNotFound("s", ["t"]),
    noun_errors.WindowNotKept: noun_errors.WindowNotKept(from_ms(1), from_ms(2), by_hour=True),
    noun_errors.ScheduleConflict: noun_errors.ScheduleConflict("s", "no"),
    errors.JobNotFound: errors.JobNotFound("q", "1-1"),
    errors.WrongState: errors.WrongState("1-1", "cancel", "failed", ["retry"]),
    errors.KeyInUse: errors.KeyInUse("1-1", "retry", "failed", ["retry"], "k", "2-2"),
    errors.VersionConflict: errors.VersionConflict("1-1", 0, 1),
    errors.JobFailed: errors.JobFailed("1-1", "failed", "E", "no"),
    noun_errors.RequestRunning: noun_errors.RequestRunning("k", 1.0),
    errors.JobCancelled: errors.JobCancelled("1-1", "cancelled", "Cancelled", "no"),
    errors.ResultTimeout: errors.ResultTimeout("1-1", 1),
    errors.ResultUnreadable: errors.ResultUnreadable("1-1", "t", "no"),
    noun_errors.OperationNotFound: noun_errors.OperationNotFound("q", "q.0"),
    noun_errors.OperationTimeout: noun_errors.OperationTimeout("q.0", 1, 2),
    noun_errors.PartitionsChanging: noun_errors.PartitionsChanging("q", 1, 4, 8, (1,)),
    noun_errors.QueueInUse: noun_errors.QueueInUse("q", ["w"]),
    noun_errors.QueueMoved: noun_errors.QueueMoved("q", "moves to queues.example.com"),
    noun_errors.MoveRefused: noun_errors.MoveRefused("q", "no"),
    noun_errors.MoveUnfinished: noun_errors.MoveUnfinished("q", 1),
    noun_errors.QueueNotEmpty: noun_errors.QueueNotEmpty("q", {"waiting": 1}),
    noun_errors.RecordConflict: noun_errors.RecordConflict("r", "k", 1, 2),
    noun_errors.RecordsFull: noun_errors.RecordsFull("r", 1),
    noun_errors.ResultNotKept: noun_errors.ResultNotKept("q", "1-1"),
    noun_errors.OperationConflict: noun_errors.OperationConflict("q", "q.0"),
    noun_errors.OperationEnded: noun_errors.OperationEnded("q.0", "done"),
    noun_errors.InvalidFilter: noun_errors.InvalidFilter("age>", 4, "a value is missing"),
    errors.QueueFull: errors.QueueFull("q", 1, 1).after(2, Ticket(lambda: None)),  # type: ignore[arg-type,return-value]
    errors.OutcomeUnknown: errors.OutcomeUnknown("no").carrying(
        Ticket(lambda: None)  # type: ignore[arg-type,return-value]
    ),
}


@pytest.mark.parametrize(
    "kind",
    [kind for kind in _kinds(StreamqError) if kind.__module__ in (errors.__name__, noun_errors.__name__)],
)
def test_an_error_comes_through_to_another_process_as_it_was(kind: type[StreamqError]) -> None:
    """A pool of processes hangs on one that cannot be read."""
    error = _MADE.get(kind) or kind("no")
    back = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own
    assert type(back) is kind
    assert (str(back), back.args) == (str(error), error.args)
    assert back.__dict__ == {k: v for k, v in error.__dict__.items() if k != "ticket"}
    assert not hasattr(back, "repeat") or back.repeat is None
