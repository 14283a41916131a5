"""The way out of a process: a fault is answered to those whose it is, and nothing grows with queues or runs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from streamq import App, NotOpen, OutcomeUnknown, Rejected, State, Unavailable, UsageError
from streamq.client.orders import BATCH
from streamq.client.outbox import Outbox
from streamq.model.envelope import New
from streamq.model.keys import AppKeys, Keys
from streamq.store.producers import expanded

from ..proxy import before
from ..rig import ON_ONE_SERVER, enqueue_batch, of_one_server, shared_keys, until
from ..servers import Server

# -- a fault of one is not another's ------------------------------------------------------------------------


@ON_ONE_SERVER
@pytest.mark.parametrize(
    "bad",
    [New("lone \ud800 surrogate", b"1"), New("t", None), New("t", b"1", object()), New("t", b"1", b"", 1j)],  # type: ignore[arg-type]
)
async def test_what_cannot_be_written_is_refused_to_its_caller_alone(
    way_out: Outbox, app: App, bad: New
) -> None:
    if bad.payload is None:
        bad = bad._replace(payload=_NoBytes())  # type: ignore[arg-type]
    if not isinstance(bad.headers, bytes):
        bad = bad._replace(headers=_NoBytes())  # type: ignore[arg-type]
    ends = await asyncio.gather(
        *[way_out.put("q", [New("t", b"%d" % n)], "memory") for n in range(3)],
        way_out.put("q", [bad], "memory"),
        *[way_out.put("r", [New("t", b"%d" % n)], "memory") for n in range(3)],
        return_exceptions=True,
    )
    assert isinstance(ends[3], UsageError)
    assert "nothing was sent" in str(ends[3])
    assert all(isinstance(end, list) for at, end in enumerate(ends) if at != 3)
    assert (await app.queue("q").counts()).waiting == (await app.queue("r").counts()).waiting == 3


class _NoBytes:
    """Has a length, and is nothing that can be sent."""

    def __len__(self) -> int:
        return 1


async def test_a_queue_that_refuses_stops_no_other_queue_of_its_flight(
    app: App, client: redis.Redis, prefix: str
) -> None:
    client.set(Keys(prefix, "bad").ready, "no stream")
    for _ in range(3):
        ends = await asyncio.gather(
            *[app.enqueue(queue, "t", 1) for queue in ("a", "bad", "b", "bad", "c")], return_exceptions=True
        )
        assert [isinstance(end, Rejected) for end in ends] == [False, True, False, True, False]
        assert ends[1] is not ends[3], "each caller raises one of its own"
    assert [(await app.queue(queue).counts()).waiting for queue in "abc"] == [3, 3, 3]


async def test_where_no_job_can_be_delayed_others_are_enqueued_all_the_same(
    app: App, client: redis.Redis, prefix: str
) -> None:
    client.set(Keys(prefix, "q").delayed, "no sorted set")
    now, later = await asyncio.gather(
        app.enqueue("q", "t", 1), app.enqueue("q", "t", 2, delay=60), return_exceptions=True
    )
    assert isinstance(later, Rejected)
    assert not isinstance(now, BaseException)
    assert client.xlen(Keys(prefix, "q").ready) == 1


async def test_a_batch_that_is_refused_is_refused_whole(app: App, client: redis.Redis, prefix: str) -> None:
    """Some of it added and the rest refused would double what is added when the caller tries again."""
    keys, link = Keys(prefix, "q"), app.client.store.links()
    for key in (keys.delayed, keys.parked):
        client.set(key, "of another type")
        with pytest.raises(Rejected):
            await enqueue_batch(
                app.client.store, link, "q", "p", 1, [New("t", b"1"), New("t", b"2", due="9")], "memory"
            )
        client.delete(key)
        assert client.keys(keys.ready) + client.keys(keys.delayed) + client.keys(keys.parked) == []
    await link.close()


@ON_ONE_SERVER
async def test_a_job_too_long_for_the_server_is_refused_alone_and_at_once(
    own_server: Callable[..., Server],
) -> None:
    server = own_server(options=["--proto-max-bulk-len", str(1 << 20)])
    async with App(redis_url=server.url, max_payload=1 << 25, enqueue_timeout=20) as app:
        start = time.monotonic()
        for size in (1 << 21, 1 << 24):
            ends = await asyncio.gather(
                app.enqueue("q", "t", 1),
                app.enqueue("q", "t", "x" * size),
                app.enqueue("q", "t", 2),
                return_exceptions=True,
            )
            assert [isinstance(end, BaseException) for end in ends] == [False, True, False]
            assert isinstance(ends[1], Rejected), ends[1]
            assert "invalid bulk length" in str(ends[1])
        assert time.monotonic() - start < 15, "it was not tried again and again"
        assert (await app.queue("q").counts()).waiting == 4


@ON_ONE_SERVER
async def test_a_fault_of_the_way_out_itself_ends_with_the_callers_it_met(
    way_out: Outbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(way_out._store.producers, "submit", _broken)
        sending = [way_out.put("q", [New("t", b"1")], "memory") for _ in range(3)]
        way_out._store.settings = way_out._store.settings.model_copy(update={"enqueue_timeout": 0.1})
        ends = await asyncio.gather(*sending, return_exceptions=True)
    assert [type(end) for end in ends] == [OutcomeUnknown] * 3
    assert "a fault" in caplog.text
    assert len(await way_out.put("q", [New("t", b"2")], "memory")) == 1
    assert isinstance(ends[0], OutcomeUnknown)
    assert ends[0].repeat is not None
    assert len(await ends[0].repeat()) == 1


async def _broken(*_: object) -> list[list[str]]:
    raise RuntimeError("a fault")


@ON_ONE_SERVER
async def test_nobody_is_cancelled_with_a_flight(way_out: Outbox, app: App) -> None:
    await way_out.put("q", [New("t", b"0")], "memory")
    (carrier,) = way_out._carriers.values()
    lone = asyncio.create_task(way_out.put("q", [New("t", b"1")], "memory"))
    await asyncio.sleep(0)
    sending = [asyncio.create_task(way_out.put("q", [New("t", b"1")], "memory")) for _ in range(3)]
    await lone
    while carrier._waiting:  # noqa: ASYNC110  # one turn of the loop at a time: it must be under way, and not over
        await asyncio.sleep(0)
    late = asyncio.create_task(way_out.put("q", [New("t", b"2")], "memory"))
    await asyncio.sleep(0)
    assert carrier._task is not None
    carrier._task.cancel()
    *ends, last = await asyncio.gather(*sending, late, return_exceptions=True)
    assert [type(end) for end in ends] == [OutcomeUnknown] * 3
    assert type(last) is Unavailable
    (job_id,) = await way_out.put("q", [New("t", b"3")], "memory")
    assert (await app.queue("q").get(job_id)).payload == 3
    waiting = (await app.queue("q").jobs(State.WAITING)).items
    assert 2 not in {job.payload for job in waiting}, "it was said that it is not sent"


@ON_ONE_SERVER
async def test_a_lone_caller_that_goes_away_takes_neither_its_jobs_nor_anybody_elses_along(
    way_out: Outbox, app: App
) -> None:
    """It carries its own jobs, without a task, as long as it waits for them."""
    await way_out.put("q", [New("t", b"0")], "memory")
    (carrier,) = way_out._carriers.values()
    for turns in (1, 2, 3):
        lone = asyncio.create_task(way_out.put("q", [New("t", b"1")], "memory"))
        await asyncio.sleep(0)
        assert carrier._task is None
        beside = asyncio.create_task(way_out.put("q", [New("t", b"2")], "memory"))
        for _ in range(turns):
            await asyncio.sleep(0)
        lone.cancel()
        assert len(await beside) == 1
        assert len(await way_out.put("q", [New("t", b"3")], "memory")) == 1
    lone = asyncio.create_task(way_out.put("q", [New("t", b"1")], "memory"))
    await asyncio.sleep(0)
    lone.cancel()
    await way_out.close()
    waiting = [job.payload for job in (await app.queue("q").jobs(State.WAITING)).items]
    assert [waiting.count(n) for n in range(4)] == [1, 4, 3, 3]


# -- what it takes ------------------------------------------------------------------------------------------


@ON_ONE_SERVER
@of_one_server("of a cluster any node is asked at first, and then those that have the queues")
async def test_five_hundred_queues_share_a_connection(app: App, client: redis.Redis) -> None:
    await asyncio.gather(*[app.enqueue(f"q{n}", "t", n) for n in range(500) for _ in range(2)])
    assert [each["name"] for each in client.client_list()].count("streamq-producer") == 1
    assert len(await app.queues()) == 500


@ON_ONE_SERVER
async def test_a_clean_close_leaves_nothing_of_its_producers(
    make_app: Callable[..., App], client: redis.Redis, prefix: str
) -> None:
    for _ in range(20):
        async with make_app() as app:
            await asyncio.gather(*[app.enqueue(queue, "t", 1) for queue in "abc"])
            await app.enqueue("a", "t", 1, delay=60)
    assert client.keys(f"{prefix}*producer*") == []


async def test_what_is_remembered_of_a_batch_does_not_grow_with_its_jobs(
    app: App, client: redis.Redis, prefix: str
) -> None:
    for delay in (None, 60.0):
        await app.enqueue_many("q", "t", range(BATCH), delay=delay)
    records = client.keys(Keys(prefix, "q").producer + "*")
    assert len(records) == 2
    assert all(client.strlen(record) < 40 * 12 for record in records), "a range for each millisecond it took"


@ON_ONE_SERVER
async def test_an_outcome_unknown_at_the_close_can_still_be_repeated(
    make_app: Callable[..., App], shared_server: Server, client: redis.Redis, prefix: str
) -> None:
    async with before(shared_server) as proxy:
        app = make_app(enqueue_timeout=0.2)
        app.with_settings(app.settings.model_copy(update={"redis_url": proxy.url}))
        async with app:
            await app.enqueue("q", "t", "before")
            proxy.swallow = b'"lost"'
            sending = asyncio.create_task(app.enqueue("q", "t", "lost"))
            await until(lambda: proxy.swallowed)
            proxy.closed = True
            with pytest.raises(OutcomeUnknown) as caught:
                await sending
            proxy.closed = False
            await app.enqueue("q", "t", "after")
        assert len(client.keys(f"{prefix}*producer*")) == 1
        async with app:
            assert caught.value.repeat is not None
            job = await caught.value.repeat()
            assert (await job.status()).payload == "lost"
    assert client.xlen(Keys(prefix, "q").ready) == 3


async def test_what_is_put_after_the_close_is_refused(app: App) -> None:
    way_out = Outbox(app.client.store)
    await way_out.put("q", [New("t", b"1")], "memory")
    await way_out.close()
    with pytest.raises(NotOpen):
        await way_out.put("q", [New("t", b"1")], "memory")


@pytest.mark.parametrize("later", [0, 1, 2, 40])
@pytest.mark.parametrize("waiting", [0, 1, 2, 499])
async def test_ids_are_those_of_the_entries_however_long_the_call_took(
    app: App, client: redis.Redis, prefix: str, waiting: int, later: int
) -> None:
    link, keys = app.client.store.links(), Keys(prefix, "q")
    jobs = [New("t", b"1")] * waiting + [New("t", b"2", due="60000")] * later
    ids = await enqueue_batch(app.client.store, link, "q", "p", 1, jobs, "memory")
    assert ids[:waiting] == [entry for entry, _ in client.xrange(keys.ready)]
    assert sorted(ids[waiting:]) == sorted(client.hkeys(keys.parked))
    assert ids == await enqueue_batch(app.client.store, link, "q", "p", 1, jobs, "memory")
    await link.close()


@given(st.lists(st.tuples(st.integers(0, 10**13), st.integers(0, 2**64 - 99), st.integers(0, 9))))
def test_a_run_of_ids_is_written_short_and_read_as_it_was(runs: list[tuple[int, int, int]]) -> None:
    written = " ".join(f"{ms}-{first}" + (f"+{more}" if more else "") for ms, first, more in runs)
    assert expanded(written) == [f"{ms}-{first + at}" for ms, first, more in runs for at in range(more + 1)]


# -- the list of queues -------------------------------------------------------------------------------------


async def test_a_queue_is_announced_again_after_the_server_was_emptied(
    app: App, client: redis.Redis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = shared_keys(prefix).queues
    await app.enqueue("q", "t", 1)
    assert client.smembers(key) == {"q"}
    client.delete(key)
    await app.enqueue("q", "t", 2)
    assert not client.exists(key), "not with each batch"
    monkeypatch.setattr("streamq.model.clock.monotonic", lambda: time.monotonic() + 31)
    monkeypatch.setattr("streamq.store.announcements.monotonic", lambda: time.monotonic() + 31)
    await app.enqueue("q", "t", 3)
    assert client.smembers(key) == {"q"}


@ON_ONE_SERVER
async def test_queues_are_announced_again_after_a_reconnection(own_server: Callable[..., Server]) -> None:
    server = own_server()
    async with App(redis_url=server.url) as app:
        await asyncio.gather(*[app.enqueue(queue, "t", 1, delay=60) for queue in "abc"])
        await asyncio.to_thread(server.restart)  # without a file: it comes back empty
        for queue in "ab":
            await app.enqueue(queue, "t", 1, delay=60)
        with server.client() as client:
            assert client.smembers(AppKeys("sq").queues) == {"a", "b"}


@ON_ONE_SERVER
async def test_a_list_of_queues_that_refuses_a_name_stops_no_job_and_is_logged_once(
    app: App, client: redis.Redis, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "streamq.outbox")
    client.set(shared_keys(prefix).queues, "no set")
    for number in range(3):
        await app.enqueue("q", "t", number)
    assert caplog.text.count("cannot be put on the list of queues") == 1
    client.delete(shared_keys(prefix).queues)
    await app.enqueue("q", "t", 3)
    assert caplog.text.count("queues are put on the list") == 1
    assert client.smembers(shared_keys(prefix).queues) == {"q"}
    assert (await app.queue("q").counts()).waiting == 4
