"""Limits: of the queue, of a task and of groups; told by code and by people, and what waits within them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis

from streamq import (
    App,
    ConfigurationError,
    GroupFull,
    InvalidLimit,
    InvalidPayload,
    Limit,
    Rate,
    State,
    UsageError,
)
from streamq.model.keys import Keys
from streamq.model.limit import PARTS, limit_of, written

from ..rig import ON_ONE_SERVER, until, working
from .gauge import Gauge, gauge, sent

pytestmark = [pytest.mark.keeps_keys]
__all__ = ["gauge"]


async def test_what_is_told_goes_before_what_code_says_holds_at_once_and_can_be_taken_back(
    app: App, gauge: Gauge
) -> None:
    app.limit("q", groups=Limit(concurrency=2))
    queue = app.queue("q")
    async with working(app):
        await sent(app, "a", 20)
        assert (await gauge.drained(20))["a"] == 2
        await queue.group("a").limit(concurrency=1)
        await sent(app, "a", 10)
        await queue.group("a").limit(concurrency="unlimited")
        assert (await gauge.drained(10))["a"] > 2
        await queue.group("a").unlimit()
        await queue.group("*").limit(concurrency=3)
        await sent(app, "a", 20)
        assert (await gauge.drained(20))["a"] == 3
        assert {k: (v.code, v.told) for k, v in (await queue.limits()).items()} == {
            "group:*": (Limit(concurrency=2), Limit(concurrency=3))
        }
        await queue.group("*").limit(concurrency=None)
        await sent(app, "a", 10)
        assert (await gauge.drained(10))["a"] == 2


async def test_what_code_no_longer_says_is_over_when_a_worker_begins(
    app: App, make_app: Any, gauge: Gauge
) -> None:
    async with make_app() as before:
        before.limit("q", Limit(concurrency=1), parts=Limit(rate="5/m"))
        before.task(name="send", queue="q", limit=Limit(rate=(100, "1h")))(lambda _message: None)
        async with working(before) as worker:
            await worker.is_ready.wait()
            said = await before.queue("q").limits()
            assert set(said) == {"queue", "task:send", "group:*:*"}
            assert said["task:send"].code.rate == Rate(100, 3600.0)
    await app.queue("q").limit(task="send", concurrency=7)
    async with working(app):
        await until(lambda: only_of_the_task(app))
        said = await app.queue("q").limits()
        assert {scope: (each.code, each.told) for scope, each in said.items()} == {
            "task:send": (Limit(), Limit(concurrency=7))
        }


async def only_of_the_task(app: App) -> bool:
    return set(await app.queue("q").limits()) == {"task:send"}


async def test_a_rate_is_lifted_for_what_waits_already(app: App, gauge: Gauge) -> None:
    group = app.queue("q").group("a")
    await group.limit(rate="3/1h")
    async with working(app):
        await sent(app, "a", 30)
        await until(lambda: gauge.ended == 3)
        await asyncio.sleep(0.05)
        status = await group.status()
        assert (status.waiting, status.active, status.used, status.limit.rate) == (27, 0, 3, Rate(3, 3600.0))
        assert status.oldest is not None
        assert status.age > 0
        await group.limit(rate=None)
        await gauge.drained(30)


@ON_ONE_SERVER
async def test_jobs_without_a_group_wait_for_their_task_alone_where_it_gets_a_limit_while_they_wait(
    app: App,
) -> None:
    began, open_ = list[str](), asyncio.Event()
    queue = app.queue("q")

    @app.task(queue="q")
    async def slow(number: int) -> None:
        began.append(f"slow {number}")
        await open_.wait()

    @app.task(queue="q")
    async def quick(number: int) -> None:
        began.append(f"quick {number}")

    await queue.limit(concurrency=3)
    async with working(app):
        await slow.enqueue_many(range(4))
        await quick.enqueue(5)
        await until(lambda: began == ["slow 0", "slow 1", "slow 2"])
        await queue.limit(concurrency=3, task="slow")
        await queue.limit(concurrency=4)
        await until(lambda: began[3:] == ["quick 5"])
        open_.set()
        await until(lambda: began[4:] == ["slow 3"])


async def test_jobs_without_a_group_keep_the_limits_of_their_task_and_of_their_queue(
    app: App, gauge: Gauge, client: redis.Redis, prefix: str
) -> None:
    queue = app.queue("q")
    await app.enqueue_many("q", "plain", ["p"] * 20)  # they wait before anything is told
    await queue.limit(task="plain", concurrency=2)
    async with working(app):
        await sent(app, "a", 20)
        most = await gauge.drained(40)
        assert (most["p"], most["a"] > 2) == (2, True)
        await queue.limit(concurrency=3)
        await queue.limit(task="plain", concurrency=None)
        await app.enqueue_many("q", "plain", ["p"] * 20, priority="high")
        await sent(app, "a", 20)
        assert (await gauge.drained(40))["all"] == 3
        await queue.limit(concurrency=None)
        await app.enqueue_many("q", "plain", ["p"] * 20)
        assert (await gauge.drained(20))["p"] > 3
        await until(lambda: not client.exists(Keys(prefix, "q").out))
    assert not client.exists(Keys(prefix, "q").used, Keys(prefix, "q").limits, Keys(prefix, "q").lines)


async def test_a_tenant_waits_with_its_parts_and_each_part_within_its_own_limit(app: App) -> None:
    gauge = Gauge()

    @app.task(queue="q", group=lambda job: f"t:{job['part']}")
    async def t(job: dict[str, Any]) -> None:
        await gauge.run(job["part"])

    queue = app.queue("q")
    await queue.group("t").limit(concurrency=3)
    await queue.group("*:*").limit(concurrency=2)
    async with working(app):
        await t.enqueue_many([{"part": part} for part in "xy" for _ in range(15)])
        most = await gauge.drained(30)
        assert (most["all"], max(most["x"], most["y"])) == (3, 2)
        await queue.group("t").pause()
        await t.enqueue_many([{"part": part} for part in "xy"])
        assert (await queue.group("t").status()).waiting == 2
        await queue.group("t").resume()
        await gauge.drained(2)


async def test_a_full_group_takes_no_more_and_no_other_caller_is_refused_for_it(
    app: App, gauge: Gauge
) -> None:
    queue = app.queue("q")
    await queue.group("*").limit(max_waiting=3)
    calls = [app.enqueue("q", "send", {"tenant": tenant}) for tenant in "ababababab"]
    ends = await asyncio.gather(*calls, return_exceptions=True)
    refused = [end for end in ends if isinstance(end, Exception)]
    assert [type(end) for end in refused] == [GroupFull] * 4
    assert {end.group for end in refused if isinstance(end, GroupFull)} == {"a", "b"}
    assert [(group.name, group.waiting) for group in await queue.groups()] == [("a", 3), ("b", 3)]
    await app.enqueue("q", "send", {"tenant": "a"}, delay=60)  # waits for its time
    await queue.group("a").limit(max_waiting=4)
    await app.enqueue("q", "send", {"tenant": "a"})
    with pytest.raises(GroupFull, match="group 'a' of queue 'q' is full: 4 of its jobs wait, at most 4 may"):
        await app.enqueue_many("q", "send", [{"tenant": "a"}])


async def test_why_names_the_limit_that_holds_a_job_and_when_it_opens(app: App) -> None:
    go = asyncio.Event()

    @app.task(queue="q", group="{tenant}")
    async def send(job: dict[str, Any]) -> None:
        await go.wait()

    queue = app.queue("q")
    jobs = await send.enqueue_many([{"tenant": "a"}] * 5)
    assert (await queue.why(jobs[4].id)).code == "no-worker"
    async with working(app, concurrency=2):
        await until(lambda: running(app, 2))
        why = await queue.why(jobs[4].id)
        assert (why.code, why.ahead) == ("in-turn", 2)
        await queue.group("a").limit(concurrency=1)
        why = await queue.why(jobs[4].id)
        assert (why.code, why.ahead, "group 'a' may have 1 job active" in why.text) == (
            "concurrency-limited",
            2,
            True,
        )
        await queue.group("a").pause("429", until=60)
        why = await queue.why(jobs[4].id)
        assert (why.code, why.until is not None) == ("group-paused", True)
        await queue.group("a").resume()
        await queue.group("a").limit(concurrency=None, rate="1/1h")
        go.set()
        await until(lambda: running(app, 0))
        why = await queue.why(jobs[4].id)
        assert (why.code, why.until is not None) == ("rate-limited", True)
        await queue.group("a").unlimit()
        await until(lambda: settled(app))


async def running(app: App, count: int) -> bool:
    return (await app.queue("q").counts()).active == count


async def settled(app: App) -> bool:
    return (await app.queue("q").counts()).held == 0


async def test_a_job_of_a_group_can_be_cancelled_while_it_is_held(app: App, gauge: Gauge) -> None:
    job = await app.enqueue("q", "send", {"tenant": "a"})
    assert (await job.status()).state is State.HELD
    assert (await job.cancel()).state is State.CANCELLED
    assert await app.queue("q").groups() == []


@ON_ONE_SERVER
@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("concurrency", 0), ("concurrency", -1), ("concurrency", True), ("concurrency", "2"), ("concurrency", 10**7),
        ("rate", "0/s"), ("rate", "10"), ("rate", "10/0.5ms"), ("rate", "10/2d"), ("rate", (10, 0)), ("rate", 5),
        ("rate", "1.5/s"), ("rate", (1, "2d")), ("rate", (1, 2, 3)), ("weight", 0), ("weight", float("nan")),
        ("weight", "2"), ("max_waiting", 0), ("order", "fifo"),
    ],
)  # fmt: skip
async def test_a_limit_that_cannot_be_is_refused_with_what_is_allowed(
    app: App, part: str, value: Any
) -> None:
    with pytest.raises(InvalidLimit, match=r"is not possible: (use|write)") as refused:
        await app.queue("q").group("a").limit(**{part: value})
    assert refused.value.part == part
    assert (await app.queue("q").group("a").status()).own == Limit()


@ON_ONE_SERVER
@pytest.mark.parametrize(
    "name", ["", "a:b:c", ":a", "a:", "a b", "a\n", 'a"b', "a\\b", "*a", "*:a", "a:*", "x" * 129, 5, None]
)
async def test_a_name_that_is_none_of_a_group_is_refused(app: App, name: Any) -> None:
    with pytest.raises(InvalidLimit, match="cannot name a group: use 1 to 128 characters"):
        app.queue("q").group(name)
    if name is not None:
        with pytest.raises(UsageError, match="use 1 to 128 characters"):
            await app.enqueue("q", "t", 1, group=name)


@ON_ONE_SERVER
async def test_what_makes_groups_is_checked_where_it_is_declared_and_what_it_makes_where_it_is_used(
    app: App,
) -> None:
    for wrong in ("{a", "{}", "{a}:{b}:{c}", "{a} {b}", 5):
        with pytest.raises(ConfigurationError, match="group="):
            app.task(name="wrong", group=wrong)(lambda _x: None)
    with pytest.raises(ConfigurationError, match="weight cannot be said of it"):
        app.task(name="wrong", limit=Limit(weight=2))(lambda _x: None)
    with pytest.raises(ConfigurationError, match="limit=5 is not a Limit"):
        app.limit("q", 5)  # type: ignore[arg-type]

    @app.task(queue="q", group=lambda job: job["tenant"])
    async def send(job: dict[str, Any]) -> None: ...

    @app.task(queue="q", group="{where.tenant}:{id}")
    async def deep(job: dict[str, Any]) -> None: ...

    for task, payload in (
        (send, {}),
        (send, {"tenant": "a b"}),
        (send, {"tenant": ""}),
        (deep, {"id": 1}),
        (deep, {"where": {"tenant": 1.5}}),
        (deep, {"where": {"tenant": ""}, "id": 1}),
    ):
        with pytest.raises(InvalidPayload, match="its group"):
            await task.enqueue(payload)
    assert (await (await send.enqueue({"tenant": None})).status()).group is None
    assert (await (await deep.enqueue({"where": {"tenant": 7}, "id": "x"})).status()).group == "7:x"
    assert (await (await deep.options(group="own").enqueue({})).status()).group == "own"


def test_a_limit_is_read_as_it_was_written() -> None:
    for limit in (
        Limit(), Limit(concurrency=5, rate="10/250ms", weight=0.5, max_waiting=1, order="pass"),
        Limit(concurrency="unlimited", rate="unlimited", max_waiting="unlimited"),
    ):  # fmt: skip
        said = written({name: getattr(limit, name) for name in PARTS})
        text = " ".join(f"{name}={value}" for name, value in said.items() if value).encode()
        assert limit_of(text) == limit
    assert limit_of(b"jobs=5 starts=1 window=1000", b"jobs=- rate=x window=2000") == Limit(
        concurrency="unlimited", rate="1/2s"
    )
    assert [str(Rate(10, s)) for s in (1, 0.25, 60, 300, 86_400, 90)] == [
        "10/s",
        "10/250ms",
        "10/m",
        "10/5m",
        "10/d",
        "10/90s",
    ]
