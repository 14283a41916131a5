"""Workers: how much they take, in which order they end, and what they leave behind."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from streamq import App, ConfigurationError, Context, Rejected, Unavailable, Worker
from streamq.model.keys import GROUP, Keys

from ..rig import ON_ONE_SERVER, census, shared_keys, until, working
from ..servers import IS_CLUSTER, Server


class Gate:
    """A task whose jobs run until they are let go."""

    def __init__(self, app: App, *queues: str) -> None:
        self.open = asyncio.Event()
        self.running: list[str] = []
        self.most = 0
        self.tasks = {queue: app.task(name=f"hold-{queue}", queue=queue)(self.hold) for queue in queues}

    async def hold(self, x: int, ctx: Context) -> int:
        self.running.append(f"{ctx.queue}:{x}")
        self.most = max(self.most, len(self.running))
        try:
            await self.open.wait()
        finally:
            self.running.remove(f"{ctx.queue}:{x}")
        return x


async def test_a_worker_never_takes_more_than_it_has_free_slots(
    app: App, client: redis.Redis, prefix: str
) -> None:
    gate = Gate(app, "q")
    await gate.tasks["q"].enqueue_many(range(50))
    async with working(app, concurrency=7):
        await until(lambda: len(gate.running) == 7)
        assert await _counts(app, "q") == {"waiting": 43, "active": 7}
        gate.open.set()
        await until(lambda: _empty(app, "q"))
    assert gate.most == 7


async def test_every_queue_of_a_worker_gets_a_share_of_its_slots(app: App) -> None:
    gate = Gate(app, "a", "b")
    await gate.tasks["a"].enqueue_many(range(500))
    await gate.tasks["b"].enqueue_many(range(5))
    async with working(app, concurrency=10):
        await until(lambda: len(gate.running) == 10)
        assert sum(name.startswith("b") for name in gate.running) == 5
        gate.open.set()
        await until(lambda: _empty(app, "b"))
        await until(lambda: _empty(app, "a"))


async def test_one_slot_serves_several_queues_in_turn_without_waiting_for_an_empty_one(app: App) -> None:
    order: list[str] = []

    def declare(queue: str) -> Any:
        @app.task(name=queue, queue=queue)
        async def work(x: int, ctx: Context) -> None:
            order.append(ctx.queue)

        return work

    tasks = {queue: declare(queue) for queue in "abc"}
    for queue in "ab":
        await tasks[queue].enqueue_many(range(20))
    start = time.monotonic()
    async with working(app, concurrency=1):
        await until(lambda: len(order) == 40)
        assert "b" in order[:6]
        assert "a" in order[:6]
        job = await tasks["c"].enqueue(1)
        await job.result(4)
    assert time.monotonic() - start < 4, "it waited for a queue that has nothing"


async def test_a_full_worker_takes_the_next_job_when_a_slot_is_free_again(app: App) -> None:
    gate = Gate(app, "q")
    async with working(app, concurrency=1):
        first = await gate.tasks["q"].enqueue(1)
        await until(lambda: gate.running)
        second = await gate.tasks["q"].enqueue(2)
        gate.open.set()
        assert (await first.result(5), await second.result(5)) == (1, 2)


async def test_at_a_stop_running_jobs_finish_and_waiting_ones_are_left(
    app: App, client: redis.Redis, prefix: str
) -> None:
    gate = Gate(app, "q")
    await gate.tasks["q"].enqueue_many(range(5))
    async with working(app, concurrency=2) as worker:
        await until(lambda: len(gate.running) == 2)
        worker.stop()
        await until(lambda: worker.slots.stopping)
        gate.open.set()
    found = census(client, prefix, "q")
    found.check()
    assert found.counts() == {"completed": 2, "waiting": 3}


async def test_a_handler_learns_that_its_worker_shuts_down(app: App) -> None:
    told = asyncio.Event()

    @app.task(queue="q")
    async def work(x: int, ctx: Context) -> str:
        told.set()
        while not ctx.shutting_down:  # noqa: ASYNC110  # as a handler would
            await asyncio.sleep(0.01)
        return "in time"

    async with working(app) as worker:
        job = await work.enqueue(1)
        await told.wait()
        worker.stop()
    assert (await job.status()).result == "in time"


@pytest.mark.parametrize("how", ["grace over", "second stop"])
async def test_what_does_not_finish_in_time_is_given_back_uncharged(
    make_app: Callable[..., App], client: redis.Redis, prefix: str, how: str
) -> None:
    app = make_app(shutdown_grace=0.1 if how == "grace over" else 60.0)
    gate = Gate(app, "q")
    async with app:
        jobs = await gate.tasks["q"].enqueue_many(range(3))
        start = time.monotonic()
        async with working(app) as worker:
            await until(lambda: len(gate.running) == 3)
            worker.stop()
            if how == "second stop":
                worker.stop()
        assert time.monotonic() - start < 4
        found = census(client, prefix, "q")
        found.check()
        assert found.places == {job.id: ["waiting"] for job in jobs}
        for job in jobs:
            record = await job.status()
            assert (record.attempt, record.crashes, record.history) == (0, 0, [])
        gate.open.set()
        async with working(app):
            assert [await job.result(5) for job in jobs] == [0, 1, 2]


async def test_cancelling_a_worker_shuts_it_down_in_order(app: App, client: redis.Redis, prefix: str) -> None:
    gate = Gate(app, "q")
    await gate.tasks["q"].enqueue_many(range(3))
    run = asyncio.create_task(app.run_worker(concurrency=3))
    await until(lambda: len(gate.running) == 3)
    run.cancel()
    await asyncio.sleep(0)
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert census(client, prefix, "q").counts() == {"completed": 3}


async def test_a_worker_leaves_no_consumer_no_beat_and_no_thread_behind(
    app: App, client: redis.Redis, prefix: str
) -> None:
    @app.task(queue="q")
    def work(x: int) -> int:
        return x

    keys, threads, clients = Keys(prefix, "q"), set(threading.enumerate()), len(client.client_list())
    async with working(app, name="w1"):
        await (await work.enqueue(1)).result(5)
        await until(lambda: client.zscore(keys.workers, "w1"))
        assert client.xinfo_consumers(keys.ready, GROUP)
    assert client.xinfo_consumers(keys.ready, GROUP) == client.xinfo_consumers(keys.alone, GROUP) == []
    assert client.exists(keys.workers, shared_keys(prefix).workers) == 0
    await until(lambda: not [t for t in set(threading.enumerate()) - threads if t.name.startswith("streamq")])
    await until(lambda: len(client.client_list()) <= clients + 6)
    assert (await app.queue("q").counts()).completed == 1


async def test_a_worker_stopped_at_any_moment_ends_promptly(
    app: App, client: redis.Redis, prefix: str
) -> None:
    app.task(name="t", queue="q")(lambda x: x)
    for turns in (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89):
        worker = Worker(app, concurrency=2)
        run = asyncio.create_task(worker.run())
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        worker.stop()
        async with asyncio.timeout(3):
            await run
    assert client.zcard(Keys(prefix, "q").workers) == 0


@ON_ONE_SERVER
async def test_a_worker_cancelled_at_any_moment_leaves_nothing(
    app: App, client: redis.Redis, prefix: str
) -> None:
    app.task(name="t", queue="q")(lambda x: x)
    for turns in (0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 17):
        run = asyncio.create_task(app.run_worker(concurrency=2))
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        run.cancel()
        async with asyncio.timeout(3):
            await asyncio.wait([run])
        assert [t for t in threading.enumerate() if "heartbeat" in t.name] == []
    assert client.zcard(Keys(prefix, "q").workers) == 0


async def test_a_worker_of_an_app_without_tasks_says_so(app: App) -> None:
    with pytest.raises(ConfigurationError, match="no task"):
        Worker(app)


@ON_ONE_SERVER
async def test_what_a_worker_cannot_be_given_is_refused_before_it_begins(app: App) -> None:
    for wrong in (0, -1, True, "5", 1.5, 100_001):
        with pytest.raises(
            ConfigurationError, match=r"^concurrency=.* is not possible: use a whole number from 1"
        ):
            await app.run_worker(queues=["q"], concurrency=wrong)
    for wrong_queues in ("a b", ["a b"], [5]):
        with pytest.raises(ConfigurationError, match=r"cannot name a queue|not the name of a queue"):
            await app.run_worker(queues=wrong_queues)
    assert Worker(app, queues="mail").queues == ("mail",), (
        "as STREAMQ_QUEUES has it, and not letter by letter"
    )
    assert Worker(app, queues="mail, sms").queues == ("mail", "sms")


def test_an_app_takes_neither_an_address_by_place_nor_a_lifespan_that_cannot_be_called() -> None:
    wrong: Any = "redis://:hidden@127.0.0.1"
    with pytest.raises(ConfigurationError, match="by its name") as caught:
        App(wrong)
    assert "hidden" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="lifespan=5 cannot be called"):
        App(lifespan=5)  # type: ignore[arg-type]


async def test_a_worker_whose_server_does_not_come_gives_up_with_a_clear_error() -> None:
    app = App(redis_url="unix:///nonexistent/s", ready_timeout=0.2)
    app.task(name="t", queue="q")(lambda x: x)
    with pytest.raises(Unavailable, match=r"within 0\.2 s"):
        await app.run_worker()
    with pytest.raises(Unavailable, match=r"within 0\.2 s"):
        await app.run_scheduler()


@ON_ONE_SERVER
async def test_a_worker_that_may_not_beat_says_so_instead_of_waiting(
    own_server: Callable[..., Server],
) -> None:
    server = own_server(users=["alice on >x ~* &* +@all -zincrby"])
    app = App(redis_url=f"unix://alice:x@{server.socket}")
    app.task(name="t", queue="q")(lambda x: x)
    async with asyncio.timeout(5):
        with pytest.raises(Rejected):
            await app.run_worker()


@ON_ONE_SERVER
async def test_a_worker_keeps_few_connections_whatever_it_does(app: App, client: redis.Redis) -> None:
    """Reading, settling, beating, reclaiming, auditing, promoting and waking, and the pool of ordinary ones."""
    tasks = [app.task(name=f"t{n}", queue=f"q{n}")(lambda x: x) for n in range(50)]
    before = len(client.client_list())
    async with working(app, concurrency=500):
        jobs = [job for task in tasks for job in await task.enqueue_many(range(4))]
        await until(lambda: _all_done(app, len(jobs)))
        others = len(tasks) + 4  # producers, one a queue, and this test's pool
        assert len(client.client_list()) - before <= 12 + others


@ON_ONE_SERVER
async def test_an_idle_worker_sends_at_most_two_commands_a_second(
    make_app: Callable[..., App], client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamq.store.waiting.LOOK", 60.0, raising=False)
    async with make_app(beat=5.0, lease=15.0) as app:
        app.task(name="t", queue="q")(lambda x: x)
        async with working(app):
            await until(app.workers)
            async with asyncio.timeout(20):
                while sum((await _sent(client, 1.0)).values()) > 2 + IS_CLUSTER:
                    pass  # what it does once, at its start
            sent, seconds = await _sent(client, 6.0), 6.0
    # a process looks at a cluster once a second
    assert sum(sent.values()) / seconds <= 2 + IS_CLUSTER, sent


async def _sent(client: redis.Redis, seconds: float) -> dict[str, int]:
    """What comes to the server in the next ``seconds``, without our own question."""
    before = _commands(client)
    await asyncio.sleep(seconds)
    sent = {name: n - before.get(name, 0) for name, n in _commands(client).items() if n > before.get(name, 0)}
    sent.pop("info", None)
    return sent


def _commands(client: redis.Redis) -> dict[str, int]:
    return {name[8:]: stat["calls"] for name, stat in client.info("commandstats").items()}


async def _counts(app: App, queue: str) -> dict[str, int]:
    return {state: n for state, n in (await app.queue(queue).counts()).asdict().items() if n}


async def _empty(app: App, queue: str) -> bool:
    return not {"waiting", "active"} & set(await _counts(app, queue))


async def _all_done(app: App, count: int) -> bool:
    done = 0
    for queue in await app.queues():
        done += (await app.queue(queue).counts()).completed
    return done == count
