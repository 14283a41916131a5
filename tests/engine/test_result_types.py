"""Results: written by the declared type, read back by it, and bounded."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import redis

from streamq import App, JobFailed, ResultUnreadable
from streamq.model.judge import ResultNotStorable, ResultTooLarge

from ..rig import ON_ONE_SERVER, working
from .test_values import Aliased, Camel, Counted, Heir, Holder, Measured, Strict, Tolerant, Wrapped

STRICT = Strict.model_validate_json(
    '{"at":"2030-01-01T00:00:00","on":"2030-01-01","wait":"P1D","price":"1.10","pair":[1,"a"],'
    '"tags":["a"],"raw":"x","id":"00000000-0000-0000-0000-000000000007"}'
)
RESULTS: list[tuple[Any, Any]] = [
    (Decimal, Decimal("1.10")), (timedelta, timedelta(days=-1, microseconds=1)), (bytes, b"abc"), (Path, Path("/a b")),
    (list[Decimal], [Decimal("1E+2")]), (int, 2**70), (float, math.inf), (set[int], {1, 2}),
    (tuple[int, str], (1, "a")),
    (datetime, datetime(2030, 1, 1, tzinfo=UTC)), (str | None, None), (dict[int, bytes], {1: b"a"}),
    (Strict, STRICT), (list[Strict], [STRICT]), (Counted, Counted(items=[1])), (Tolerant, Tolerant(value=math.inf)),
    (Camel, Camel.model_validate({"phone_number": "1", "sent_at": datetime(2030, 1, 1)}, by_name=True)),
    (Aliased, Aliased.model_validate(dict.fromkeys(("one", "two", "three", "four", "five"), 1), by_name=True)),
    (Wrapped, Wrapped(numbers="[1]", anything="{}")),  # type: ignore[arg-type]
    (Any, {"big": 2**70, "list": [1, None, 0.5]}), (None, None),
]  # fmt: skip


def returning(app: App, declared: Any, value: Any, **policy: Any) -> Any:
    async def answer(x: int) -> Any:
        return value

    answer.__annotations__["return"] = declared
    return app.task(**{"name": f"t{len(app.tasks)}", "attempts": 1, **policy})(answer)


@ON_ONE_SERVER
async def test_a_result_of_a_declared_type_comes_back_as_it_was(app: App) -> None:
    tasks = [returning(app, declared, value) for declared, value in RESULTS]
    async with working(app):
        jobs = [await task.enqueue(1) for task in tasks]
        got = [await job.result(10) for job in jobs]
    assert got == [value for _, value in RESULTS]
    assert [type(each) for each in got] == [type(value) for _, value in RESULTS]


@ON_ONE_SERVER
async def test_without_a_declared_type_whatever_can_be_written_is_kept_as_json(app: App) -> None:
    kept = [((1, 2), [1, 2]), ({1: {2}}, {"1": [2]}), (Decimal("1.10"), "1.10"), (math.nan, "NaN"), (b"a", "a"),
            (timedelta(1), "P1D"), (Counted(items=[1]), {"items": [1], "total": 1}), (2**70, 2**70)]  # fmt: skip
    tasks = [returning(app, Any, value) for value, _ in kept]
    async with working(app):
        jobs = [await task.enqueue(1) for task in tasks]
        assert [await job.result(10) for job in jobs] == [json for _, json in kept]
        big = await jobs[-1].status()
    assert big.result == 2**70


@ON_ONE_SERVER
@pytest.mark.parametrize(
    ("declared", "value", "said"),
    [
        (int, "x", "not of its declared type.*integer"),
        (Measured, Measured(value=math.nan), "ser_json_inf_nan"),
        (Holder, Holder(base=Heir()), "Heir"),
        (dict[str, Any], {"a": (1,)}, "tuple"),
        (bytes, b"\xff", "utf-8"),
        (Any, object(), "no JSON form"),
        (Any, "\udcff", "no JSON form"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_result_that_cannot_be_kept_fails_the_job_with_the_reason(
    app: App, declared: Any, value: Any, said: str
) -> None:
    task = returning(app, declared, value, attempts=5)
    async with working(app):
        with pytest.raises(JobFailed, match=said) as caught:
            await (await task.enqueue(1)).result(10)
    assert caught.value.error_type == "ResultNotStorable"


@ON_ONE_SERVER
async def test_a_result_over_the_limit_fails_the_job_with_both_sizes(make_app: Callable[..., App]) -> None:
    async with make_app(max_result=100) as app:
        small, large = returning(app, str, "x" * 98), returning(app, str, "x" * 99, attempts=5)
        untyped = returning(app, Any, ["x" * 99])
        async with working(app):
            assert await (await small.enqueue(1)).result(10) == "x" * 98
            for task in (large, untyped):
                with pytest.raises(
                    JobFailed, match=r"bytes, at most 100 are kept.*STREAMQ_MAX_RESULT"
                ) as caught:
                    await (await task.enqueue(1)).result(10)
                assert caught.value.error_type == "ResultTooLarge"
    with pytest.raises(ResultTooLarge) as told:
        large.encode_result("x" * 99)
    assert (told.value.size, told.value.limit) == (101, 100)
    assert isinstance(told.value, ResultNotStorable)
    assert App().settings.max_result == 1_048_576


@ON_ONE_SERVER
async def test_a_result_that_another_version_wrote_is_told_as_ours(
    app: App, make_app: Callable[..., App], client: redis.Redis
) -> None:
    task = returning(app, Any, {"a": "text"}, name="shared")
    async with working(app), make_app() as other:
        other_task = returning(other, Strict, None, name="shared")
        job = await other_task.enqueue(1)
        with pytest.raises(ResultUnreadable, match=job.id):
            await job.result(10)
        assert (await job.status()).result == {"a": "text"}
    assert task.parse_result({"a": "text"}) == {"a": "text"}


def test_nothing_is_written_for_none_alone() -> None:
    app = App()
    assert returning(app, Any, None).encode_result(None) == b""
    assert returning(app, None, None).encode_result(None) == b""
    optional = returning(app, int | None, None)
    assert optional.encode_result(None) == b""
    assert optional.decode_result(b"") is None
    with pytest.raises(ResultNotStorable):
        returning(app, int, None).encode_result(None)
