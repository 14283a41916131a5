"""Suspects run alone, and nobody else stands still for their sake."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

import pytest
import redis

from streamq import App, Context
from streamq.model.keys import GROUP, Keys
from streamq.redis import troubles as trouble
from streamq.redis.answers import NoGroup
from streamq.worker import reads, suspects

from ..rig import ON_ONE_SERVER, census, until, working
from .fetching import JOB, Hands, calls


def suspect(client: redis.Redis, keys: Keys, number: int = 0) -> str:
    """A job in the lane of suspects. Returns its id."""
    job = f"7-{number}"
    client.hset(keys.moved, job, "2 " + client.xadd(
        keys.alone, {"task": "work", "payload": number, "headers": f'{{"id":"{job}","crashes":2}}'}
    ))  # fmt: skip
    return job


class Work:
    """Two tasks: ``work`` is quick, ``long`` runs until ``open`` is set. ``log`` has who ran beside whom."""

    def __init__(self, app: App, queue: str = "q") -> None:
        self.open, self.running, self.log = asyncio.Event(), list[str](), list[tuple[str, str, int]]()
        self.suspect_takes = 0.0
        self.work = app.task(name="work", queue=queue)(self._work)
        self.long = app.task(name="long", queue=queue)(self._long)

    async def _work(self, x: int, ctx: Context) -> int:
        if ctx.job_id.startswith("7-"):
            self.log.append((ctx.job_id, ctx.worker, self.running.count(ctx.worker)))
            self.running.append(ctx.worker)
            await asyncio.sleep(self.suspect_takes)
            self.running.remove(ctx.worker)
        return x

    async def _long(self, x: int, ctx: Context) -> int:
        self.running.append(ctx.worker)
        await self.open.wait()
        self.running.remove(ctx.worker)
        return x


@pytest.fixture
def keys(prefix: str) -> Keys:
    return Keys(prefix, "q")


def _quick(
    monkeypatch: pytest.MonkeyPatch, patience: tuple[float, float] = (10.0, 300.0), rest: int = 3
) -> None:
    monkeypatch.setattr(reads, "BLOCK_MS", 200)
    monkeypatch.setattr(suspects, "LOOK", 0.2)
    monkeypatch.setattr(suspects, "AGAIN", 0.1)
    monkeypatch.setattr(suspects, "PATIENCE", patience)
    monkeypatch.setattr(suspects, "REST", rest)


def _found(client: redis.Redis, prefix: str, ids: Sequence[str]) -> Callable[[], bool]:
    return lambda: all(census(client, prefix, "q").places.get(job) == ["completed"] for job in ids)


@ON_ONE_SERVER
async def test_beside_a_suspect_and_long_jobs_the_free_slots_go_on_with_short_jobs(
    app: App, client: redis.Redis, prefix: str, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    _quick(monkeypatch)
    work = Work(app)
    async with working(app, name="w1"), working(app, name="w2"):
        while len(set(work.running)) < 2:
            await work.long.enqueue(1)
            await asyncio.sleep(0.05)
        job = suspect(client, keys)
        holder = await until(lambda: client.get(keys.alone_claim))
        began = time.monotonic()
        short = await work.work.enqueue_many(range(1, 200))
        await asyncio.gather(*[job.result(8) for job in short])
        assert time.monotonic() - began < 8
        ran_by = {(await job.status()).worker for job in short[50:]}
        assert ran_by == {"w1", "w2"} - {holder}, "one waits, and one alone"
        assert not work.log
        work.open.set()
        await until(_found(client, prefix, [job]))
        await until(lambda: not client.exists(keys.alone_claim))
    assert work.log == [(job, holder, 0)]


@ON_ONE_SERVER
async def test_a_worker_that_waited_in_vain_fetches_on_and_waits_longer_the_next_time(
    app: App, client: redis.Redis, prefix: str, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    _quick(monkeypatch, patience=(0.4, 1.6), rest=1)
    work = Work(app)
    async with working(app, name="w1") as worker:
        await work.long.enqueue(1)
        await until(lambda: work.running)
        job = suspect(client, keys)
        patience = worker.fetcher._suspects._patience
        await until(lambda: "q" in patience and patience["q"].seconds == 0.8)
        assert await (await work.work.enqueue(1)).result(0.4 + 3) == 1, "between two waits it works"
        await until(lambda: patience["q"].seconds == 1.6)
        await until(lambda: client.get(keys.alone_claim) == "w1")
        work.open.set()
        await until(_found(client, prefix, [job]))
        await until(lambda: not patience)
    assert work.log == [(job, "w1", 0)]


@ON_ONE_SERVER
async def test_a_worker_waits_no_longer_when_another_has_taken_the_suspect(
    app: App, client: redis.Redis, prefix: str, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    _quick(monkeypatch)
    work = Work(app)
    async with working(app, name="busy"):
        await work.long.enqueue(1)
        await until(lambda: work.running)
        job = suspect(client, keys)
        await until(lambda: client.get(keys.alone_claim) == "busy")
        async with working(app, name="idle"):
            await until(_found(client, prefix, [job]))
        assert work.log == [(job, "idle", 0)]
        await until(lambda: not client.exists(keys.alone_claim), 3)
        assert await (await work.work.enqueue(1)).result(3) == 1, "it fetches again beside its long job"
        work.open.set()


@ON_ONE_SERVER
async def test_several_suspects_run_one_after_the_other_each_alone_in_its_process(
    app: App, client: redis.Redis, prefix: str, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    _quick(monkeypatch)
    work = Work(app)
    work.suspect_takes = 0.05
    jobs = [suspect(client, keys, number) for number in range(6)]
    ready = await work.work.enqueue_many(range(20))
    async with working(app, name="w1"), working(app, name="w2"):
        await until(_found(client, prefix, jobs))
        await asyncio.gather(*[job.result(5) for job in ready])
    assert sorted(job for job, _, _ in work.log) == jobs
    assert {beside for _, _, beside in work.log} == {0}


@ON_ONE_SERVER
async def test_the_claim_of_a_worker_that_died_ends_by_itself(
    app: App, client: redis.Redis, prefix: str, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    _quick(monkeypatch)
    work = Work(app)
    async with working(app, name="w1"):
        await work.long.enqueue(1)
        await until(lambda: work.running)
        client.set(keys.alone_claim, "dead", px=1_000)
        suspect(client, keys)
        await until(lambda: client.get(keys.alone_claim) == "w1")
        work.open.set()
        await until(lambda: work.log)


@ON_ONE_SERVER
async def test_a_claim_is_given_to_one_worker_and_only_while_a_suspect_waits(
    app: App, client: redis.Redis, keys: Keys
) -> None:
    link = app.client.store.links()

    async def claims(worker: str, ms: int = 5_000) -> bool:
        return await app.client.store.delivery.claim_suspect(link, "q", worker, ms)

    client.xadd(keys.alone, JOB)
    with pytest.raises(NoGroup):
        await claims("a")
    client.delete(keys.alone)
    await app.client.store.delivery.join(link, ["q"])
    assert not await claims("a"), "no suspect"
    client.xadd(keys.alone, JOB)
    assert await claims("a")
    assert await claims("a"), "renewed"
    assert not await claims("b")
    assert not await claims("b", 0), "not its own to give up"
    assert client.get(keys.alone_claim) == "a"
    assert 0 < client.pttl(keys.alone_claim) <= 5_000
    assert not await claims("a", 0)
    assert not client.exists(keys.alone_claim)
    assert await claims("b")
    client.xreadgroup(GROUP, "c", {keys.alone: ">"})
    assert not await claims("b"), "somebody runs it"
    assert not client.exists(keys.alone_claim)
    client.xadd(keys.alone, JOB)
    client.lpush(keys.alone_claim, "what is this")
    assert await claims("b"), "a key of another type is nobody's claim"
    assert client.get(keys.alone_claim) == "b"
    await link.close()


@ON_ONE_SERVER
async def test_a_broken_lane_of_suspects_disturbs_neither_its_queue_nor_the_suspects_of_others(
    app: App, client: redis.Redis, prefix: str, keys: Keys,
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    _quick(monkeypatch)
    monkeypatch.setattr(trouble, "PAUSE", (0.1, 0.3))
    caplog.set_level(logging.INFO, "streamq.fetcher")
    work = Work(app)
    app.task(name="plain", queue="a")(_same)
    async with working(app):
        assert await (await app.enqueue("a", "plain", 1)).result(5) == 1
        broken = Keys(prefix, "a").alone
        client.delete(broken)
        client.set(broken, "not a stream")
        await until(lambda: "cannot look for suspects of a" in caplog.text)
        await until(_found(client, prefix, [suspect(client, keys)]))
        client.delete(broken)
        await until(lambda: "can look for suspects of a again" in caplog.text)
    told = [record for record in caplog.records if "cannot look for suspects" in record.getMessage()]
    assert len(told) == 1
    assert work.log


async def _same(x: int) -> int:
    return x


@ON_ONE_SERVER
async def test_an_idle_worker_looks_for_suspects_at_the_price_of_one_command(
    app: App, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    _quick(monkeypatch)
    hands = Hands(app, ["q"], slots=1)
    client.config_resetstat()
    async with hands.fetching():
        await until(lambda: calls(client, "xlen"))
        client.config_resetstat()
        await until(lambda: calls(client, "xlen") >= 3)
        stats = client.info("commandstats")
    ours = {name.removeprefix("cmdstat_") for name in stats} - {"info", "config|resetstat"}
    told = {"evalsha", "exists", "time", "hgetall"}  # a look at what was told to the queue, every few seconds
    assert ours - told == {"xlen", "xreadgroup"}
