"""What the end of an attempt comes to: a function of the attempt, its end, the time and chance, and of nothing else."""

from __future__ import annotations

import logging

import pytest

from streamq import App, Backoff, Fail, Snooze
from streamq.model.envelope import Delivery
from streamq.model.outcomes import DELAYED, FAILED
from streamq.worker import outcomes
from streamq.worker.attempt import Attempt

NOW = 1_795_449_758_578


@pytest.fixture
def attempt() -> Attempt:
    task = App(redis_url="unix:///nonexistent/s").task(
        name="t", queue="q", attempts=2, backoff=Backoff(base=10)
    )(lambda x: x)
    fields = [b"task", b"t", b"payload", b"1", b"headers", b""]
    return Attempt(Delivery("q", 1, [b"1795449758000-0", fields]), task, "w1")


def test_a_completed_attempt_is_its_record(attempt: Attempt) -> None:
    assert attempt.task is not None
    body = outcomes.completed(attempt, attempt.task, 7, 0.25, NOW)
    assert body == b"c578 250 w1\nt\n\n7\n1"


@pytest.mark.parametrize(
    ("error", "kind", "begins", "due", "retry_in", "levels"),
    [
        (ValueError("no"), DELAYED, b"t\n", "15000", 15.0, [logging.INFO, logging.DEBUG]),
        (Snooze(30), DELAYED, b"t\n", "30000", None, [logging.INFO]),
        (Fail("no"), FAILED, b"f578 250 w1\nt\n", "", None, [logging.ERROR]),
    ],
)
def test_a_failed_attempt_is_a_delay_or_a_record_and_the_lines_of_the_log(
    attempt: Attempt,
    error: Exception,
    kind: str,
    begins: bytes,
    due: str,
    retry_in: float | None,
    levels: list[int],
) -> None:
    outcome = outcomes.failed(attempt, error, 0.25, NOW, 0.5)
    assert (outcome.kind, outcome.due, outcome.retry_in) == (kind, due, retry_in)
    assert outcome.body.startswith(begins)
    assert [line.level for line in outcome.lines] == levels
    assert outcomes.failed(attempt, error, 0.25, NOW, 0.5) == outcome
