"""Producers that cannot know whether their command ran: repeating it adds nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import redis

from streamq import App, Job, OutcomeUnknown, Unavailable
from streamq.model.envelope import New
from streamq.model.keys import Keys
from streamq.redis.links import Links

from ..proxy import Proxy, before
from ..rig import ON_ONE_SERVER, census, enqueue_batch, until, working
from ..servers import Server


@pytest.fixture
async def proxy(shared_server: Server) -> AsyncIterator[Proxy]:
    async with before(shared_server) as proxy:
        yield proxy


@pytest.fixture
async def link(app: App) -> AsyncIterator[Links]:
    link = app.client.store.links()
    yield link
    await link.close()


async def test_the_same_batch_twice_returns_the_same_ids_and_adds_nothing(
    app: App, link: Links, client: redis.Redis, prefix: str
) -> None:
    batch = [
        New("t", b"1"),
        New("t", b"2", due="60000"),
        New("t", b"3"),
        New("t", b"4", b'{"attempts":2}', "1"),
    ]
    first = await enqueue_batch(app.client.store, link, "q", "p1", 1, batch, "memory")
    assert await enqueue_batch(app.client.store, link, "q", "p1", 1, batch, "memory") == first
    found = census(client, prefix, "q")
    found.check()
    assert sorted(found.places) == sorted(first)
    assert [(await app.queue("q").get(job_id)).payload for job_id in first] == [1, 2, 3, 4]


async def test_numbers_count_for_each_producer_and_each_queue_apart(app: App, link: Links) -> None:
    batch = [New("t", b"1")]
    ids = [
        await enqueue_batch(app.client.store, link, queue, producer, 1, batch, "memory")
        for queue in ("q", "r")
        for producer in ("p1", "p2")
    ]
    assert (await app.queue("q").counts()).waiting == (await app.queue("r").counts()).waiting == 2
    assert len(ids) == 4


async def test_a_batch_that_arrives_after_its_successor_is_refused(app: App, link: Links) -> None:
    await enqueue_batch(app.client.store, link, "q", "p1", 7, [New("t", b"7")], "memory")
    with pytest.raises(Unavailable, match="STALE"):
        await enqueue_batch(app.client.store, link, "q", "p1", 6, [New("t", b"6")], "memory")
    assert (await app.queue("q").counts()).waiting == 1


async def test_what_is_remembered_of_a_producer_are_two_keys_at_most_that_expire(
    app: App, client: redis.Redis, prefix: str
) -> None:
    for number in range(5):
        await app.enqueue("q", "t", number)
    remembered = client.keys(Keys(prefix, "q").producer + "*")
    assert 1 <= len(remembered) <= 2, "one for each script that takes its jobs"
    assert all(3_500 < client.ttl(key) <= 3_600 for key in remembered)


@pytest.mark.parametrize("delay", [None, 60.0])
async def test_a_swallowed_answer_leaves_exactly_one_job(
    make_app: Callable[..., App], proxy: Proxy, client: redis.Redis, prefix: str, delay: float | None
) -> None:
    app = make_app()
    app.with_settings(app.settings.model_copy(update={"redis_url": proxy.url}))
    async with app:
        await app.enqueue("q", "t", "before")
        proxy.swallow = b'"lost"'
        job = await app.enqueue("q", "t", "lost", delay=delay)
        assert proxy.swallowed == 1
        assert (await job.status()).payload == "lost"
    found = census(client, prefix, "q")
    found.check()
    assert len(found.places) == 2


async def test_a_producer_that_gets_no_answer_for_too_long_says_that_it_does_not_know(
    make_app: Callable[..., App], proxy: Proxy, client: redis.Redis, prefix: str
) -> None:
    app = make_app(enqueue_timeout=0.3)
    app.with_settings(app.settings.model_copy(update={"redis_url": proxy.url}))
    async with app:
        await app.enqueue("q", "t", "before")
        proxy.swallow = b'"lost"'
        sending = asyncio.create_task(app.enqueue("q", "t", "lost"))
        await until(lambda: proxy.swallowed)
        proxy.closed = True
        with pytest.raises(OutcomeUnknown):
            await sending
        proxy.closed = False
        await app.enqueue("q", "t", "after")
    assert sorted(fields["payload"] for _, fields in client.xrange(Keys(prefix, "q").ready)) == [
        '"after"', '"before"', '"lost"',
    ]  # fmt: skip


async def test_a_producer_that_cannot_connect_says_so_at_once(
    make_app: Callable[..., App], proxy: Proxy
) -> None:
    app = make_app(enqueue_timeout=30)
    app.with_settings(app.settings.model_copy(update={"redis_url": proxy.url}))
    proxy.closed = True
    async with app:
        with pytest.raises(Unavailable) as caught:
            async with asyncio.timeout(3):
                await app.enqueue("q", "t", 1)
    assert not isinstance(caught.value, OutcomeUnknown), "nothing was sent"
    assert caught.value.retry_after > 0


async def test_a_swallowed_outcome_is_written_once(make_app: Callable[..., App], proxy: Proxy) -> None:
    app, ran = make_app(), []
    app.with_settings(app.settings.model_copy(update={"redis_url": proxy.url}))

    @app.task(queue="q")
    async def work(x: str) -> str:
        ran.append(x)
        proxy.swallow = b'"marked"'
        return "marked"

    async with app, working(app):
        job = await work.enqueue("x")
        assert await job.result(5) == "marked"
        assert proxy.swallowed == 1
        assert (await app.queue("q").counts()).completed == 1
    assert ran == ["x"]


async def test_jobs_whose_delivery_was_swallowed_are_run_all_the_same_and_uncharged(
    make_app: Callable[..., App], proxy: Proxy
) -> None:
    """The server gave them to a worker that lives, and that never saw them."""
    app, ran = make_app(), []
    app.with_settings(app.settings.model_copy(update={"redis_url": proxy.url}))

    @app.task(queue="q")
    async def work(x: int) -> int:
        ran.append(x)
        return x

    async with app, working(app):
        jobs = await work.enqueue_many(range(3))
        await asyncio.gather(*[job.result(5) for job in jobs])
        proxy.swallow = b"XREADGROUP"
        proxy.cut()
        await until(lambda: not proxy.swallow)  # the fetcher reads again, and will not hear the answer
        jobs = await work.enqueue_many(range(3, 9))
        assert await asyncio.gather(*[job.result(10) for job in jobs]) == list(range(3, 9))
        assert proxy.swallowed == 1
        assert {(await job.status()).crashes for job in jobs} == {0}
    assert sorted(ran) == list(range(9))


@ON_ONE_SERVER
async def test_a_storm_of_cancellations_mixes_up_no_answers(app: App) -> None:
    @app.task(queue="q")
    async def echo(x: str) -> str:
        return x

    async def one(number: int) -> None:
        job = await echo.enqueue(f"job {number}")
        assert (await job.status()).payload == f"job {number}"
        assert await job.result(10) == f"job {number}"

    async with working(app, concurrency=50):
        for wave in range(5):
            tasks = [asyncio.create_task(one(wave * 1000 + number)) for number in range(100)]
            for number, task in enumerate(tasks):
                if number % 3:
                    asyncio.get_running_loop().call_later(number % 20 / 1000, task.cancel)
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            wrong = [end for end in ended if end is not None and not isinstance(end, asyncio.CancelledError)]
            assert not wrong
            assert [end for number, end in enumerate(ended) if number % 3 == 0] == [None] * 34


@ON_ONE_SERVER
async def test_callers_whose_batch_was_lost_get_their_own_jobs_by_repeating_it(
    make_app: Callable[..., App], proxy: Proxy
) -> None:
    """They share it: the server answers each of them with the ids of all."""
    app = make_app(enqueue_timeout=0.2)
    app.with_settings(app.settings.model_copy(update={"redis_url": proxy.url}))
    async with app:
        await app.enqueue("q", "t", "before")
        proxy.swallow, proxy.closed = b'"first of 0"', True
        calls = [app.enqueue_many("q", "t", [f"first of {n}", f"second of {n}"]) for n in range(3)]
        ahead, *ends = await asyncio.gather(app.enqueue("q", "t", "ahead"), *calls, return_exceptions=True)
        assert proxy.swallowed == 1
        assert isinstance(ahead, Job), "it was alone"
        proxy.closed = False
        for number, end in enumerate(ends):
            assert isinstance(end, OutcomeUnknown)
            assert end.repeat is not None
            payloads = [(await job.status()).payload for job in await end.repeat()]
            assert payloads == [f"first of {number}", f"second of {number}"]
        assert (await app.queue("q").counts()).waiting == 8
