"""``app.sync``: from any thread, without an event loop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from streamq import (
    App,
    Context,
    InvalidPayload,
    JobFailed,
    NotOpen,
    OutcomeUnknown,
    ResultTimeout,
    State,
    Unavailable,
    UsageError,
)
from streamq.tickets import Ticket

from ..rig import ON_ONE_SERVER, census, working

pytestmark = [ON_ONE_SERVER, pytest.mark.keeps_keys]


@pytest.fixture
def plain(make_app: Callable[..., App]) -> Iterator[App]:
    """An app that no loop has open, closed in the background after the test."""
    app = make_app()

    @app.task(queue="q")
    async def double(number: int) -> int:
        return 2 * number

    @app.task(queue="q")
    async def add(left: int, right: int = 1) -> int:
        return left + right

    @app.task(queue="q", attempts=1)
    async def fail() -> None:
        raise ValueError("no")

    yield app
    app.sync.close()


@pytest.fixture
def served(plain: App, make_app: Callable[..., App]) -> Iterator[App]:
    """The same, with a worker in a thread."""
    stop = asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        async with plain, working(plain):
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    yield plain
    loops[0].call_soon_threadsafe(stop.set)
    thread.join(20)
    assert not thread.is_alive()


def test_a_script_enqueues_and_waits(served: App) -> None:
    double, add = served.tasks["double"], served.tasks["add"]
    job = served.sync.enqueue(double, 4)
    assert job.result(timeout=10) == served.sync.result(job, 10) == 8
    assert job.status().state is State.COMPLETED
    assert (job.queue, job.task) == ("q", "double")
    assert served.sync.enqueue("q", "double", 5).result(10) == 10
    assert served.sync.enqueue(add, left=2, right=3).result(10) == 5
    assert served.sync.enqueue(add, 2).result(10) == 3
    assert served.sync.enqueue(add.options(attempts=2), left=2).result(10) == 3
    jobs = served.sync.enqueue_many(double, range(100), attempts=3)
    assert [job.result(10) for job in jobs] == [2 * number for number in range(100)]
    assert served.sync.enqueue_many("q", "double", [7])[0].result(10) == 14
    assert served.sync.run(lambda: served.queue("q").counts()).completed == 106


def test_eight_threads_share_one_loop_and_one_set_of_connections(
    plain: App, client: redis.Redis, prefix: str
) -> None:
    double, together = plain.tasks["double"], threading.Barrier(8)

    def view(thread: int) -> list[str]:
        together.wait()
        return [plain.sync.enqueue(double, 100 * thread + number).id for number in range(25)]

    with ThreadPoolExecutor(8) as threads:
        ids = [job_id for part in threads.map(view, range(8)) for job_id in part]
    assert len(set(ids)) == 200
    counted = census(client, prefix, "q")
    counted.check()
    assert set(counted.places) == set(ids)
    assert [thread.name for thread in threading.enumerate()].count("streamq sync") == 1
    assert len(plain.client.openings._shares) == 1


async def test_a_thread_of_a_process_whose_loop_has_the_app_open_may_use_it(app: App) -> None:
    @app.task(queue="q")
    async def double(number: int) -> int:
        return 2 * number

    @app.task(queue="q")
    def fan_out(number: int, ctx: Context) -> int:  # a plain handler, in its thread
        return ctx.app.sync.enqueue(double, number).result(10)

    async with working(app):
        assert await asyncio.to_thread(lambda: app.sync.enqueue(double, 3).result(10)) == 6
        assert await (await fan_out.enqueue(21)).result(10) == 42
    app_sync = app.sync
    await asyncio.to_thread(app_sync.close)


async def test_inside_an_event_loop_it_is_refused_with_the_way(app: App) -> None:
    for act in (lambda: app.sync.enqueue("q", "t"), lambda: app.sync.enqueue_many("q", "t", [1])):
        with pytest.raises(UsageError, match=r"would block the event loop.*await task\.enqueue"):
            act()
    job = await app.enqueue("q", "t")
    with pytest.raises(UsageError, match="would block"):
        app.sync.result(job, 1)


def test_a_coroutine_in_the_place_of_a_function_is_refused_with_the_way(plain: App) -> None:
    async def act() -> None: ...

    with pytest.raises(UsageError, match=r"cannot be called.*app\.sync\.run\(lambda"):
        plain.sync.run(act())  # type: ignore[arg-type]


def test_errors_are_those_of_the_asynchronous_twins(served: App) -> None:
    double, fail = served.tasks["double"], served.tasks["fail"]
    with pytest.raises(InvalidPayload):
        served.sync.enqueue(double, "x")
    with pytest.raises(UsageError, match="did you mean delay"):
        served.sync.enqueue(double, 1, dealy=5)
    with pytest.raises(UsageError, match="is not a task: give what @app"):
        served.sync.enqueue(double.handler, 1)
    with pytest.raises(JobFailed, match="no"):
        served.sync.enqueue(fail).result(10)
    with pytest.raises(ResultTimeout):
        served.sync.enqueue(double, 1, delay=60).result(0.05)


def test_a_server_that_cannot_be_reached_is_told_and_tried_again(server_kind: str) -> None:
    app = App(redis_url="unix:///nonexistent/s")
    for _ in range(2):
        with pytest.raises(Unavailable):
            app.sync.enqueue("q", "t")
    app.sync.close()


def test_an_unknown_outcome_can_be_repeated_without_a_loop(
    plain: App, monkeypatch: pytest.MonkeyPatch, client: redis.Redis, prefix: str
) -> None:
    enqueue, silences = plain.enqueue, [1, 2]

    async def unanswered(*args: Any, **options: Any) -> Any:
        if silences:
            silences.pop()
            raise OutcomeUnknown("no answer").carrying(Ticket(lambda: unanswered(*args, **options)))
        return await enqueue(*args, **options)

    monkeypatch.setattr(plain, "enqueue", unanswered)
    with pytest.raises(OutcomeUnknown) as first:
        plain.sync.enqueue("q", "t", 1)
    assert first.value.repeat is not None
    with pytest.raises(OutcomeUnknown) as second:
        first.value.repeat()
    assert second.value.repeat is not None
    job: Any = second.value.repeat()
    assert job.status().payload == 1
    assert len(census(client, prefix, "q").places) == 1


def test_closing_is_for_now_and_the_next_call_opens_again(plain: App) -> None:
    double = plain.tasks["double"]
    for _ in range(3):
        plain.sync.enqueue(double, 1)
        plain.sync.close()
        plain.sync.close()
        assert not plain.client.openings
    with pytest.raises(NotOpen):
        asyncio.run(plain.ping())


@pytest.mark.parametrize("before", ["", "app.sync.enqueue('q', 't')"])
def test_a_call_in_the_last_moments_of_a_process_does_not_hang(
    make_app: Callable[..., App], before: str
) -> None:
    """What is registered before ours is called after it, when our loop has ended."""
    app = make_app()
    program = f"""
import atexit
atexit.register(lambda: print(app.sync.enqueue("q", "t").id))
from streamq import App
app = App(redis_url={app.settings.secret("redis_url")!r}, prefix={app.settings.prefix!r})
{before}
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=20, text=True, check=False
    )
    assert done.stdout.strip().replace("-", "").isdigit(), done.stderr


def test_an_interrupted_wait_ends_in_the_background_too(plain: App) -> None:
    program = f"""
import os, signal, threading
from streamq import App
app = App(redis_url={plain.settings.secret("redis_url")!r}, prefix={plain.settings.prefix!r})
job = app.sync.enqueue("q", "nobody", 1)
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    job.result()
except KeyboardInterrupt:
    print("interrupted", job.status().state.value)
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("interrupted waiting\n", "", 0)
