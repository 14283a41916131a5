"""An orderly stop charges nothing, whatever handlers make of their cancellation, and waits for no server."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import redis

from streamq import App, Backoff, Fail, Snooze, State, Worker
from streamq.model.envelope import Delivery
from streamq.model.keys import GROUP, Keys
from streamq.worker import shutdown, time_limits
from streamq.worker.runner import Runner
from streamq.worker.settler import Settler
from streamq.worker.slots import Slots

from ..rig import ON_ONE_SERVER, census, until, working
from ..servers import Server


@pytest.fixture(autouse=True)
def a_short_moment_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limits, "CANCEL_GRACE", 0.5)


def _raise_another() -> None:
    raise ConnectionError("closed while cleaning up")


def _raise_a_group() -> None:
    raise BaseExceptionGroup("g", [asyncio.CancelledError(), ValueError(1)])


def _raise_group_of_errors() -> None:
    raise ExceptionGroup("g", [ValueError(1)])


def _exit() -> None:
    raise SystemExit(1)


CLEAN_UPS = {
    "raises another error": _raise_another,
    "raises a group": _raise_a_group,
    "raises a group of errors": _raise_group_of_errors,
    "exits": _exit,
}


@pytest.mark.parametrize("clean_up", CLEAN_UPS)
async def test_at_a_stop_a_cancellation_that_surfaces_as_another_error_charges_nothing(
    make_app: Callable[..., App], client: redis.Redis, prefix: str, clean_up: str
) -> None:
    async with make_app(shutdown_grace=0.05) as app:
        began: list[int] = []

        @app.task(queue="q", attempts=1)
        async def work(x: int) -> None:
            began.append(x)
            try:
                await asyncio.sleep(60)
            finally:
                CLEAN_UPS[clean_up]()

        job = await work.enqueue(1)
        async with working(app):
            await until(lambda: began)
        record = await job.status()
    assert (record.state, record.attempt, record.crashes, record.history) == (State.WAITING, 0, 0, [])
    census(client, prefix, "q").check()


async def test_at_a_stop_a_verdict_is_followed(make_app: Callable[..., App]) -> None:
    async with make_app(shutdown_grace=0.05) as app:
        began: list[str] = []

        @app.task(queue="q", attempts=1)
        async def work(verdict: str) -> str:
            began.append(verdict)
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if verdict == "fail":
                    raise Fail("half done") from None
                if verdict == "snooze":
                    raise Snooze(600) from None
            return "saved"

        jobs = await work.enqueue_many(["fail", "snooze", "return"])
        async with working(app):
            await until(lambda: len(began) == 3)
        states = [(await job.status()).state for job in jobs]
    assert states == [State.FAILED, State.DELAYED, State.COMPLETED]


async def test_a_plain_handler_that_ends_just_after_the_grace_keeps_its_result(
    make_app: Callable[..., App],
) -> None:
    async with make_app(shutdown_grace=0.05) as app:
        began: list[int] = []

        @app.task(queue="q")
        def work(x: int) -> int:
            began.append(x)
            time.sleep(0.25)
            return x

        job = await work.enqueue(1)
        async with working(app):
            await until(lambda: began)
        record = await job.status()
    assert (record.state, record.result) == (State.COMPLETED, 1)


async def test_a_worker_that_stops_after_a_lost_answer_charges_nothing_for_what_was_in_it(
    app: App, client: redis.Redis, prefix: str
) -> None:
    go, keys = asyncio.Event(), Keys(prefix, "q")

    @app.task(queue="q", attempts=1, backoff=Backoff(0, 0))
    async def work(x: int) -> int:
        await go.wait()
        return x

    async with working(app, name="w1", concurrency=1) as worker:
        first = await work.enqueue(0)
        await until(lambda: _in(first, State.ACTIVE))
        jobs = await work.enqueue_many(range(5))
        # as in an answer that got lost: delivered under its name, and unknown to it
        assert len(client.xreadgroup(GROUP, "w1", {keys.ready: ">"})[0][1]) == 5
        worker.stop()
        await until(lambda: worker.slots.stopping)
        go.set()
    found = census(client, prefix, "q")
    found.check()
    assert found.counts() == {"completed": 1, "waiting": 5}
    for job in jobs:
        record = await job.status()
        assert (record.attempt, record.crashes, record.history) == (0, 0, [])
    assert client.xinfo_consumers(keys.ready, GROUP) == []


async def test_at_a_stop_a_job_whose_outcome_cannot_be_written_is_given_back_uncharged(
    app: App, client: redis.Redis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutdown, "FLUSH", 1.0)
    keys = Keys(prefix, "q")

    @app.task(queue="q", attempts=1)
    async def work(x: int) -> int:
        return x

    async with working(app) as worker:
        await until(app.workers)
        client.set(keys.completed, "not a list")
        job = await work.enqueue(1)
        await until(lambda: "q" in worker.slots.blocked)
    client.delete(keys.completed)
    record = await job.status()
    assert (record.state, record.attempt, record.crashes, record.history) == (State.WAITING, 0, 0, [])
    census(client, prefix, "q").check()


@pytest.mark.parametrize("how", ["stop", "cancel"])
async def test_a_worker_that_waits_for_its_server_heeds_a_stop(how: str) -> None:
    app = App(redis_url="unix:///nonexistent/s", ready_timeout=60)
    app.task(name="t", queue="q")(lambda x: x)
    async with app:
        worker = Worker(app)
        run = asyncio.create_task(worker.run())
        await asyncio.sleep(0.2)
        worker.stop() if how == "stop" else run.cancel()
        async with asyncio.timeout(3):
            await asyncio.wait([run])
    assert run.cancelled() is (how == "cancel")


@ON_ONE_SERVER
@pytest.mark.parametrize("when", ["before it answers", "once it has answered"])
async def test_a_worker_whose_server_stands_still_at_its_start_heeds_a_stop(
    own_server: Callable[..., Server], when: str
) -> None:
    server = own_server()

    @contextlib.asynccontextmanager
    async def lifespan(_: App) -> AsyncIterator[None]:
        server.pause()
        yield

    app = App(redis_url=server.url, ready_timeout=60, connect_timeout=1, lifespan=lifespan)
    app.task(name="t", queue="q")(lambda x: x)
    if when == "before it answers":
        server.pause()
    try:
        async with app:
            worker = Worker(app)
            run = asyncio.create_task(worker.run())
            await asyncio.sleep(0.5)
            worker.stop()
            async with asyncio.timeout(9):
                await run
    finally:
        server.resume()


async def test_an_attempt_that_is_interrupted_before_its_first_step_is_given_back(app: App) -> None:
    """A coroutine that is cancelled before that never runs, so it cannot tell of its end."""

    @app.task(queue="q")
    async def work(x: int) -> None:
        await asyncio.sleep(60)

    slots = Slots(5)
    runner = Runner(app, slots, Settler(app.client.store, "w", slots), "w")
    delivery = Delivery("q", 1, [b"1-1", [b"task", b"work", b"payload", b"1", b"headers", b""]])
    runner.start(delivery)
    runner.interrupt()
    async with asyncio.timeout(5):
        await slots.all_settled()
    assert runner.given_back == [delivery]
    assert not slots.running


async def test_a_worker_stopped_at_any_moment_gives_all_of_its_jobs_back(
    make_app: Callable[..., App], client: redis.Redis, prefix: str
) -> None:
    async with make_app(shutdown_grace=0) as app:

        @app.task(queue="q", attempts=1)
        async def work(x: int) -> None:
            await asyncio.sleep(60)

        jobs = await work.enqueue_many(range(20))
        for turns in range(0, 40, 3):
            worker = Worker(app, concurrency=20)
            run = asyncio.create_task(worker.run())
            for _ in range(turns):
                await asyncio.sleep(0.0005)
            worker.stop()
            worker.stop()
            async with asyncio.timeout(5):
                await run
        records = [await job.status() for job in jobs]
    assert {(r.state, r.attempt, r.crashes) for r in records} == {(State.WAITING, 0, 0)}
    census(client, prefix, "q").check()


async def _in(job: Any, *states: State) -> Any:
    record = await job.status()
    return record if record.state in states else None


def test_a_program_ends_beside_a_task_that_swallows_every_cancellation() -> None:
    program = (
        "import asyncio, streamq\n"
        "async def stubborn():\n"
        "    while True:\n"
        "        try:\n"
        "            await asyncio.sleep(60)\n"
        "        except asyncio.CancelledError:\n"
        "            pass\n"
        "async def main():\n"
        "    left.append(asyncio.create_task(stubborn()))\n"
        "    await asyncio.sleep(0)\n"
        "    return 'done'\n"
        "left = []\n"
        "print(streamq.run(main()))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr
