"""Producing jobs: typed, by name, many at once, delayed, and refused when something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import redis
from pydantic import BaseModel, Field

from streamq import (
    App,
    ConfigurationError,
    InvalidPayload,
    NotOpen,
    PayloadTooLarge,
    State,
    UsageError,
)
from streamq.model.keys import Keys

from ..rig import census


class Letter(BaseModel):
    to: str = Field(min_length=1)
    copies: int = Field(default=1, ge=1, le=3)
    tags: dict[str, list[int]] = {}


@dataclass
class Point:
    x: int
    y: int


async def test_a_job_waits_in_the_ready_stream_under_the_id_of_its_entry(
    app: App, client: redis.Redis, prefix: str
) -> None:
    job = await app.enqueue("q", "send", {"to": "a"})
    assert client.xrange(Keys(prefix, "q").ready) == [
        (job.id, {"task": "send", "payload": '{"to":"a"}', "headers": ""})
    ]
    record = await job.status()
    assert (record.id, record.queue, record.task, record.state) == (job.id, "q", "send", State.WAITING)
    assert (record.payload, record.attempt, record.crashes, record.error) == ({"to": "a"}, 0, 0, None)


async def test_a_job_is_created_by_the_clock_of_the_server(app: App, client: redis.Redis) -> None:
    before, after = _server_time(client), None
    job = await app.enqueue("q", "send", 1)
    after = _server_time(client)
    created = (await job.status()).created_at
    assert created is not None
    assert before - timedelta(milliseconds=1) <= created <= after


async def test_many_jobs_keep_their_order_over_several_batches(
    app: App, client: redis.Redis, prefix: str
) -> None:
    jobs = await app.enqueue_many("q", "send", range(1_234))
    assert len({job.id for job in jobs}) == 1_234
    listed = client.xrange(Keys(prefix, "q").ready)
    assert [(entry, int(fields["payload"])) for entry, fields in listed] == [
        (job.id, number) for number, job in enumerate(jobs)
    ]


async def test_many_delayed_jobs_get_ids_of_their_own(app: App, client: redis.Redis, prefix: str) -> None:
    jobs = await app.enqueue_many("q", "send", range(700), delay=60)
    assert len({job.id for job in jobs}) == 700
    found = census(client, prefix, "q")
    found.check()
    assert found.counts() == {"delayed": 700}
    assert [(await app.queue("q").get(job.id)).payload for job in jobs[::99]] == list(range(0, 700, 99))


async def test_enqueueing_nothing_does_nothing(app: App, client: redis.Redis, prefix: str) -> None:
    assert await app.enqueue_many("q", "send", []) == []
    assert client.keys(f"{prefix}*") == []


@pytest.mark.parametrize("delay", [1.5, timedelta(seconds=1.5)])
async def test_a_delay_is_counted_by_the_clock_of_the_server(
    app: App, client: redis.Redis, delay: float | timedelta
) -> None:
    before = _server_time(client)
    job = await app.enqueue("q", "send", 1, delay=delay)
    record = await job.status()
    assert record.state is State.DELAYED
    assert record.due_at is not None
    assert timedelta(milliseconds=1499) <= record.due_at - before <= timedelta(seconds=3)


async def test_a_job_at_a_time_is_due_at_that_time_in_any_zone(app: App) -> None:
    at = datetime(2055, 1, 2, 3, 4, 5, 678_000, tzinfo=timezone(timedelta(hours=-7)))
    record = await (await app.enqueue("q", "send", 1, at=at)).status()
    assert record.due_at == at
    assert record.asdict()["due_at"] == "2055-01-02T10:04:05.678Z"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"delay": -1}, "delay=-1"),
        ({"delay": float("nan")}, "delay=nan"),
        ({"delay": 400 * 86400}, "366d"),
        ({"delay": 1, "at": datetime.now(UTC)}, "delay or at"),
        ({"at": datetime(2055, 1, 1)}, "time zone"),
        ({"attempts": 0}, "attempts=0"),
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": float("nan")}, "timeout=nan"),
    ],
)
async def test_an_impossible_option_is_refused_and_nothing_is_sent(
    app: App, client: redis.Redis, prefix: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        await app.enqueue("q", "send", 1, **options)
    assert client.keys(f"{prefix}*") == []


@pytest.mark.parametrize("queue", ["", "a b", "a:b", "{a}", "ä", "a" * 65, "a\n"])
async def test_a_bad_queue_name_is_refused_everywhere(app: App, queue: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot name a queue"):
        await app.enqueue(queue, "send")
    with pytest.raises(ConfigurationError, match="cannot name a queue"):
        app.queue(queue)
    with pytest.raises(ConfigurationError, match="cannot name a queue"):
        app.task(queue=queue)(lambda x: x)


@pytest.mark.parametrize("task", ["", "a\nb"])
async def test_a_bad_task_name_is_refused(app: App, task: str) -> None:
    with pytest.raises(UsageError, match="cannot name a task"):
        await app.enqueue("q", task)


async def test_all_errors_of_a_payload_are_told_at_once_and_nothing_is_sent(
    app: App, client: redis.Redis, prefix: str
) -> None:
    @app.task(queue="q")
    async def post(letter: Letter) -> None: ...

    wrong = {"to": "", "copies": 9, "tags": {"a/b": [1, "x"]}}
    with pytest.raises(InvalidPayload) as caught:
        await post.enqueue(wrong)  # type: ignore[arg-type]
    assert {error.pointer: error.code for error in caught.value.errors} == {
        "/to": "string_too_short",
        "/copies": "less_than_equal",
        "/tags/a~1b/1": "int_parsing",
    }
    assert "/copies" in str(caught.value)
    with pytest.raises(InvalidPayload):
        await post.enqueue_many([Letter(to="a"), wrong])  # type: ignore[list-item]
    with pytest.raises(InvalidPayload):
        await app.enqueue("q", "post", wrong)
    assert client.keys(f"{prefix}*") == []


async def test_a_model_a_dataclass_and_named_fields_travel_as_json(
    app: App, client: redis.Redis, prefix: str
) -> None:
    @app.task(queue="q")
    async def post(letter: Letter) -> None: ...

    @app.task(queue="q")
    async def plot(point: Point) -> None: ...

    @app.task(queue="q")
    async def add(a: int, b: int = 2) -> None: ...

    await post.enqueue(Letter(to="ä"))
    await plot.enqueue(Point(1, 2))
    await add.enqueue(a=1)
    await add.enqueue_many([{"a": 5, "b": 6}])  # whole payloads
    sent = [fields["payload"] for _, fields in client.xrange(Keys(prefix, "q").ready)]
    assert sent == ['{"to":"ä","copies":1,"tags":{}}', '{"x":1,"y":2}', '{"a":1,"b":2}', '{"a":5,"b":6}']
    with pytest.raises(InvalidPayload, match="/c"):
        await add.enqueue(a=1, c=3)


@pytest.mark.parametrize("payload", [object(), "\ud800", {"x": {1, 2}, "y": object()}, b"bytes"])
async def test_a_payload_without_a_json_form_is_refused(app: App, payload: Any) -> None:
    @app.task(queue="q")
    async def anything(x: Any) -> None: ...

    with pytest.raises(InvalidPayload):
        await anything.enqueue(payload)
    with pytest.raises(InvalidPayload):
        await app.enqueue("q", "elsewhere", payload)


async def test_a_payload_over_the_limit_is_refused_with_both_sizes(make_app: Callable[..., App]) -> None:
    async with make_app(max_payload=100) as app:
        await app.enqueue("q", "send", "x" * 98)
        with pytest.raises(PayloadTooLarge) as caught:
            await app.enqueue("q", "send", "x" * 99)
    assert (caught.value.size, caught.value.limit) == (101, 100)


async def test_an_app_that_is_not_open_says_so(make_app: Callable[..., App]) -> None:
    with pytest.raises(NotOpen):
        await make_app().enqueue("q", "send")


async def test_an_app_may_be_opened_again_and_in_two_places_at_once(make_app: Callable[..., App]) -> None:
    app = make_app()
    async with app:
        async with app:
            await app.enqueue("q", "send", 1)
        await app.enqueue("q", "send", 2)
    async with app:
        assert (await app.queue("q").counts()).waiting == 2


def _server_time(client: redis.Redis) -> datetime:
    seconds, micros = client.time()
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=micros)
