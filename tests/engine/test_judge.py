"""The judge: what follows from an error. Pure, so every case is in a table."""

from __future__ import annotations

from datetime import timedelta

import pytest

from streamq import Backoff, Fail, FieldError, InvalidPayload, Retry, Snooze
from streamq.model.judge import BURY, Again, Judgement, ResultNotStorable, TimeLimit, judge

TWO = Backoff(base=2.0, most=60.0)


@pytest.mark.parametrize(
    ("error", "attempt", "attempts", "verdict"),
    [
        (ValueError("x"), 1, 5, Again(2.0)),
        (ValueError("x"), 2, 5, Again(4.0)),
        (ValueError("x"), 4, 5, Again(16.0)),
        (ValueError("x"), 5, 5, BURY),
        (ValueError("x"), 6, 5, BURY),  # the task got fewer attempts by a new version of the program
        (ValueError("x"), 1, 1, BURY),
        (TimeLimit(3), 1, 2, Again(2.0)),
        (TimeLimit(3), 2, 2, BURY),
        (Retry(after=7), 1, 5, Again(7.0)),
        (Retry(after=timedelta(minutes=2)), 1, 5, Again(120.0)),
        (Retry(after=0), 1, 5, Again(0.0)),
        (Retry("why"), 3, 5, Again(8.0)),
        (Retry(after=7), 5, 5, BURY),
        (Fail("no"), 1, 5, BURY),
        (InvalidPayload("t", [FieldError("", "x", "y")]), 1, 5, BURY),
        (ResultNotStorable("x"), 1, 5, BURY),
        (Snooze(9), 1, 5, Again(9.0, spent=False)),
        (Snooze(timedelta(hours=1)), 5, 5, Again(3600.0, spent=False)),
    ],
    ids=lambda value: f"{value}"[:40],
)
def test_the_verdict_on_an_error(
    error: BaseException, attempt: int, attempts: int, verdict: Judgement
) -> None:
    assert judge(error, attempt=attempt, attempts=attempts, backoff=TWO, chance=0.0) == verdict


@pytest.mark.parametrize("failures", [1, 2, 3, 10, 64, 5_000])
@pytest.mark.parametrize("chance", [0.0, 0.3, 0.999])
def test_backoff_is_never_shorter_than_asked_for_and_at_most_twice_the_longest(
    failures: int, chance: float
) -> None:
    asked = min(60.0, 2.0 * 2.0 ** min(failures - 1, 100))
    waited = TWO.seconds(failures, chance)
    assert asked <= waited < 2 * asked


def test_jobs_that_failed_together_do_not_come_back_together() -> None:
    waits = sorted(Backoff(10.0).seconds(1, chance / 1000) for chance in range(1000))
    crowd = max(sum(start <= wait < start + 0.5 for wait in waits) for start in waits)
    assert crowd <= 51, "more than a twentieth within one twentieth of the span"


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e12])
@pytest.mark.parametrize("verdict", [lambda s: Retry(after=s), Snooze])
def test_a_verdict_with_an_impossible_time_is_refused_where_it_is_made(
    verdict: type[Snooze], seconds: float
) -> None:
    with pytest.raises(ValueError, match="seconds"):
        verdict(seconds)
