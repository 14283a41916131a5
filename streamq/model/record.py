"""The record of a finished job: its writer and its reader. (Where a script ends a job, ``lua/parts/record.lua`` does.)

    <mark><ms since birth> <ms it ran> <worker> LF <task> LF <headers> LF <outcome> LF <payload>

The mark is a letter for each outcome (``model.outcomes``). A job's id says when it was born.
"""

from __future__ import annotations

from typing import NamedTuple

from streamq.model.envelope import Delivery, one_line, opened
from streamq.model.outcomes import DELAYED, FAILED, MARKS


class Record(NamedTuple):
    """What stands in a record, as bytes, for anybody may have written it; what is missing is empty."""

    mark: bytes
    age: bytes
    ran: bytes
    worker: bytes
    task: bytes
    headers: bytes
    outcome: bytes
    payload: bytes


def record(
    kind: str, delivery: Delivery, now: int, run_ms: int, worker: bytes, headers: bytes, outcome: bytes
) -> bytes:
    """Write the record of a job that has ended ``now``: ms since the epoch by the server's clock."""
    first = b"%b%d %d %b" % (MARKS[kind], _age(delivery.job_id, now), run_ms, worker)
    task = delivery.raw_task
    if b"\n" in task:  # asked here: this is done once a job
        task = one_line(task)
    return b"\n".join((first, task, headers and one_line(headers), outcome, delivery.payload))


def read(stored: bytes) -> Record:
    """Read a record."""
    first, task, headers, outcome, payload = _parts(stored, b"\n", 5)
    age, ran, worker = _parts(first[1:], b" ", 3)
    return Record(first[:1], age, ran, worker, task, headers, outcome, payload)


def as_failure(kind: str, body: bytes, job_id: str, now: int, worker: bytes, outcome: bytes) -> bytes:
    """The record of a failed job, made of the ``body`` of an outcome of any ``kind`` that could not be written."""
    if kind == DELAYED:
        task, headers, payload = opened(body)
        first = b"%b%d 0 %b" % (MARKS[FAILED], _age(job_id, now), worker)
    else:
        was = read(body)
        task, headers, payload = was.task, was.headers, was.payload
        first = MARKS[FAILED] + b" ".join((was.age, was.ran, was.worker))
    return _joined(first, task, headers, outcome, payload)


def _joined(*lines: bytes) -> bytes:
    return b"\n".join(lines)


def _age(job_id: str, now: int) -> int:
    """Milliseconds since its birth. An id whose first number is longer than a time is somebody's mistake."""
    age = now - int(job_id.partition("-")[0][:14])
    return age if age > 0 else 0  # calling ``max`` would cost a third more, once a job


def _parts(text: bytes, separator: bytes, count: int) -> list[bytes]:
    """``count`` parts, of which the last ones are empty where the text has fewer."""
    parts = text.split(separator, count - 1)
    return parts + [b""] * (count - len(parts))
