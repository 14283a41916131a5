"""The judge: what follows from an error. Pure, so every case is in a table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from streamq import Backoff, ConfigurationError, Fail, FieldError, InvalidPayload, Retry, Snooze
from streamq.model.judge import BURY, Again, Bury, Judgement, ResultNotStorable, TimeLimit, judge
from streamq.model.retries import Retries, RetryPolicy
from streamq.verdicts import Verdict

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
    assert judge(error, attempt=attempt, retries=Retries(attempts, TWO), chance=0.0) == verdict


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


SELECTIVE = Retries(
    5,
    TWO,
    {
        OSError: RetryPolicy(attempts=7),
        ConnectionError: RetryPolicy(backoff=Backoff.listed(1, 3)),
        TimeoutError: RetryPolicy(),
    },
    frozenset({FileNotFoundError, ConnectionResetError}),
)


@pytest.mark.parametrize(
    ("error", "attempt", "verdict"),
    [
        (OSError("x"), 6, Again(60.0)),
        (OSError("x"), 7, BURY),
        (PermissionError("x"), 1, Again(2.0)),  # an OSError
        (FileNotFoundError("x"), 1, Bury("fail_on names FileNotFoundError")),
        (BrokenPipeError("x"), 1, Again(1.0)),  # a ConnectionError
        (BrokenPipeError("x"), 4, Again(3.0)),
        (BrokenPipeError("x"), 5, BURY),
        (ConnectionResetError("x"), 1, Bury("fail_on names ConnectionResetError")),
        (TimeLimit(3), 1, Again(2.0)),  # a TimeoutError
        (ValueError("x"), 1, Bury("retry_on does not name it")),
        (Retry("why"), 1, Again(2.0)),
        (Retry(after=9), 6, BURY),
    ],
    ids=lambda value: f"{value!r}"[:40],
)
def test_the_nearest_type_of_an_error_that_is_named_decides_whether_it_is_retried(
    error: BaseException, attempt: int, verdict: Judgement
) -> None:
    assert judge(error, attempt=attempt, retries=SELECTIVE, chance=0.0) == verdict


def test_a_jobs_own_number_of_attempts_wins_over_that_of_a_type() -> None:
    assert judge(OSError(), attempt=2, retries=SELECTIVE, chance=0.0, attempts=2) == BURY


@pytest.mark.parametrize(
    ("advice", "attempt", "verdict"),
    [
        (Retry(after=9), 1, Again(9.0)),
        (Retry(), 1, Again(2.0)),
        (Retry(after=9), 5, BURY),
        (Snooze(9), 5, Again(9.0, spent=False)),
        (Fail("no"), 1, Bury("on_error says: no")),
        (None, 1, Bury("retry_on does not name it")),
    ],
)
def test_what_on_error_says_wins_over_the_policy_but_not_over_the_attempts(
    advice: Verdict | None, attempt: int, verdict: Judgement
) -> None:
    said = judge(ValueError(), attempt=attempt, retries=SELECTIVE, chance=0.0, advice=advice)
    assert said == verdict


@pytest.mark.parametrize(
    ("elapsed", "error", "again"),
    [
        (7.9, ValueError(), True),
        (8.1, ValueError(), False),
        (0.0, Retry(after=11), False),
        (99.0, Snooze(5), True),
    ],
)
def test_no_retry_begins_after_the_time_in_which_a_task_gives_up(
    elapsed: float, error: Exception, again: bool
) -> None:
    said = judge(error, attempt=1, retries=Retries(5, TWO, give_up_after=10.0), chance=0.0, elapsed=elapsed)
    assert isinstance(said, Again) is again
    assert again or said == Bury("the next attempt would begin after give_up_after=10 s")


def test_a_backoff_is_exponential_linear_or_listed_with_as_much_jitter_as_is_said() -> None:
    def waits(backoff: Backoff, chance: float = 0.0) -> list[float]:
        return [round(backoff.seconds(n, chance), 6) for n in (1, 2, 3, 4)]

    assert waits(Backoff(2, 10)) == [2, 4, 8, 10]
    assert waits(Backoff.linear(5, most=12)) == [5, 10, 12, 12]
    assert waits(Backoff.linear("1m", jitter=0.5), 0.5) == [75, 150, 225, 300]
    assert waits(Backoff.listed(1, "5s", timedelta(minutes=1))) == [1, 5, 60, 60]
    assert waits(Backoff.listed(1, 5, jitter=0), 0.999) == [1, 5, 5, 5]
    for backoff in (Backoff(2, 10), Backoff.linear(5, most=12), Backoff.listed(1, "5s", jitter=0)):
        assert eval(repr(backoff)) == backoff  # noqa: S307  # our own
    made: list[Callable[[], Backoff]] = [
        Backoff.listed,
        lambda: Backoff.listed(-1),
        lambda: Backoff.linear("soon"),
        lambda: Backoff(jitter=-1),
        lambda: Backoff(kind="listed"),
    ]
    for make in made:
        with pytest.raises(ConfigurationError, match="Backoff"):
            make()
