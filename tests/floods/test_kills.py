"""Who counts or operates is killed in the midst of it: nothing is counted twice, and what was begun is done exactly."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from streamq import App, Operation
from streamq.model import codec
from streamq.model.keys import Keys
from streamq.redis import scripts

from ..processes import Fleet
from ..programs.counted import QUEUES
from ..proxy import Proxy
from ..rig import QUICK, until, working
from ..servers import Server
from .conftest import KILLS, ON_SERVERS
from .killing import Killer

SETTINGS = {**QUICK, "keep_completed": 10_000_000, "keep_failed": 10_000_000, "crash_limit": 1_000_000}
FED = 5
"""Jobs that come to each queue a hundred times a second."""
DRAINED = 0.1
"""Seconds after a kill in which the server has done what the killed process had sent."""
CANARY = 5


@pytest.fixture
def server(own_server: Callable[..., Server]) -> Server:
    return own_server()


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[Proxy]:
    async with Proxy(str(server.socket)) as proxy:
        yield proxy


@pytest.fixture
def fleet(proxy: Proxy, fleets: list[Fleet], tmp_path: Path) -> Fleet:
    """Processes that reach the server through the proxy."""
    fleets.append(Fleet(proxy.url, tmp_path, SETTINGS))
    return fleets[-1]


@pytest.fixture
async def app(server: Server) -> AsyncIterator[App]:
    async with App(redis_url=server.url, **SETTINGS) as app:
        yield app


class Books:
    """What the records of jobs say, beside what the statistics say."""

    def __init__(self, server: Server) -> None:
        self._client = server.client()
        self.begun: list[dict[str, int]] = []
        """What was settled when each call began."""
        self.missing = dict.fromkeys(QUEUES, 0)
        """What killed processes had settled and not counted."""

    def close(self) -> None:
        self._client.close()

    def note(self) -> None:
        self.begun.append(self.settled())

    def settled(self) -> dict[str, int]:
        return {queue: self._client.hlen(Keys("sq", queue).finished) for queue in QUEUES}

    def counted(self, unit: str) -> dict[str, int]:
        return {queue: sum(self._counts(getattr(Keys("sq", queue), unit))) for queue in QUEUES}

    def _counts(self, begin: str) -> list[int]:
        kept = [self._client.hgetall(key) for key in self._client.scan_iter(f"{begin}*")]
        return [
            codec.loads(said).get("completed", 0) for each in kept for f, said in each.items() if f != "#"
        ]

    def check(self) -> None:
        """Nobody counts now: what is missing is no less than before, and what one process had on its hands at most."""
        settled, counted = self.settled(), self.counted("minutes")
        assert counted == self.counted("hours")
        for queue, before in self.missing.items():
            missing = settled[queue] - counted[queue]
            assert before <= missing, f"some jobs of {queue} are counted twice"
            assert missing - before <= settled[queue] - self.begun[-3][queue], f"more of {queue} are lost"
            self.missing[queue] = missing

    async def all_is_counted(self) -> bool:
        expected = {queue: count - self.missing[queue] for queue, count in self.settled().items()}
        return self.counted("minutes") == self.counted("hours") == expected


@ON_SERVERS
async def test_who_is_killed_while_it_writes_statistics_has_counted_each_job_once_or_not_at_all(
    server: Server, proxy: Proxy, fleet: Fleet, app: App
) -> None:
    books, sent = Books(server), Counter[str]()
    killer = Killer(proxy, scripts.COUNT, books.note)
    killer.begin(fleet, "tests.programs.counted")
    fed = asyncio.Event()
    fed.set()
    feeding = asyncio.create_task(feed(app, sent, fed))
    try:
        for _ in range(KILLS):
            await killer.kill(1, spared=(3, 8))
            if killer.is_dead:
                await asyncio.sleep(DRAINED)
                books.check()
                killer.let_in()
            else:  # an answer was lost: what is counted twice now must not make good for what the next one loses
                fed.clear()
                await until(lambda: nothing_waits(app), 60)
                await until(books.all_is_counted, 10)
                fed.set()
    finally:
        feeding.cancel()
        await asyncio.wait([feeding])
    await until(lambda: nothing_waits(app), 60)
    await until(books.all_is_counted, 5)
    await asyncio.sleep(2 * DRAINED)  # whatever is repeated would be by now
    await until(books.all_is_counted, 5)  # some that the killed had may have come back meanwhile
    assert sum(books.settled().values()) > 0.9 * sent.total()
    books.close()


async def nothing_waits(app: App) -> bool:
    """Whether all that came is settled, or was in the hands of one that was killed."""
    return not sum([(await app.queue(queue).counts()).waiting for queue in QUEUES])


async def feed(app: App, sent: Counter[str], fed: asyncio.Event) -> None:
    """Jobs come until it is cancelled, while they may."""
    while await fed.wait():
        for queue in QUEUES:
            await asyncio.shield(app.enqueue_many(queue, "t", range(FED)))
            sent[queue] += FED
        await asyncio.sleep(0.01)


@ON_SERVERS
async def test_redrives_with_a_canary_go_on_where_they_were_and_keep_their_verdict_whoever_is_killed(
    proxy: Proxy, fleet: Fleet, app: App
) -> None:
    """The ledger is that of the handlers, in a process that lives: whatever is retried runs there, and runs once."""
    queue, ran, bad, go = app.queue("q"), Counter[int](), set[int](), asyncio.Event()
    jobs = 400 + 100 * KILLS

    @app.task(queue="q", attempts=1)
    async def work(number: int) -> None:
        ran[number] += 1
        await go.wait()
        assert number not in bad

    await work.enqueue_many(range(jobs), delay=3_600)
    killer = Killer(proxy, scripts.BULK)
    killer.begin(fleet, "tests.programs.operating")
    cancel = await queue.cancel_all("payload>=100", by="ada")
    await killer.kill(KILLS)
    record = await ended(cancel, killer)
    assert (record.done, record.skipped, (await queue.counts()).cancelled) == (jobs - 100, 0, jobs - 100)

    async with working(app, duties=False, concurrency=50):
        for fails in (True, False):
            before = set(ran)
            retry = await queue.retry_all("state:cancelled payload<300", canary=CANARY)
            await until(lambda b=before: len(ran) == len(b) + CANARY)
            await killer.kill(-(-KILLS // 2), spared=(0, 1))
            record = await retry.status()
            assert (record.done, record.state, len(ran)) == (CANARY, "running", len(before) + CANARY)
            killer.kill_now()  # nobody is there when the canary comes to its end
            bad |= set([*ran][-1:] if fails else [])
            go.set()
            await until(lambda: tried(app))
            go.clear()
            killer.let_in()
            if fails:
                record = await ended(retry, killer)
                said = (record.state, record.done, record.reason)
                assert said == ("stopped", CANARY, "1 of the first 5 jobs failed again")
            else:
                go.set()
                await killer.kill(1)
                record = await ended(retry, killer)
                assert (record.state, record.done, record.skipped) == ("done", 200 - CANARY, 0)
        await until(lambda: tried(app))
    assert ran == dict.fromkeys(range(100, 300), 1)
    counts = await queue.counts()
    assert (counts.cancelled, counts.delayed, counts.completed, counts.failed) == (jobs - 300, 100, 199, 1)


@ON_SERVERS
@pytest.mark.parametrize("fails", [True, False])
async def test_a_canary_whose_records_are_forgotten_while_nobody_looks_has_not_succeeded(
    server: Server, fails: bool
) -> None:
    """A flood of other failures takes the records along. Where none of failures are forgotten, it has succeeded."""
    async with App(redis_url=server.url, **{**SETTINGS, "keep_failed": 20, "keep_completed": 0}) as app:

        @app.task(queue="q", attempts=1)
        async def work(number: int) -> None:
            assert number >= 0 or not fails

        async def step() -> Any:
            await app.client.store.operations.help("q", retry.id)
            return (await retry.status()).state != "running"

        for job in await work.enqueue_many(range(-10, 0)):
            await job.cancel()
        retry = await app.queue("q").retry_all("state:cancelled", canary=3)
        await until(lambda: started(retry, step))
        await work.enqueue_many(range(-100, -70))
        async with working(app, duties=False):
            await until(lambda: tried(app))
        await until(step)
        record = await retry.status()
    said = (record.state, record.done, record.reason)
    unknown = "what became of 3 of the first 3 jobs is not known: no record is left"
    assert said == (("stopped", 3, unknown) if fails else ("done", 10, ""))


async def started(retry: Operation, step: Callable[[], Any]) -> bool:
    """Whether its first jobs wait."""
    await step()
    return (await retry.status()).done == 3


async def ended(operation: Operation, killer: Killer) -> Any:
    """What it says when it has ended."""
    killer.let_in()

    async def look() -> Any:
        record = await operation.status()
        return record if record.state != "running" else None

    return await until(look, 30)


async def tried(app: App) -> bool:
    """Whether all that waited has run to its end."""
    counts = await app.queue("q").counts()
    return counts.waiting + counts.active == 0
