"""One queue with partitions on a cluster, and a slot that is moved in the midst of its work: none of its jobs is lost
or repeated, groups keep their order, and a unique key has one job at a time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
from collections import Counter
from collections.abc import Iterator
from typing import Final

import pytest

from streamq import App, Context, Limit, State, slot_of_partition

from ..clusters import Cluster
from ..rig import ON_ONE_SERVER, QUICK, until, working
from ..servers import binary_of

MOVES: Final = int(os.environ.get("STREAMQ_TEST_MOVES", "2"))
"""How many runs there are, with a slot moved in each; `make moves` has twenty."""
QUEUE, PARTITIONS, GROUPS, KEYS = "sms", 12, 24, 12
PRODUCERS = 3
LEAST = 400
"""Jobs that come before a slot is moved, and after it."""


@pytest.fixture
def cluster(server_kind: str) -> Iterator[Cluster]:
    binary = binary_of(server_kind)
    assert binary is not None
    with Cluster(binary) as cluster:
        yield cluster


class Ledger:
    """Producers of jobs in groups, of jobs with unique keys and of plain ones, and what was done in which order."""

    def __init__(self, url: str) -> None:
        settings = {**QUICK, "enqueue_timeout": 15.0}
        self.worker = App(redis_url=url, concurrency=30, **settings)  # type: ignore[arg-type]
        self.apps = [App(redis_url=url, **settings) for _ in range(PRODUCERS)]  # type: ignore[arg-type]
        self.made: dict[str, str] = {}
        """The id of each job that was created, and of which it is: ``g3``, ``k5`` or nothing."""
        self.done = list[tuple[str, int, str]]()
        self.running, self.at_once, self.met = Counter[str](), 0, 0
        self._numbers = itertools.count()
        self.worker.task(self._work, queue=QUEUE, name="work")
        self.worker.limit(QUEUE, groups=Limit(concurrency=1))

    async def _work(self, ctx: Context, said: tuple[str, int]) -> None:
        of, number = said
        self.running[of] += 1
        self.at_once += bool(of) and self.running[of] > 1
        await asyncio.sleep(0.002)
        self.done.append((of, number, ctx.job_id))
        self.running[of] -= 1

    async def produce(self, at: int, ends: asyncio.Event) -> None:
        """Of its groups each in order; of all keys, which others send too."""
        app = self.apps[at]
        while not ends.is_set():
            for group in range(at, GROUPS, PRODUCERS):
                await self._send(app, f"g{group}", group=f"g{group}")
            for key in range(KEYS):
                await self._send(app, f"k{key}", key=f"k{key}")
            await self._send(app, "")

    async def _send(self, app: App, of: str, **options: str) -> None:
        job = await app.enqueue(QUEUE, "work", (of, next(self._numbers)), **options)  # type: ignore[arg-type]
        self.met += job.disposition == "existing"
        if job.disposition == "created":
            assert self.made.setdefault(job.id, of) == of, "an id is that of one job"

    async def came(self, more: int) -> None:
        """So many more are made and done."""
        made, done = len(self.made), len(self.done)
        await until(lambda: len(self.made) >= made + more and len(self.done) >= done + more, 30)

    def check(self) -> Counter[str]:
        """What is wrong, by kind."""
        ran = Counter(job_id for _, _, job_id in self.done)
        orders: dict[str, list[int]] = {}
        for of, number, _ in self.done:
            if of.startswith("g"):
                orders.setdefault(of, []).append(number)
        found = {
            "lost": sum(job_id not in ran for job_id in self.made),
            "repeated": sum(times > 1 for times in ran.values()),
            "unknown": sum(job_id not in self.made for job_id in ran),
            "out of order": sum(those != sorted(those) for those in orders.values()),
            "at once": self.at_once,
        }
        return Counter(found)


async def move(cluster: Cluster, number: int) -> None:
    """Move the slot of a partition to another node, while jobs come and run."""
    slot = slot_of_partition(QUEUE, number)
    owner = cluster.owner_of(slot)
    other = next(node for node in cluster.primaries if node is not owner)
    await asyncio.to_thread(cluster.move, slot, other)


async def run(cluster: Cluster) -> tuple[int, Counter[str]]:
    """One run; how many jobs it had, and what went wrong."""
    for node in cluster.primaries:
        node.ask("FLUSHALL")
    ledger, ends = Ledger(cluster.url), asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        for app in (ledger.worker, *ledger.apps):
            await stack.enter_async_context(app)
            app.queue(QUEUE, partitions=PARTITIONS)
        await stack.enter_async_context(working(ledger.worker, concurrency=30))
        async with asyncio.TaskGroup() as group:
            for at in range(PRODUCERS):
                group.create_task(ledger.produce(at, ends))
            await ledger.came(LEAST)
            await move(cluster, random.randrange(PARTITIONS))  # noqa: S311  # which one is no secret
            await ledger.came(LEAST)
            ends.set()
        await until(lambda: nothing_waits(ledger.worker), 30)
        counts = await ledger.worker.queue(QUEUE).counts()
        page = await ledger.worker.queue(QUEUE).jobs(State.FAILED)
    assert (counts.failed, page.items) == (0, [])
    assert ledger.met > KEYS, "unique keys were taken when others sent them"
    return len(ledger.made), ledger.check()


async def nothing_waits(app: App) -> bool:
    counts = await app.queue(QUEUE).counts()
    return not (counts.waiting or counts.active or counts.held or counts.delayed)


@ON_ONE_SERVER
async def test_a_slot_that_moves_in_the_midst_of_it_costs_no_job_no_order_and_no_unique_key(
    cluster: Cluster,
) -> None:
    wrong, jobs = Counter[str](), 0
    for number in range(MOVES):
        made, found = await run(cluster)
        jobs += made
        wrong += found
        print(f"{number + 1} of {MOVES}: {made} jobs, wrong: {dict(+found)}")  # noqa: T201
    assert not +wrong, f"of {jobs} jobs"
