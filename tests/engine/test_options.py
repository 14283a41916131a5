"""Options: what cannot be written or kept is refused where it is given."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamq import App, ConfigurationError, State, UsageError, codec, options
from streamq.envelope import parse_headers

from ..rig import ON_ONE_SERVER

HUGE = 10**400
NUMBERS: list[Any] = [math.inf, -math.inf, math.nan, HUGE, -1, "5", True, False, [], b"1", object()]

WRONG: list[tuple[str, Any]] = [
    *[("timeout", value) for value in [*NUMBERS, 0, 0.0, 1e9, timedelta(seconds=5)]],
    *[("attempts", value) for value in [*NUMBERS, 0, 2.5, 2.0, 2**70, 1_000_001]],
    *[("delay", value) for value in [*NUMBERS, timedelta(-1), timedelta.max, 1e9]],
    *[("at", value) for value in ["2030-01-01", 5, datetime(2030, 1, 1), True]],
    *[("durability", value) for value in ["disk", 1, "Memory", True]],
]


@ON_ONE_SERVER
@pytest.mark.parametrize(("option", "value"), WRONG, ids=str)
async def test_an_option_that_cannot_be_kept_is_refused_and_nothing_is_sent(
    app: App, client: redis.Redis, prefix: str, option: str, value: Any
) -> None:
    with pytest.raises(UsageError, match=f"^{option}="):
        await app.enqueue("q", "send", 1, **{option: value})
    with pytest.raises(UsageError, match=f"^{option}="):
        await app.enqueue_many("q", "send", [1, 2], **{option: value})
    assert client.keys(f"{prefix}*") == []


@pytest.mark.parametrize(
    ("option", "value"), [each for each in WRONG if each[0] in ("timeout", "attempts")], ids=str
)
def test_a_policy_that_cannot_be_kept_is_refused_where_the_task_is_declared(option: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"task 'x': {option}="):
        App().task(name="x", **{option: value})(lambda x: x)


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
    st.one_of(st.none(), st.integers(), st.floats(), st.booleans(), st.text(), st.just(HUGE)),
)
def test_any_options_are_either_refused_or_read_again_as_they_were(attempts: Any, timeout: Any) -> None:
    try:
        _, raw = options.sent("send", (), None, None, attempts, timeout, None)
    except UsageError:
        return
    given_ = {"attempts": attempts, "timeout": timeout}
    assert parse_headers(raw) == {name: value for name, value in given_.items() if value is not None}
    assert codec.loads(raw or b"{}") == parse_headers(raw)
