"""Outcomes that the server does not take: they stop their own queue, or their own job, and nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
import redis

from streamq import App, JobFailed
from streamq.model.envelope import Delivery
from streamq.model.keys import GROUP, Keys
from streamq.model.outcomes import DELAYED
from streamq.worker.settler import Settler
from streamq.worker.slots import Slots

from ..proxy import Fate, before
from ..rig import ON_ONE_SERVER, QUICK, census, until, working
from ..servers import Server


@pytest.fixture(params=["proto-max-bulk-len", "client-query-buffer-limit"])
def narrow(own_server: Callable[..., Server], request: pytest.FixtureRequest) -> Server:
    """A server that takes one megabyte at most, the least that one can be told.

    Over the first limit it says so; over the second it closes the connection without a word.
    """
    server = own_server()
    with server.client() as client:
        client.config_set(request.param, 1 << 20)
    return server


async def test_a_result_above_the_limit_of_the_server_fails_its_job_and_no_other_waits_for_it(
    narrow: Server,
) -> None:
    app = App(redis_url=narrow.url, shutdown_grace=2.0, max_result=16 << 20)

    @app.task(queue="q", attempts=1)
    async def big(size: int) -> str:
        return "x" * size

    @app.task(queue="q")
    async def small(x: int) -> int:
        return x

    async with app, working(app, concurrency=20):
        jobs, fine = await big.enqueue_many([3 << 20] * 3), await small.enqueue_many(range(200))
        assert await asyncio.gather(*[job.result(20) for job in fine]) == list(range(200))
        for job in jobs:
            with pytest.raises(
                JobFailed, match=r"OutcomeRefused: the server refused the outcome of 3,\d{3},\d{3}"
            ):
                await job.result(30)
        assert await (await small.enqueue(7)).result(5) == 7


@ON_ONE_SERVER
async def test_while_the_outcomes_of_one_queue_are_refused_the_others_go_on_at_full_rate(
    make_app: Callable[..., App], client: redis.Redis, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(keep_completed=100_000)
    tasks = {queue: app.task(name=queue, queue=queue)(_echo) for queue in "ab"}
    keys, ran = Keys(prefix, "a"), 300
    async with app, working(app, concurrency=10) as worker:
        await until(app.workers)
        client.set(keys.completed, "not a list")
        stuck = await tasks["a"].enqueue_many(range(100))
        await until(lambda: "a" in worker.slots.blocked)
        fine = await tasks["b"].enqueue_many(range(ran))
        await asyncio.gather(*[job.result(10) for job in fine])
        assert "a" in worker.slots.blocked
        assert client.xlen(keys.ready) == 100
        assert len(worker.slots.unwritten()) <= 40, "it fetches no more of what it cannot settle"
        client.delete(keys.completed)
        await asyncio.gather(*[job.result(20) for job in stuck])
        assert "a" not in worker.slots.blocked
    told = [r.getMessage() for r in caplog.records if r.name == "streamq.settler"]
    assert len([line for line in told if "cannot write outcomes of a" in line]) == 1
    census(client, prefix, "b").check()


async def _echo(x: int) -> int:
    return x


async def test_one_outcome_that_is_refused_in_every_form_is_found_among_many_and_the_others_are_written(
    app: App, client: redis.Redis, prefix: str
) -> None:
    """The server refuses its entry, which has no form that it knows, and with it whatever came along."""
    keys = Keys(prefix, "q")
    for number in range(64):
        client.xadd(keys.ready, {"task": "t", "payload": number, "headers": ""})
    async with app.client.store.pool.links() as link:
        await app.client.store.delivery.join(link, ["q"])
        await app.client.store.server.read_clock()
    entries = [entry for entry, _ in client.xreadgroup(GROUP, "w", {keys.ready: ">"})[0][1]]
    slots = Slots(100)
    settler = Settler(app.client.store, "w", slots)
    for number, entry in enumerate(entries):
        fields = [b"task", b"t", b"payload", b"%d" % number, b"headers", b""]
        delivery = Delivery("q", 1, [entry.encode(), fields])
        if number == 40:
            delivery.entry = b"odd"
        settler.put(delivery, DELAYED, b"t\n\n%d" % number, "60000")
    running = asyncio.create_task(settler.run())
    await until(lambda: client.zcard(keys.delayed) == 63)
    await until(lambda: slots.unwritten() == {("q", 1, b"odd")})
    assert "q" not in slots.blocked
    running.cancel()
    await asyncio.wait([running])
    found = census(client, prefix, "q")
    found.check()
    assert found.counts() == {"active": 1, "delayed": 63}


async def test_outcomes_wait_for_a_server_that_is_away_and_are_written_once(
    own_server: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    server = own_server(aof=True)
    app, go, began = App(redis_url=server.url, shutdown_grace=2.0), asyncio.Event(), list[int]()

    @app.task(queue="q")
    async def work(x: int) -> int:
        began.append(x)
        await go.wait()
        return x

    async with app:
        jobs = await work.enqueue_many(range(20))
        async with working(app, concurrency=20) as worker:
            await until(lambda: len(began) == 20)
            server.kill()
            go.set()
            with caplog.at_level(logging.INFO, "streamq.settler"):
                await until(lambda: "cannot write 20 outcomes" in caplog.text)
                server.start()
                assert await asyncio.gather(*[job.result(20) for job in jobs]) == list(range(20))
        assert not worker.settler.refused
    told = {record.levelno for record in caplog.records if "cannot write" in record.getMessage()}
    assert told == {logging.WARNING}


@ON_ONE_SERVER
async def test_a_refusal_is_told_where_there_was_one_and_nowhere_else(
    shared_server: Server, client: redis.Redis, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An outcome that is written, one whose first answer is lost, and one whose job is another worker's by now."""

    def refusals() -> list[str]:
        return [r.getMessage() for r in caplog.records if "refused" in r.getMessage()]

    async with before(shared_server) as proxy:
        app, keys, held = App(redis_url=proxy.url, prefix=prefix, **QUICK), Keys(prefix, "q"), asyncio.Event()

        @app.task(queue="q")
        async def work(what: str) -> str:
            if what == "lost":
                proxy.swallow = b'"lost and written"'
            if what == "taken":
                (entry,) = client.xpending_range(keys.ready, GROUP, "-", "+", 9)
                client.xack(keys.ready, GROUP, entry["message_id"])  # who takes a job away deletes its entry
                client.xdel(keys.ready, entry["message_id"])
                held.set()
            return f"{what} and written"

        async with app, working(app) as worker:
            assert await (await work.enqueue("plain")).result(5) == "plain and written"
            assert await (await work.enqueue("lost")).result(10) == "lost and written"
            await until(
                lambda: proxy.swallowed and not worker.slots.unwritten()
            )  # written again, and refused
            assert not refusals()
            assert not worker.settler.refused
            await work.enqueue("taken")
            await held.wait()
            await until(lambda: worker.settler.refused)
        assert worker.settler.refused == 1
        assert refusals() == ["1 outcomes were refused: their jobs had been given to another worker"]


@ON_ONE_SERVER
async def test_an_outcome_that_is_sent_twice_is_counted_by_the_one_who_has_written_it(
    shared_server: Server, client: redis.Redis, prefix: str
) -> None:
    """One that the first try had written, and one that did not arrive: another worker has done that job meanwhile."""
    async with before(shared_server) as proxy:
        app, keys = App(redis_url=proxy.url, prefix=prefix, **QUICK), Keys(prefix, "q")
        kept_back: list[bytes] = []

        def keep_back(sent: bytes) -> Fate | None:
            if b'"kept back and written"' not in sent:
                return None
            proxy.judge = None
            kept_back.append(sent)
            (entry,) = client.xpending_range(keys.ready, GROUP, "-", "+", 9)
            client.xack(keys.ready, GROUP, entry["message_id"])
            client.xdel(keys.ready, entry["message_id"])
            client.hset(keys.finished, entry["message_id"], 'c1 1 other\nwork\n\n"done"\n"kept back"')
            return Fate(0)

        @app.task(queue="q")
        async def work(what: str) -> str:
            proxy.judge = keep_back
            proxy.swallow = b'"lost and written"' if what == "lost" else b""
            return f"{what} and written"

        async with app, working(app) as worker:
            assert await (await work.enqueue("plain")).result(5) == "plain and written"
            assert await (await work.enqueue("lost")).result(10) == "lost and written"
            await until(lambda: proxy.swallowed and not worker.slots.unwritten())
            await work.enqueue("kept back")
            await until(lambda: kept_back and worker.slots.idle and not worker.slots.unwritten())
            await worker.tally.close()
            assert (await app.queue("q").statistics("5m")).total.completed == 2


@ON_ONE_SERVER
async def test_the_connection_for_outcomes_is_closed_when_there_are_none(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamq.worker.settler.IDLE", 0.1)

    @app.task(queue="q")
    async def work(x: int) -> int:
        return x

    async with working(app) as worker:
        assert await (await work.enqueue(1)).result(5) == 1
        await until(lambda: not worker.settler._links.connected)
        assert await (await work.enqueue(2)).result(5) == 2
        assert worker.settler._links.connected
