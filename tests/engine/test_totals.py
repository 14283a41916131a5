"""Totals: counters of a queue that never fall while it is there, and how long its jobs waited and ran."""

from __future__ import annotations

from collections import Counter

import pytest
import redis

from streamq import App, Totals
from streamq.model.keys import Keys
from streamq.model.outcomes import COMPLETED
from streamq.model.statistics import LAST, Sums, bucket_of
from streamq.model.totals import BOUNDS, totals_of
from streamq.store.outcomes import Settlement
from streamq.worker.slots import Slots
from streamq.worker.tally import Tally

from ..rig import ON_ONE_SERVER, until, working


async def counted(app: App, *calls: tuple[str, int, dict[str, Sums]]) -> dict[str, Totals]:
    """What is told after calls of workers: the name of each, its number and what it adds."""
    await app.client.store.server.read_clock()
    await app.client.store.queues.announce("q")
    async with app.client.store.pool.links() as links:
        for worker, number, tasks in calls:
            await app.client.store.statistics.add(links, worker, {"q": (number, tasks)})
    return await app.totals()


@ON_ONE_SERVER
async def test_they_add_up_all_tasks_and_workers_and_a_repeated_call_once(app: App) -> None:
    five, two = {"t": Counter(completed=5)}, {"u": Counter(completed=1, retried=1), "*": Counter(failed=4)}
    calls = (
        ("aa", 1, five),
        ("aa", 1, five),
        ("bb", 1, two),
        ("aa", 2, two),
        ("aa", 1, five),
        ("bb", 1, two),
    )
    said = (await counted(app, *calls))["q"]
    assert said.outcomes == {"completed": 7, "failed": 8, "cancelled": 0, "expired": 0, "retried": 2}
    assert (await app.queue("q").statistics("5m")).total.completed == 7


@ON_ONE_SERVER
async def test_they_go_on_when_minutes_and_hours_are_gone_and_end_with_their_queue(
    app: App, client: redis.Redis, prefix: str
) -> None:
    await counted(app, ("aa", 1, {"t": Counter(completed=5)}))
    client.delete(
        *client.scan_iter(f"{prefix}:{{q}}:minutes:*"), *client.scan_iter(f"{prefix}:{{q}}:hours:*")
    )
    said = await counted(app, ("aa", 2, {"t": Counter(completed=1)}))
    assert said["q"].outcomes["completed"] == 6
    assert 90 * 86_400 < client.ttl(Keys(prefix, "q").totals) <= 91 * 86_400
    await app.queue("q").remove()
    assert not client.exists(Keys(prefix, "q").totals)


@ON_ONE_SERVER
async def test_a_million_tasks_and_all_buckets_take_a_few_thousand_bytes(
    app: App, client: redis.Redis, prefix: str
) -> None:
    every = Counter(
        {f"{letter}{bucket}": 10**9 for letter in "rw" for bucket in range(LAST + 1)}, completed=10**9
    )
    for number in range(100):
        await counted(app, ("aa", number + 1, {f"task{number}-{n}": every for n in range(8)}))
    assert client.hlen(key := Keys(prefix, "q").totals) == 1
    assert client.memory_usage(key, samples=0) < 10_000
    assert (await app.totals())["q"].wait.count == 800 * 10**9 * (LAST + 1)


@ON_ONE_SERVER
async def test_what_another_program_wrote_there_counts_nothing_and_ends_no_call(
    app: App, client: redis.Redis, prefix: str
) -> None:
    for odd in ("no JSON", "[1]", '{"completed":"x"}', '{"completed":1e999}'):
        client.hset(Keys(prefix, "q").totals, "*", odd)
        await app.client.store.queues.announce("q")
        assert (await app.totals())["q"].outcomes["completed"] == 0
    said = await counted(app, ("aa", 1, {"t": Counter(completed=2)}))
    assert said["q"].outcomes["completed"] == 2


def test_a_time_is_below_the_bounds_above_it_and_the_counts_only_grow() -> None:
    for ms in (0, 1, 3, 900, 5_000, 3_600_000, 86_400_000):
        said = totals_of("q", Counter({f"w{bucket_of(ms)}": 3})).wait
        assert dict(said.below) == {bound: 3 if ms < bound * 1000 else 0 for bound in said.below}
        assert (said.count, len(said.below)) == (3, len(BOUNDS))
        assert said.seconds == pytest.approx(3 * ms / 1000, rel=0.1)


async def test_each_job_of_a_batch_is_in_the_histogram_once(app: App) -> None:
    tally = Tally(app.client.store, "aa", Slots(1))
    for size in range(1, 30):
        tally.add("q", [Settlement(COMPLETED, 1, b"1-0", "1-0", b"c5 2 w\n", "", "", "t")] * size)
    sums = tally._counted["q"]["t"]
    said = totals_of("q", sums)
    assert said.run.count == said.wait.count == said.outcomes["completed"] == sum(range(1, 30))
    assert said.run.seconds == pytest.approx(0.002 * said.run.count, rel=0.1)


@pytest.mark.parametrize("many", [1, 500])
async def test_the_jobs_of_a_worker_are_in_them(app: App, many: int) -> None:
    @app.task(queue="q")
    async def good(number: int) -> int:
        return number

    await good.enqueue_many(range(many))
    async with working(app):

        async def are_counted() -> bool:
            return (await app.totals())["q"].outcomes["completed"] == many

        await until(are_counted)
    said = (await app.totals())["q"]
    assert said.run.count == said.wait.count == many
    assert 0 <= said.run.seconds < many
