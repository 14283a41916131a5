"""The trouble of one queue is its own: it is put aside, told once, and tried again; nothing ends the fetching."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import pytest
import redis

from streamq import App, Scheduler
from streamq.model.keys import GROUP, Keys
from streamq.redis import troubles as trouble
from streamq.worker import reads, unseen

from ..rig import ON_ONE_SERVER, shared_keys, until, working
from ..servers import Server
from .fetching import JOB, Hands, calls, fill, settle


def _spoil(client: redis.Redis, prefix: str, queue: str, lane: str = "ready") -> None:
    client.delete(getattr(Keys(prefix, queue), lane))
    client.set(getattr(Keys(prefix, queue), lane), "not a stream")


def _mend(client: redis.Redis, prefix: str, queue: str, lane: str = "ready") -> None:
    client.delete(getattr(Keys(prefix, queue), lane))


@pytest.mark.parametrize("slots", [1, 2, 50])
async def test_a_key_of_the_wrong_type_stops_its_own_queue_alone_until_it_is_gone(
    app: App, client: redis.Redis, prefix: str, slots: int,
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(trouble, "PAUSE", (0.1, 0.5))
    caplog.set_level(logging.INFO, "streamq")
    hands = Hands(app, ["a", "b", "c"], slots)
    async with hands.fetching():
        _spoil(client, prefix, "a")
        for number in range(50):
            fill(client, prefix, "bc", 1)
            began = time.monotonic()
            while hands.taken["b"] + hands.taken["c"] < 2 * (number + 1):
                assert time.monotonic() - began < 2, "it waits for the broken queue"
                await asyncio.sleep(0.002)
                settle(client, prefix, hands.let_go())
        _mend(client, prefix, "a")
        fill(client, prefix, "a", 3)

        def all_came() -> bool:
            settle(client, prefix, hands.let_go())
            return hands.taken["a"] == 3

        await until(all_came)
        await until(lambda: "can fetch from a again" in caplog.text)
    told = [
        r.getMessage()
        for r in caplog.records
        if r.name == "streamq.fetcher" and "WRONGTYPE" in r.getMessage()
    ]
    assert len(told) == 1
    assert "cannot fetch from a:" in told[0]


@ON_ONE_SERVER
async def test_a_queue_whose_keys_are_forbidden_stops_itself_alone(
    own_server: Callable[..., Server], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trouble, "PAUSE", (0.1, 0.3))
    caplog.set_level(logging.INFO, "streamq")
    server = own_server(users=["sam on >secret ~sq:{b}:* ~sq:queues ~sq:workers +@all"])
    app = App(redis_url=server.url, redis_username="sam", redis_password="secret", prefix="sq")
    with server.client() as client:
        async with app:
            hands = Hands(app, "ab", slots=5)
            async with hands.fetching():
                for number in range(20):
                    fill(client, "sq", "b", 1)
                    await until(lambda number=number: hands.taken["b"] == number + 1, 2)
                    settle(client, "sq", hands.let_go())
                fill(client, "sq", "a", 1)
                client.execute_command("ACL", "SETUSER", "sam", "~sq:{a}:*")
                await until(lambda: hands.taken["a"] == 1)
    told = [record.getMessage() for record in caplog.records if "cannot fetch" in record.getMessage()]
    assert len(told) == 1
    assert "the others go on" in told[0]


async def test_only_the_queue_whose_group_is_gone_is_joined_again(
    app: App, client: redis.Redis, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    hands = Hands(app, ["a", "b", "c"], slots=9)
    async with hands.fetching():
        created = calls(client, "xgroup|create")
        client.xgroup_destroy(Keys(prefix, "b").ready, GROUP)
        fill(client, prefix, "abc", 1)
        await until(lambda: all(hands.taken[queue] for queue in "abc"))
        assert calls(client, "xgroup|create") - created == 2, "both lanes of one queue"
    told = [record.getMessage() for record in caplog.records if "group of" in record.getMessage()]
    assert len(told) == 1
    assert "group of b" in told[0]


async def test_a_queue_whose_outcomes_cannot_be_written_is_not_read_meanwhile(
    app: App, client: redis.Redis, prefix: str
) -> None:
    hands = Hands(app, ["a", "b"], slots=4)
    hands.slots.blocked.add("a")
    async with hands.fetching():
        for number in range(20):
            fill(client, prefix, "ab", 1)
            await until(lambda number=number: hands.taken["b"] == number + 1, 2)
            settle(client, prefix, hands.let_go())
        assert not hands.taken["a"]
        hands.slots.blocked.add("b")
        fill(client, prefix, "b", 1)
        hands.slots.blocked.remove("a")

        def all_came() -> bool:
            settle(client, prefix, hands.let_go())
            return hands.taken["a"] == 20

        await until(all_came, 5)
        hands.slots.blocked.clear()
        await until(lambda: hands.taken["b"] == 21, 5)


@ON_ONE_SERVER
async def test_a_queue_that_is_blocked_in_the_middle_of_its_backlog_loses_its_turn(
    app: App, client: redis.Redis, prefix: str
) -> None:
    hands = Hands(app, ["a", "b", "c"], slots=1)
    fill(client, prefix, "ab", 100)

    def more(queue: str, count: int) -> Callable[[], bool]:
        def look() -> bool:
            settle(client, prefix, hands.let_go())
            return hands.taken[queue] >= count

        return look

    async with hands.fetching():
        await until(more("a", 10))
        hands.slots.blocked.add("a")
        await asyncio.sleep(0.1)  # a read may be under way
        hands.let_go()
        taken = hands.taken["a"]
        await until(more("b", 100))
        assert hands.taken["a"] <= taken + 1
        hands.slots.blocked.clear()
        await until(more("a", 100))


async def test_nothing_but_its_stop_ends_the_fetching(
    app: App, client: redis.Redis, prefix: str, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(reads, "BLOCK_MS", 300)
    monkeypatch.setattr(unseen, "EVERY", 0.2)
    hands, raised = Hands(app, ["a"], slots=4), []

    def once(delivery: object) -> None:
        if len(raised) < 2:
            raised.append(delivery)
            raise ZeroDivisionError("of the test")

    hands.on_start = once

    def bad() -> None:
        hands.slots.change = change
        raise KeyError("of the test")

    change = hands.slots.change
    async with hands.fetching():
        fill(client, prefix, "a", 3)
        await until(lambda: hands.taken["a"] == 3, 10)  # the refused one was given back and came again
        hands.slots.change = bad
        hands.let_go()
        client.xadd(Keys(prefix, "a").ready, JOB)
        await until(lambda: hands.taken["a"] >= 4, 10)
    assert len(raised) == 2
    assert "could not be started" in caplog.text


@ON_ONE_SERVER
async def test_a_worker_starts_beside_a_broken_queue_and_works_on_the_others(
    app: App, client: redis.Redis, prefix: str
) -> None:
    _spoil(client, prefix, "a")

    @app.task(queue="b")
    async def work(x: int) -> int:
        return x

    app.task(name="other", queue="a")(lambda x: x)
    async with working(app):
        assert await (await work.enqueue(3)).result(5) == 3


@ON_ONE_SERVER
async def test_a_stop_does_not_wait_for_a_server_that_answers_nothing(
    own_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamq.worker.fetcher.STOP", 0.5)
    server = own_server()
    async with App(redis_url=server.url, prefix="sq") as app:
        hands = Hands(app, ["a"], slots=1)
        try:
            async with hands.fetching():
                with server.client() as client:
                    await until(lambda: any(c["cmd"] == "xreadgroup" for c in client.client_list()))
                server.pause()
                began = time.monotonic()
            assert time.monotonic() - began < 4
        finally:
            server.resume()


@ON_ONE_SERVER
@pytest.mark.parametrize("when", ["before they begin", "while they work"])
async def test_a_list_of_queues_of_the_wrong_type_keeps_nobody_from_working(
    make_app: Callable[..., App],
    client: redis.Redis,
    prefix: str,
    when: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await _works_in_spite_of(make_app, client, shared_keys(prefix).queues, when == "before they begin")
    told = [
        record.getMessage() for record in caplog.records if "cannot write to the list" in record.getMessage()
    ]
    assert len(told) == 1


@ON_ONE_SERVER
async def test_a_list_of_workers_of_the_wrong_type_is_told_of_once_and_keeps_nobody_from_working(
    make_app: Callable[..., App], client: redis.Redis, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "streamq")
    await _works_in_spite_of(make_app, client, shared_keys(prefix).workers, False)
    told = [
        r.getMessage() for r in caplog.records if " again" in r.getMessage() or "WRONGTYPE" in r.getMessage()
    ]
    assert len([text for text in told if "cannot write to the list of workers" in text]) == 1
    assert len([text for text in told if "cannot list the workers" in text]) <= 4


async def _works_in_spite_of(
    make_app: Callable[..., App], client: redis.Redis, key: str, before: bool
) -> None:
    """Run jobs, delayed ones too, while a key that is one for all queues is a list of strangers."""
    app = make_app(beat=0.1)

    @app.task(queue="q")
    async def echo(x: int) -> int:
        return x

    async with app:
        if before:
            client.lpush(key, "strange")
        scheduling = asyncio.create_task(Scheduler(app).run())
        async with working(app, name="w1"):
            await until(lambda: client.zscore(Keys(app.settings.prefix, "q").workers, "w1"))
            client.delete(key)
            client.lpush(key, "strange")
            for number in range(4):
                job = await echo.enqueue(number, delay=0.1 * (number % 2))
                assert await job.result(5) == number
                await asyncio.sleep(0.5)  # in which the lists are read and written several times
            assert not scheduling.done()
            client.delete(key)
        scheduling.cancel()
        await asyncio.wait([scheduling])
