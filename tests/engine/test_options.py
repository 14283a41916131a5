"""Options: what cannot be written or kept is refused where it is given."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from streamq import (
    App,
    ConfigurationError,
    ResultTimeout,
    Retry,
    Settings,
    Snooze,
    State,
    UsageError,
    options,
)
from streamq.durations import FORMS, LONGEST, seconds_of
from streamq.model import codec  # fmt: skip
from streamq.model.headers import parse_headers
from streamq.terms import terms

from ..rig import ON_ONE_SERVER

HUGE = 10**400


class Strange:
    """A value whose every method is broken."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    def __hash__(self) -> int:
        raise RuntimeError("no")


class Nowhere(tzinfo):
    """A time zone that cannot be asked."""

    def utcoffset(self, _: datetime | None) -> timedelta:
        raise RuntimeError("no")


NO_NUMBER: list[Any] = [
    math.inf,
    -math.inf,
    math.nan,
    HUGE,
    -1,
    True,
    False,
    [],
    {},
    b"1",
    object(),
    Strange(),
    5j,
]
NUMBERS = [*NO_NUMBER, "5"]
NO_TIME: list[Any] = [
    *NO_NUMBER, "", " ", "5 minutes", "-1", "nan", "inf", "1e999", "1e3", "9" * 400, "5M", "1,5s", "5 m",
    "\u0665m", "0x5", "5mm", "m", ".", "1h30m", "\x1b[2J",
]  # fmt: skip

WRONG: list[tuple[str, Any]] = [
    *[("timeout", value) for value in [*NO_TIME, 0, 0.0, 1e9, timedelta(), "0", "0ms", "367d"]],
    *[("attempts", value) for value in [*NUMBERS, 0, 2.5, 2.0, 2**70, 1_000_001]],
    *[("delay", value) for value in [*NO_TIME, timedelta(-1), timedelta.max, 1e9, "367d"]],
    *[
        ("at", value)
        for value in [
            "2030-01-01",
            "5m",
            5,
            datetime(2030, 1, 1),
            True,
            datetime(2030, 1, 1, tzinfo=Nowhere()),
        ]
    ],
    *[("durability", value) for value in ["disk", 1, "Memory", True, [], Strange()]],
]


@ON_ONE_SERVER
async def test_an_option_that_cannot_be_kept_is_refused_and_nothing_is_sent(
    app: App, client: redis.Redis, prefix: str
) -> None:
    task = app.task(name="declared", queue="q")(lambda x: x)
    for option, value in WRONG:
        acts: list[Callable[[], Any]] = [
            lambda given: app.enqueue("q", "send", 1, **given),
            lambda given: app.enqueue_many("q", "send", [1, 2], **given),
            lambda given: task.enqueue(1, **given),
            lambda given: task.enqueue_many([1], **given),
            lambda given: task.options(**given).enqueue(1),
        ]
        for act in acts:
            with pytest.raises(UsageError, match=f"^{option}=") as told:
                await act({option: value})
            assert str(told.value).isprintable()
    assert client.keys(f"{prefix}*") == []


@ON_ONE_SERVER
async def test_a_delay_of_nothing_beside_a_time_is_refused_too(
    app: App, client: redis.Redis, prefix: str
) -> None:
    for delay in (0, 0.0, "0s", timedelta(), 5):
        with pytest.raises(UsageError, match="give delay or at, not both"):
            await app.enqueue("q", "send", 1, delay=delay, at=datetime(2030, 1, 1, tzinfo=UTC))
    assert client.keys(f"{prefix}*") == []


def test_a_policy_that_cannot_be_kept_is_refused_where_the_task_is_declared() -> None:
    for option, value in WRONG:
        if option in ("timeout", "attempts"):
            with pytest.raises(ConfigurationError, match=f"task 'x': {option}="):
                App().task(name="x", **{option: value})(lambda x: x)


@ON_ONE_SERVER
async def test_an_option_that_there_is_not_is_refused_with_the_one_that_is_meant(
    app: App, client: redis.Redis, prefix: str
) -> None:
    for act in (
        lambda: app.enqueue("q", "send", 1, dealy=5),  # type: ignore[call-arg]
        lambda: app.enqueue_many("q", "send", [1], dealy=5),  # type: ignore[call-arg]
        lambda: asyncio.to_thread(lambda: app.sync.enqueue("q", "send", 1, dealy=5)),  # type: ignore[call-overload]
    ):
        with pytest.raises(
            UsageError, match=r"'dealy' is not an argument of send.enqueue: did you mean delay"
        ):
            await act()
    for name in options.RESERVED:
        with pytest.raises(UsageError, match=f"^'{name}' is reserved for an option"):
            await app.enqueue("q", "send", 1, **{name: None})  # type: ignore[arg-type]
    app.sync.close()
    assert client.keys(f"{prefix}*") == []


@ON_ONE_SERVER
@pytest.mark.parametrize("queue", ["", "a b", "a" * 65, 5, None, [], {}, b"q", "\x1b[2J"])
async def test_what_cannot_name_a_queue_is_refused(app: App, queue: Any) -> None:
    for act in (lambda: app.enqueue(queue, "send", 1), lambda: app.enqueue_many(queue, "send", [1])):
        with pytest.raises(ConfigurationError, match="cannot name a queue"):
            await act()


@ON_ONE_SERVER
@pytest.mark.keeps_keys
@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("90", 90), ("1.5s", 1.5), ("250ms", 0.25), ("5m", 300), ("24h", 86_400), ("7d", 604_800), (" 5m ", 300),
     (timedelta(minutes=5), 300), (".5", 0.5), (2, 2), (0.1, 0.1)],
)  # fmt: skip
async def test_a_duration_is_given_as_people_write_it(app: App, duration: Any, seconds: float) -> None:
    job = await app.enqueue("q", "send", 1, delay=duration, timeout=duration)
    record = await job.status()
    assert record.due_at is not None
    assert record.created_at is not None
    assert abs((record.due_at - record.created_at).total_seconds() - seconds) < 0.01
    assert parse_headers(terms("send", {"timeout": duration}).headers) == {"timeout": seconds}
    assert app.task(name="x", timeout=duration)(lambda x: x).timeout == seconds
    assert (Retry(after=duration).after, Snooze(duration).seconds) == (seconds, seconds)
    assert Settings(connect_timeout=duration).connect_timeout == seconds


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_a_time_to_wait_for_a_result_that_is_no_time_is_refused(app: App) -> None:
    job = await app.enqueue("q", "send", 1)
    for timeout in NO_TIME:
        if not isinstance(timeout, int) or timeout != -1:  # what is over already is 0
            with pytest.raises(UsageError, match=r"^timeout=.* is not a duration"):
                await job.result(timeout)
    for timeout in (-1, 0, "10ms", timedelta(milliseconds=10)):
        with pytest.raises(ResultTimeout):
            await job.result(timeout)


def test_a_verdict_with_a_time_that_is_none_is_refused_where_it_is_made() -> None:
    for value in NO_TIME:
        if not isinstance(value, int | float) or not value < 0:  # below 0 means at once
            for make in (lambda given: Retry(after=given), Snooze):
                with pytest.raises(ValueError, match="is not a"):
                    make(value)
    assert (Retry(after=-5).after, Snooze(timedelta(-1)).seconds) == (0, 0)


@given(
    st.one_of(st.text(), st.from_regex(r"\A[0-9.]{0,8}(ms|s|m|h|d|e[0-9]+)?\Z"), st.floats(), st.integers())
)
@example(math.inf)
@example("9999999999999999d")
def test_whatever_is_written_is_a_finite_time_or_one_sentence(value: Any) -> None:
    try:
        assert 0 <= seconds_of(value) <= LONGEST
    except ValueError as error:
        told = str(error)
    else:
        return
    assert told.endswith(FORMS)
    assert told.isprintable()


@ON_ONE_SERVER
@pytest.mark.parametrize("name", ["", "a\nb", "a" * 201, "\ud800", "a\udfffb", 5, b"a", None, ["a"]])
async def test_what_cannot_name_a_task_is_refused_at_the_door(
    app: App, client: redis.Redis, prefix: str, name: Any
) -> None:
    with pytest.raises(UsageError, match="cannot name a task"):
        await app.enqueue("q", name)
    with pytest.raises(UsageError, match="cannot name a task"):
        await app.enqueue_many("q", name, [1])
    if name is not None:
        with pytest.raises(ConfigurationError, match="cannot name a task"):
            app.task(name=name)(lambda x: x)
    assert client.keys(f"{prefix}*") == []


@ON_ONE_SERVER
async def test_a_bad_name_or_payload_leaves_the_other_callers_of_its_batch_alone(app: App) -> None:
    good = [app.enqueue("q", "send", number) for number in range(5)]
    bad = [app.enqueue("q", "\ud800", 1), app.enqueue("q", "send", "\ud800"), app.enqueue("q", "a\nb", 1)]
    said = await asyncio.gather(*good, *bad, return_exceptions=True)
    assert [type(each).__name__ for each in said] == ["Job"] * 5 + [
        "UsageError",
        "InvalidPayload",
        "UsageError",
    ]


@ON_ONE_SERVER
async def test_a_time_in_the_past_is_now(app: App) -> None:
    for at in (datetime(1970, 1, 1, tzinfo=UTC), datetime(1, 1, 2, tzinfo=UTC)):
        record = await (await app.enqueue("q", "send", 1, at=at)).status()
        assert record.state in (State.DELAYED, State.WAITING)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.one_of(st.none(), st.integers(), st.floats(), st.booleans(), st.text(), st.just(HUGE)),
    st.one_of(st.none(), st.integers(), st.floats(), st.booleans(), st.just(HUGE)),
)
def test_any_options_are_either_refused_or_read_again_as_they_were(attempts: Any, timeout: Any) -> None:
    try:
        raw = terms("send", {"attempts": attempts, "timeout": timeout}).headers
    except UsageError:
        return
    given_ = {"attempts": attempts, "timeout": timeout}
    assert parse_headers(raw) == {name: value for name, value in given_.items() if value is not None}
    assert codec.loads(raw or b"{}") == parse_headers(raw)
