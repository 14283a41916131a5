"""Waiting for results: whoever waits gets the result, however soon its record is pruned and whatever fails beside."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from streamq import App, JobFailed, JobNotFound, NotOpen, Rejected, ResultTimeout
from streamq.model.keys import Keys
from streamq.redis.signals import Channels, ended

from ..rig import ON_ONE_SERVER, queue_keys, until, working
from ..servers import IS_CLUSTER, Server
from .test_rights import rights

NAME = st.from_regex(r"[0-9]{1,14}-[0-9]{1,20}", fullmatch=True)


def _declare(app: App) -> Any:
    @app.task(queue="q")
    async def echo(x: Any) -> Any:
        return x

    return echo


async def _gathered(app: App, count: int) -> list[Any]:
    jobs = await app.enqueue_many("q", "echo", range(count))
    return await asyncio.gather(*[job.result(60) for job in jobs])


async def test_a_gather_of_more_jobs_than_records_are_kept_gets_every_result(
    make_app: Callable[..., App],
) -> None:
    """3,000 results with the default of 1,000 records kept, the worker in the same process."""
    app = make_app()
    assert app.settings.keep_completed == 1_000
    _declare(app)
    async with app, working(app, concurrency=200):
        assert await _gathered(app, 3_000) == list(range(3_000))
        assert (await app.queue("q").counts()).completed == 1_000


async def test_jobs_sent_one_by_one_and_awaited_together_lose_no_result(make_app: Callable[..., App]) -> None:
    app = make_app(keep_completed=10)
    echo = _declare(app)

    async def one(number: int) -> Any:
        return await (await echo.enqueue(number)).result(60)

    async with app, working(app, concurrency=200):
        await one(0)  # the queue is listened to from the first result on
        assert await asyncio.gather(*map(one, range(1_000))) == list(range(1_000))


@ON_ONE_SERVER
async def test_who_sends_many_and_never_waits_does_not_listen_for_long_nor_again(
    app: App, client: redis.Redis
) -> None:
    channel = queue_keys(app.settings.prefix, "q").ended
    jobs = await app.enqueue_many("q", "echo", range(600))
    await until(lambda: client.pubsub_channels(channel), 1)  # as somebody may wait at once
    await until(lambda: not client.pubsub_channels(channel))
    await app.enqueue_many("q", "echo", range(600))
    assert not client.pubsub_channels(channel)
    with pytest.raises(ResultTimeout):
        await jobs[0].result(0)
    await app.enqueue_many("q", "echo", range(600))
    assert client.pubsub_channels(channel), "somebody has waited"


@ON_ONE_SERVER
@pytest.mark.parametrize(("payload", "result"), [(4_000, 10), (10, 10_000)])
async def test_long_payloads_and_results_do_not_keep_a_result_from_its_waiter(
    make_app: Callable[..., App], payload: int, result: int
) -> None:
    app = make_app()

    @app.task(queue="q")
    async def work(text: str) -> str:
        return "r" * result

    async with app, working(app, concurrency=50):
        jobs = await work.enqueue_many(["p" * payload] * 1_500)
        results = await asyncio.gather(*[job.result(60) for job in jobs])
        assert {len(text) for text in results} == {result}


@ON_ONE_SERVER
async def test_who_waits_soon_after_a_result_gets_the_next_though_no_record_is_kept(
    make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(keep_completed=0)
    echo = _declare(app)

    async def gone(job: Any) -> bool:
        try:
            await job.status()
        except JobNotFound:
            return True
        return False

    async with app, working(app):
        assert await (await echo.enqueue(1)).result(5) == 1
        job = await echo.enqueue(2)
        await until(lambda: gone(job))
        assert await job.result(5) == 2, "it is remembered"
        monkeypatch.setattr("streamq.client.results.REMEMBERED", 0)
        job = await echo.enqueue(3)
        await until(lambda: gone(job))
        with pytest.raises(JobNotFound):
            await job.result(5)


async def test_results_too_long_for_a_signal_are_fetched(make_app: Callable[..., App]) -> None:
    app = make_app(keep_completed=50, max_payload=2_000_000, max_result=2_000_000)
    _declare(app)
    texts = [str(number) * 1_100_000 for number in range(10)]
    async with app, working(app, concurrency=10):
        jobs = await app.enqueue_many("q", "echo", texts)
        assert await asyncio.gather(*[job.result(30) for job in jobs]) == texts


async def test_a_finished_job_has_its_result_within_any_time(app: App, make_app: Callable[..., App]) -> None:
    _declare(app)
    async with working(app):
        job = await app.enqueue("q", "echo", 7)
        await job.result(10)
        assert await job.result(0) == 7
    waiting = await app.enqueue("q", "echo", 8)
    async with make_app() as other:
        for of in (app, other):  # who listens already, and who does not yet
            assert (await of.client.wait("q", job.id, 0)).result == 7
            start = time.monotonic()
            with pytest.raises(ResultTimeout):
                await of.client.wait("q", waiting.id, 0)
            assert time.monotonic() - start < 0.9, "the look was waited for, and no longer"


async def test_a_job_that_is_nowhere_is_not_found_however_long_the_time(app: App) -> None:
    job = await app.enqueue("q", "echo", 1)
    job.id = "1-1"
    with pytest.raises(JobNotFound):
        await job.result()


@ON_ONE_SERVER
@pytest.mark.parametrize("second", [False, True])
async def test_a_failure_that_is_told_during_a_look_is_looked_for_again(
    app: App, monkeypatch: pytest.MonkeyPatch, second: bool
) -> None:
    """The look said that the job is on its way, and its answer came after the signal: results once were 5 s late."""
    answered, passed = asyncio.Event(), asyncio.Event()
    look = app.client.store.jobs.endings

    async def slow(queue: str, ids: Any) -> Any:
        found = await look(queue, ids)
        answered.set()
        await passed.wait()
        return found

    @app.task(queue="q", attempts=1)
    async def broken(x: int) -> int:
        raise ValueError(x)

    signals, channel = app.client.store.signals.of("q"), queue_keys(app.settings.prefix, "q").ended
    job, told = await broken.enqueue(1), list[bytes | None]()
    monkeypatch.setattr(app.client.store.jobs, "endings", slow)
    waiting = [asyncio.create_task(job.result(4))]
    signals.listen(channel, told.append)
    await answered.wait()
    async with working(app):
        await until(lambda: any(told))
        waiting += [asyncio.create_task(job.result(4))] if second else []
        await asyncio.sleep(0)
        passed.set()
        ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(end) for end in ends} == {JobFailed}


@ON_ONE_SERVER
async def test_a_failure_that_was_heard_is_told_although_its_record_is_pruned(
    make_app: Callable[..., App],
) -> None:
    """As a result is: who waits shortly after is told of it too."""
    app = make_app(keep_failed=1)

    @app.task(queue="q", attempts=1)
    async def broken(x: int) -> int:
        raise ValueError(x)

    async with app, working(app):
        with pytest.raises(JobFailed):
            await (await broken.enqueue(0)).result(10)
        told = list[bytes | None]()
        app.client.store.signals.of("q").listen(queue_keys(app.settings.prefix, "q").ended, told.append)
        jobs = [await broken.enqueue(number) for number in range(1, 4)]
        await until(lambda: {job_id for m in told if m for job_id, _ in ended(m)} == {job.id for job in jobs})
        ends = await asyncio.gather(*[job.result(10) for job in jobs], return_exceptions=True)
        assert [getattr(end, "error", end) for end in ends] == ["1", "2", "3"]


async def test_a_result_after_a_requeue_is_the_new_one(app: App) -> None:
    fails = [True]

    @app.task(queue="q", attempts=1)
    async def mended(x: int) -> int:
        if fails.pop():
            raise ValueError(x)
        return x

    async with working(app):
        job = await mended.enqueue(3)
        with pytest.raises(JobFailed):
            await job.result(10)
        fails.append(False)
        await app.queue("q").retry(job.id)
        assert await job.result(10) == 3


async def test_waiters_end_at_once_when_the_app_closes(make_app: Callable[..., App]) -> None:
    async with make_app() as app:
        jobs = [await app.enqueue("q", "echo", n) for n in range(20)]
        waits = [asyncio.create_task(job.result(None)) for job in jobs]
        await until(
            lambda: app.client.openings.here()._results and app.client.openings.here()._results["q"]._waiters
        )
    ended = await asyncio.wait_for(asyncio.gather(*waits, return_exceptions=True), 2)
    assert {type(end) for end in ended} == {NotOpen}


async def test_waiters_get_their_results_over_any_number_of_lost_connections(
    app: App, client: redis.Redis
) -> None:
    """A signal sent while nobody was connected is lost; after a reconnection all look for themselves."""
    _declare(app)
    jobs = await app.enqueue_many("q", "echo", range(100))
    waits = asyncio.gather(*[job.result(30) for job in jobs])
    await until(lambda: client.pubsub_channels(queue_keys(app.settings.prefix, "q").ended))
    async with working(app, concurrency=5):
        while not waits.done():
            client.client_kill_filter(_type="pubsub")
            await asyncio.sleep(0.01)
    start = time.monotonic()
    assert await waits == list(range(100))
    assert time.monotonic() - start < 1


@ON_ONE_SERVER
@pytest.mark.parametrize("right", ["&other:*", "&* -subscribe", "&* -publish", "&* -pubsub"])
async def test_without_the_right_to_signals_waiters_look_from_time_to_time(
    own_server: Callable[..., Server], right: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = own_server(users=[f"alice on nopass ~* +@all resetchannels {right}"])
    app = App(redis_url=f"unix://alice:x@{server.socket}", lease=2.0, beat=0.5)
    _declare(app)
    with caplog.at_level(logging.INFO):
        async with app, working(app):
            jobs = [await app.enqueue("q", "echo", n) for n in range(3)]
            assert await asyncio.gather(*[job.result(20) for job in jobs]) == [0, 1, 2]
    said = [r.getMessage() for r in caplog.records if r.name.startswith("streamq.signals")]
    refused = [text for text in said if "ended are not heard" in text]
    assert len(refused) == (right in ("&other:*", "&* -subscribe"))


async def test_a_user_with_the_documented_rights_works_and_is_told_at_once(
    own_server: Callable[..., Server], server_kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = own_server(users=[f"alice on nopass {rights(server_kind)}"])
    app = App(redis_url=f"unix://alice:x@{server.socket}", lease=2.0, beat=0.5)
    _declare(app)
    with caplog.at_level(logging.WARNING):
        async with app, working(app):
            await (await app.enqueue("q", "echo", 1)).result(10)
            start = time.monotonic()
            jobs = [await app.enqueue("q", "echo", 2, delay=delay) for delay in (60, 0.05)]
            assert await jobs[1].result(10) == 2
            assert time.monotonic() - start < 1.5, "the promoter and the waiter were told"
    assert not [record for record in caplog.records if record.name.startswith("streamq")]


@given(st.lists(st.tuples(NAME, st.none() | st.binary(max_size=50))))
def test_a_signal_is_read_as_it_was_written(jobs: list[tuple[str, bytes | None]]) -> None:
    said = " ".join(name if body is None else f"{name}:{len(body)}" for name, body in jobs)
    message = f"ended {said}".rstrip().encode() + b"\n\n" + b"".join(body or b"" for _, body in jobs)
    assert list(ended(message)) == jobs


@pytest.mark.parametrize("message", [b"", b"ended 1-1:9\n\nx", b"ended 1-1:-1\n\nx", b"ended 1-1:x\n\nx"])
def test_a_message_that_is_no_whole_signal_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(ended(message))


@ON_ONE_SERVER
async def test_what_strangers_publish_ends_no_wait(app: App, client: redis.Redis) -> None:
    _declare(app)
    keys = queue_keys(app.settings.prefix, "q")
    job = await app.enqueue("q", "echo", 1)
    wait = asyncio.create_task(job.result(20))
    await until(lambda: client.pubsub_channels(keys.ended))
    for noise in (b"", b"\xff\n\n", b"ended\n\n", b"ended 1-1:9\n\nx", b"ended 1-1:-9\n\nx", b"ended 1-1:x\n\nx",
                  b"news of 2030\n\n", f"ended {job.id}\n\n".encode(), b"ended " + b"1-1 " * 10_000):  # fmt: skip
        client.publish(keys.ended, noise)
        client.publish(keys.signals, noise)
    async with working(app):
        assert await wait == 1


async def test_a_record_that_nobody_can_read_ends_only_the_wait_for_it(app: App, client: redis.Redis) -> None:
    _declare(app)
    keys = queue_keys(app.settings.prefix, "q")
    bad, good = [await app.enqueue("q", "echo", n) for n in (1, 2)]
    waits = [asyncio.create_task(job.result(20)) for job in (bad, good)]
    await until(lambda: client.pubsub_channels(keys.ended))
    client.publish(keys.ended, f"ended {bad.id}:3\n\ncxy")
    assert await asyncio.wait_for(asyncio.gather(waits[0], return_exceptions=True), 5)
    async with working(app):
        assert await waits[1] == 2


@ON_ONE_SERVER
async def test_keys_of_the_wrong_type_never_keep_a_waiter_waiting(app: App, client: redis.Redis) -> None:
    """What earlier versions read are not read any more; what is read says so, to the waiters of that queue alone."""
    _declare(app)
    keys = Keys(app.settings.prefix, "q")
    for key in (keys.events, keys.wake):
        client.set(key, "of the wrong type")
    job = await app.enqueue("q", "echo", 1)
    async with working(app):
        assert await job.result(10) == 1
    client.delete(keys.events, keys.wake)
    other = await app.enqueue("other", "echo", 2)
    client.delete(keys.finished)
    client.set(keys.finished, "of the wrong type")
    with pytest.raises(Rejected, match="WRONGTYPE"):
        await asyncio.wait_for(app.client.wait("q", job.id, None), 5)
    with pytest.raises(ResultTimeout):
        await other.result(0)


async def test_one_connection_listens_for_all_queues_and_ends_with_the_last_listener(
    app: App, client: redis.Redis
) -> None:
    signals, prefix = Channels(app.client.store.servers.home, sharded=IS_CLUSTER), app.settings.prefix
    channels = [f"{prefix}:{number}" for number in range(5)]
    told: dict[str, list[bytes | None]] = {channel: [] for channel in channels}
    stops = [signals.listen(channel, told[channel].append) for channel in channels]
    await until(lambda: all(told.values()))
    assert client.pubsub_channels(f"{prefix}:*") == sorted(channels) or len(told) == 5
    assert len([c for c in client.client_list() if c["name"] == "streamq-signals"]) == 1
    client.publish(channels[2], "x")
    assert await signals.caught_up()
    assert told == {channel: [None, b"x"] if channel == channels[2] else [None] for channel in channels}
    for stop in stops:
        stop()
        stop()
    await until(lambda: not [c for c in client.client_list() if c["name"] == "streamq-signals"])
    await signals.close()


async def test_a_listener_that_fails_does_not_keep_the_others_from_hearing(
    app: App, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    signals, channel, told = (
        app.client.store.signals.of("q"),
        f"{app.settings.prefix}:x",
        list[bytes | None](),
    )

    def broken(_: bytes | None) -> None:
        raise RuntimeError("no")

    signals.listen(channel, broken)
    signals.listen(channel, told.append)
    await until(lambda: told)
    client.publish(channel, "x")
    await until(lambda: told[0] is None and told[-1] == b"x")
    assert "a listener failed" in caplog.text
