"""Statistics: what jobs came to, by task, minute and hour, counted once and bounded whatever their names are."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from hypothesis import example, given
from hypothesis import strategies as st

from streamq import (
    App,
    Backoff,
    Fail,
    Job,
    OutcomeUnknown,
    State,
    Statistics,
    UsageError,
    WindowNotKept,
)
from streamq.model.clock import host_now
from streamq.model.keys import Keys
from streamq.model.outcomes import COMPLETED
from streamq.model.statistics import TASKS, bucket_of, figures_of
from streamq.statistics import window
from streamq.store.outcomes import Settlement
from streamq.worker.slots import Slots
from streamq.worker.tally import Tally

from ..rig import ON_ONE_SERVER, until, working
from ..servers import Server


async def _once(app: App, met: Callable[[Statistics], Any]) -> Statistics:
    """The statistics of the last minutes, when they are so."""
    found: list[Statistics] = []

    async def look() -> bool:
        found[:] = [await app.queue("q").statistics("5m")]
        return bool(met(found[0]))

    await until(look)
    return found[0]


async def test_each_outcome_of_each_task_is_counted_once_with_how_long_its_job_waited_and_ran(
    app: App,
) -> None:
    @app.task(queue="q")
    async def good(number: int) -> int:
        return number

    @app.task(queue="q", attempts=2, backoff=Backoff(base=0.01, most=0.01))
    async def bad(number: int) -> None:
        raise (ValueError if number else Fail)("no")

    await good.enqueue_many(range(200))
    await bad.enqueue_many([0, 1, 1])
    async with working(app):
        said = await _once(app, lambda s: s.total.ended >= 205)
        assert (await good.enqueue(1, delay=50)).id
        line = await app.enqueue("q", "good", 1)
        await line.result(5)
    assert (said.tasks["good"].completed, said.tasks["bad"].failed, said.tasks["bad"].retried) == (200, 3, 2)
    assert list(said.tasks) == ["good", "bad"]
    assert said.total.completed == sum(point.figures.completed for point in said.points) == 200
    assert 0 < said.tasks["good"].wait.p50 < 5  # type: ignore[operator]  # they had waited for the worker
    assert said.total.run.p99 < 1  # type: ignore[operator]
    assert max(point.waiting or 0 for point in said.points) <= 203
    one = await app.queue("q").statistics("5m", task="bad", step="5m")
    assert (one.total.failed, one.tasks.keys()) == (3, {"bad"})
    assert (await app.statistics("2h", step="1h"))["q"].total.completed == 201, (
        "and by the hour; all ends are sent"
    )


@ON_ONE_SERVER
async def test_what_was_sent_and_not_answered_is_counted_once_when_it_is_sent_again(app: App) -> None:
    store = app.client.store
    await store.server.read_clock()
    async with store.pool.links() as links:
        for number in (1, 1, 2, 1, 2):
            await store.statistics.add(links, "aa", {"q": (number, {"t": Counter(completed=5)})})
        await store.statistics.add(links, "bb", {"q": (1, {"t": Counter(completed=100)})})
    assert (await app.queue("q").statistics("5m")).total.completed == 110


@pytest.mark.keeps_keys
async def test_what_all_queues_came_to_together_is_what_each_came_to(app: App) -> None:
    store, times = app.client.store, (10, 1_000, 60_000)
    await store.server.read_clock()
    async with store.pool.links() as links:
        for number, queue in enumerate(("a", "b", "c"), 1):
            sums = Counter(
                {"completed": 10 * number, "failed": number, f"r{bucket_of(times[number - 1])}": 11 * number}
            )
            await store.statistics.add(links, "aa", {queue: (1, {"t": sums})})
    for queue in ("a", "b", "c", "idle"):
        await app.enqueue(queue, "t", 1)
    found, each = await app.overall("1h"), await app.statistics("1h")
    assert (found.total.completed, found.total.failed) == (60, 6)
    assert list(found.queues) == list(found.rates) == ["c", "b", "a"], (
        "the busiest first, the idle one not at all"
    )
    assert {queue: figures.completed for queue, figures in found.queues.items()} == {
        "c": 30,
        "b": 20,
        "a": 10,
    }
    assert found.total.run.p50 == pytest.approx(1, rel=0.1), "of all times together, not of the worst queue"
    assert [point.at for point in found.points] == [point.at for point in each["a"].points]
    for number, point in enumerate(found.points):
        assert point.figures.rate == pytest.approx(
            sum(rates[number] for rates in found.rates.values()), abs=0.01
        )
    assert (each["idle"].total.ended, len(each["idle"].points)) == (0, len(found.points))
    some = await app.overall("1h", queues=("a", "c", "nowhere"))
    assert (list(some.queues), some.total.completed) == (["c", "a"], 40), "of some queues alone"


def losing(add: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
    """The same, whose answer is lost."""

    async def lost(*given: Any) -> Any:
        await add(*given)
        raise OutcomeUnknown("no answer")

    return lost


@ON_ONE_SERVER
async def test_a_tally_whose_answer_is_lost_or_whose_server_is_full_is_sent_again_and_counts_once(
    own_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with App(redis_url=own_server().url) as app:
        store = app.client.store
        tally, once = Tally(store, "aa", Slots(1)), store.statistics.add
        await store.server.read_clock()

        tally.add("q", [Settlement(COMPLETED, 1, b"1-0", "1-0", b"c5 5 w\n", "", "", "t")] * 7)
        monkeypatch.setattr(store.statistics, "add", losing(once))
        await tally.close()
        monkeypatch.setattr(store.statistics, "add", once)
        await store.pool.call_home("CONFIG", "SET", "maxmemory", "1")
        tally.add("q", [Settlement(COMPLETED, 1, b"1-0", "1-0", b"c5 5 w\n", "", "", "t")] * 5)
        await tally.close()  # the server has no room for any of them
        assert (await app.queue("q").statistics("5m")).total.completed == 7
        await store.pool.call_home("CONFIG", "SET", "maxmemory", "0")
        await until(lambda: _sent(tally))
        assert (await app.queue("q").statistics("5m")).total.completed == 12


@ON_ONE_SERVER
async def test_what_the_server_may_have_forgotten_to_have_counted_is_not_sent_again(
    app: App, client: redis.Redis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, once = app.client.store, app.client.store.statistics.add
    tally = Tally(store, "aa", Slots(1))
    await store.server.read_clock()

    tally.add("q", [Settlement(COMPLETED, 1, b"1-0", "1-0", b"c5 5 w\n", "", "", "t")] * 7)
    monkeypatch.setattr(store.statistics, "add", losing(once))
    await tally.close()
    monkeypatch.setattr(store.statistics, "add", once)
    client.delete(*client.scan_iter(f"{prefix}:{{q}}:counted:*"))  # as after an hour
    monkeypatch.setattr("streamq.worker.tally.REPEATED", 0)
    tally.add("q", [Settlement(COMPLETED, 1, b"1-0", "1-0", b"c5 5 w\n", "", "", "t")])
    await tally.close()
    assert (await app.queue("q").statistics("5m")).total.completed == 8


async def _sent(tally: Tally) -> bool:
    await tally.close()
    return not tally._sent and not tally._counted


@ON_ONE_SERVER
async def test_what_another_program_wrote_among_them_is_passed_over(
    app: App, client: redis.Redis, prefix: str
) -> None:
    store, keys = app.client.store, Keys(prefix, "q")
    minute = await store.statistics.now() // 60
    await store.server.read_clock()
    for number in (minute - 1, minute, minute + 1):
        client.hset(
            keys.minute(number), mapping={"t": "no JSON", "u": "[1]", "v": '{"completed":"x"}', "#": "many"}
        )
    async with store.pool.links() as links:
        await store.statistics.add(links, "aa", {"q": (1, {name: Counter(completed=2) for name in "tuv"})})
    assert (await app.queue("q").statistics("5m")).total.completed == 6


@ON_ONE_SERVER
async def test_a_million_tasks_of_different_names_take_no_more_keys_and_bytes_than_some(
    app: App, client: redis.Redis, prefix: str
) -> None:
    tally = Tally(app.client.store, "aa", Slots(1))
    await app.client.store.server.read_clock()
    for start in range(0, 1_000_000, 50_000):
        names = range(start, start + 50_000)
        tally.add("q", [Settlement(COMPLETED, 1, b"1-0", "1-0", b"c5 5 w\n", "", "", f"t{n}") for n in names])
        while start % 100_000 and (tally._counted or tally._sent):
            await tally._send()
    said = await app.queue("q").statistics("5m")
    assert said.total.completed == 1_000_000
    assert said.tasks["*"].completed > 900_000
    kept = [key for key in client.scan_iter(f"{prefix}:*") if ":minutes:" in key or ":hours:" in key]
    assert len(kept) <= 4, "a minute and an hour, or two of each"
    assert all(client.hlen(key) <= TASKS + 2 for key in kept)
    assert sum(client.memory_usage(key, samples=0) for key in kept) < 40_000
    assert all(0 < client.ttl(key) <= 91 * 86_400 for key in kept)


@ON_ONE_SERVER
async def test_a_task_that_is_busy_all_day_takes_half_a_megabyte_for_it(
    app: App, client: redis.Redis, prefix: str
) -> None:
    store = app.client.store
    await store.server.read_clock()
    busy = Counter(
        {f"{letter}{bucket}": 12_345 for letter in "rw" for bucket in range(20, 28)}, completed=98_760
    )
    async with store.pool.links() as links:
        await store.statistics.add(links, "aa", {"q": (1, {f"task{number}": busy for number in range(10)})})
    (minute,) = client.scan_iter(f"{prefix}:{{q}}:minutes:*")
    assert client.memory_usage(minute, samples=0) / 10 * 1_440 < 600_000


@ON_ONE_SERVER
async def test_a_worker_that_is_told_to_count_nothing_leaves_no_trace(
    make_app: Callable[..., App], client: redis.Redis, prefix: str
) -> None:
    async with make_app(statistics=False) as app, working(app, queues="q"):
        await until(lambda: client.exists(Keys(prefix, "q").workers))
    assert not list(client.scan_iter(f"{prefix}:{{q}}:minutes:*"))


@ON_ONE_SERVER
async def test_while_no_job_ends_how_many_wait_is_told_all_the_same_and_an_idle_worker_sends_nothing(
    app: App, client: redis.Redis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamq.worker.tally.EVERY", 0.05)
    go = asyncio.Event()

    @app.task(queue="q")
    async def t(number: int) -> None:
        await go.wait()

    async with working(app, concurrency=2):
        await asyncio.sleep(1)
        assert not list(client.scan_iter(f"{prefix}:{{q}}:minutes:*"))
        await t.enqueue_many(range(7))
        said = await _once(app, lambda s: any(point.waiting for point in s.points))
        assert (said.total.ended, max(point.waiting or 0 for point in said.points)) == (0, 5)
        go.set()


@ON_ONE_SERVER
async def test_a_line_that_moves_tells_about_how_long_it_takes(app: App) -> None:
    store = app.client.store
    await store.server.read_clock()
    async with store.pool.links() as links:
        await store.statistics.add(links, "aa", {"q": (1, {"t": Counter(completed=600_000)})})

    go = asyncio.Event()

    @app.task(queue="q")
    async def t(number: int) -> None:
        await go.wait()

    async with working(app, concurrency=1):
        jobs = await t.enqueue_many(range(100_001))
        await until(lambda: _is_active(jobs[0]))
        said = await jobs[-1].why()
        go.set()
        await app.queue("q").purge(["waiting"])
    assert said.ahead == 99_999
    assert 0 < (said.seconds or 0) <= 25, "600,000 have ended in at most 120 seconds"
    assert "at the pace of the last minutes; 1 run in the 1 slot" in said.text


async def _is_active(job: Job[Any]) -> bool:
    return (await job.status()).state is State.ACTIVE


@ON_ONE_SERVER
async def test_a_time_that_is_not_kept_or_can_be_none_is_refused_with_what_there_is(app: App) -> None:
    queue = app.queue("q")
    with pytest.raises(WindowNotKept, match="by the hour: use step='1h'") as old:
        await queue.statistics("30h", step="5m")
    assert timedelta(hours=23) < host_now() - old.value.oldest < timedelta(hours=25)
    with pytest.raises(WindowNotKept, match="older hours are gone"):
        await queue.statistics("91d")
    for since, more in (("soon", {}), ("1h", {"until": "2h"}), ("1h", {"step": "90s"}), ("1h", {"task": ""})):
        with pytest.raises(UsageError):
            await queue.statistics(since, **more)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="time zone"):
        await queue.statistics(host_now().replace(tzinfo=None))


@pytest.mark.parametrize(
    ("since", "step", "points"), [("1h", 60, 61), ("5h", 300, 61), ("23h", 3_600, 24), ("90d", 172_800, 46)]
)
def test_a_step_is_chosen_so_that_a_series_fits_on_a_line(since: str, step: int, points: int) -> None:
    asked = window(1_800_000_123, since, None, None)
    assert (asked.step, asked.since % step) == (step, 0)
    assert len(range(asked.since, asked.until, asked.step)) <= points
    assert len(asked.numbers) <= 2_300, "keys are read in bounded numbers"


@given(st.integers(1_800_000_000, 1_800_090_000), st.sampled_from(["1m", "1h", "5h", "23h", "90d"]))
@example(1_800_000_000, "1h")
def test_what_is_counted_in_this_second_is_in_a_window_that_ends_now(now: int, since: str) -> None:
    asked = window(now, since, None, None)
    assert now // asked.unit in asked.numbers
    assert now - now % asked.step in range(asked.since, asked.until, asked.step)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=200))
def test_a_percentile_is_right_within_a_tenth(times: list[int]) -> None:
    run = figures_of(Counter(f"r{bucket_of(ms)}" for ms in times), 1).run
    for said, part in ((run.p50, 0.5), (run.p95, 0.95), (run.p99, 0.99)):
        true = sorted(times)[math.ceil(len(times) * part) - 1] / 1000
        assert said is not None
        assert abs(said - true) <= max(0.1 * true, 0.001)
