"""Circuit breakers: too many failures hold the jobs of a task or a group, single ones try, and one success opens."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from streamq import App, Backoff, Breaker, InvalidLimit, Limit, UsageError
from streamq.model.limit import limit_of, written

from ..rig import ON_ONE_SERVER, until, working

pytestmark = [pytest.mark.keeps_keys]
QUICKLY = Backoff(base=0.01, most=0.01)
SOON = Breaker(0.5, window=5, least=4, rest=0.3)


class Provider:
    """What is called, and whether it works."""

    def __init__(self, app: App, **options: object) -> None:
        self.works, self.calls, self.times = True, 0, list[float]()

        @app.task(queue="q", backoff=QUICKLY, attempts=50, **options)  # type: ignore[call-overload,misc]
        async def call(message: dict[str, str]) -> None:
            self.calls += 1
            self.times.append(time.monotonic())
            await asyncio.sleep(0.005)
            if not self.works:
                raise OSError("the provider is down")

        self.task = call


async def test_it_opens_lets_single_jobs_try_and_closes_when_one_does_not_fail(app: App) -> None:
    provider = Provider(app, limit=Limit(breaker=SOON))
    breaker = app.queue("q").breaker(task="call")
    async with working(app):
        provider.works = False
        jobs = [await provider.task.enqueue({}) for _ in range(60)]
        status = await until(lambda: _in(breaker, "open"))
        assert status.pause is not None
        assert status.pause.by == "breaker"
        assert "have failed within 5 s" in status.pause.reason
        await until(lambda: _idle(app))
        opened, since = provider.calls, time.monotonic()
        assert opened <= 30, "those of ten slots that were on their way"
        why = await jobs[-1].why()
        assert "failed within" in str(why)
        await until(lambda: provider.calls >= opened + 3)
        tries = provider.times[opened:]
        assert tries[0] - since > 0.1
        assert all(b - a > 0.28 for a, b in itertools.pairwise(tries)), "one at a time"
        provider.works = True
        for job in jobs:
            await job.result(10)
        assert (await breaker.status()).state == "closed"
        assert (await app.queue("q").breakers())[0].state == "closed"
    spent = [(await job.status()).attempt for job in jobs]
    assert sum(spent) == provider.calls, "no attempt was spent while it was open"


async def _in(breaker, state):  # type: ignore[no-untyped-def]
    status = await breaker.status()
    return status if status.state == state else None


async def _idle(app: App) -> bool:
    return (await app.queue("q").counts()).active == 0


async def test_that_of_one_group_holds_no_other(app: App) -> None:
    app.limit("q", groups=Limit(breaker=SOON))
    done: list[str] = []

    @app.task(queue="q", group="{tenant}", backoff=QUICKLY, attempts=50)
    async def send(message: dict[str, str]) -> None:
        if message["tenant"] == "bad":
            raise OSError("no")
        done.append(message["tenant"])

    async with working(app):
        await send.enqueue_many([{"tenant": "bad"}] * 20)
        await until(lambda: _in(app.queue("q").breaker(group="bad"), "open"))
        await send.enqueue_many([{"tenant": "good"}] * 20)
        await until(lambda: len(done) == 20)
        (only,) = await app.queue("q").breakers()
        assert (only.scope, only.state) == ("group:bad", "open")


async def test_people_open_and_close_it(app: App) -> None:
    provider = Provider(app, limit=Limit(breaker=SOON), group="{tenant}")
    of_task, of_group = app.queue("q").breaker(task="call"), app.queue("q").breaker(group="a")
    async with working(app) as worker:
        await worker.is_ready.wait()
        for breaker in (of_task, of_group):
            assert (await breaker.open("maintenance", by="ada")).state == "open"
            job = await provider.task.enqueue({"tenant": "a"})
            await asyncio.sleep(0.1)
            assert provider.calls == 0
            assert await breaker.close()
            await job.result(5)
            provider.calls = 0
            assert not await breaker.close()
        await of_group.open(until=0.2)
        job = await provider.task.enqueue({"tenant": "a"})
        await job.result(5)


@ON_ONE_SERVER
async def test_what_cannot_be_is_refused(app: App) -> None:
    queue = app.queue("q")
    texts = ("50%", "0%/1m", "101%/1m", "50%/2d", "50%/1m least 0", "x", 5, True)
    for wrong in (*texts, Breaker(0.5, rest=0), Breaker(True), Breaker(0.5, True)):
        with pytest.raises(InvalidLimit, match="'50%/1m'"):
            await queue.limit(breaker=wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="of a task or of a group"):
        queue.breaker(task="t", group="g")
    with pytest.raises(UsageError, match="do not wait for the gate"):
        await queue.breaker(task="t").open()
    with pytest.raises(UsageError, match="turns are of a queue"):
        await queue.limit(task="t", turns="time")
    for said in ("50%/m", "20%/5m least 100 rest 10s", "0.1%/h rest 1ms"):
        limit = Limit(breaker=said)
        text = " ".join(f"{k}={v}" for k, v in written({"breaker": limit.breaker}).items())
        assert limit_of(text.encode()) == limit
        assert limit.asdict() == {"breaker": said}
