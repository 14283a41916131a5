"""The slowest jobs of ten minutes, as workers tell them and as they are kept.

A job that is to be among the slowest hundred of all is among the hundred of the worker that ran it: so each tells its
own, and what is told of all together is right.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from streamq.model import codec
from streamq.model.clock import from_ms
from streamq.model.places import queue_of, shown_id
from streamq.model.slow import SlowJob
from streamq.model.states import State

SPAN: Final = 600_000
"""Milliseconds of which the slowest are kept together."""
MOST: Final = 100
"""How many of them are."""
KEPT: Final = 3_600_000 + 2 * SPAN
"""Milliseconds for which they are: those of the last hour, and the part that runs."""
_STATES: Final = frozenset({str(State.COMPLETED), str(State.FAILED)})
UNREADABLE: Final = (ValueError, TypeError, OverflowError, OSError, RecursionError)


def written(job: str, task: str, state: str, worker: str, ended: int) -> bytes:
    """A job that has ended ``ended`` ms after the epoch, as it is kept under the ms that it ran."""
    return codec.dumps([job, task[:200], state, worker, ended])


def slow_job(queue: str, raw: bytes, took: float) -> tuple[SlowJob, int]:
    """It, and when it ended. Raises one of ``UNREADABLE`` for what no version of ours writes."""
    job, task, state, worker, ended = codec.loads(raw)
    if state not in _STATES:
        raise ValueError(f"{state!r} is no end")
    begun = from_ms(int(ended) - took)
    return SlowJob(
        shown_id(queue, str(job)), queue_of(queue), str(task), state, str(worker), begun, took / 1000
    ), int(ended)


def ended_since(queue: str, rows: Iterable[tuple[bytes, float]], since: int) -> list[SlowJob]:
    """Those of a queue that have ended since then, as far as they can be read: others may write there."""
    found: list[SlowJob] = []
    for raw, took in rows:
        try:
            job, ended = slow_job(queue, raw, took)
        except UNREADABLE:
            continue
        if ended >= since:
            found.append(job)
    return found


def numbers(now: int, ms: int) -> range:
    """The numbers of the spans that lie in the last ``ms``."""
    return range((now - ms) // SPAN, now // SPAN + 1)


Told = dict[str, dict[bytes, int]]
"""By queue, jobs as they are kept, with the ms that each ran."""
