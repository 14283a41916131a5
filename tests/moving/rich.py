"""A queue that has something of everything, what is found of it wherever it is, and a producer that finds it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from streamq import App, JobRecord, QueueMoved, Unique

from ..rig import until, working

QUEUE = "sms"
GROUPS = ("a", "b", "c")


def declared(url: str, prefix: str = "sq", **settings: Any) -> tuple[App, list[tuple[str, int]]]:
    """An app with a task that notes in which order it was called, and with one that fails."""
    app, ran = App(redis_url=url, prefix=prefix, shutdown_grace=2.0, beat=0.5, lease=2.0, **settings), []

    @app.task(name="work", queue=QUEUE)
    async def work(line: str, number: int) -> int:
        ran.append((line, number))
        return number

    @app.task(name="fails", queue=QUEUE, attempts=1)
    async def fails() -> None:
        raise ValueError("of the test")

    return app, ran


async def fill(app: App, each: int = 20) -> None:
    """Jobs that have ended, wait, are delayed and held; limits, a schedule, a pause, records, keys."""
    queue = app.queue(QUEUE)
    async with working(app):
        done = await app.enqueue(QUEUE, "work", {"line": "-", "number": -1})
        assert await done.result(10) == -1
        failed = await app.enqueue(QUEUE, "fails", {})
        await until(lambda: _is(failed, "failed"))
    for number in range(each):
        for group in GROUPS:
            await app.enqueue(QUEUE, "work", {"line": group, "number": number}, group=group)
        await app.enqueue(QUEUE, "work", {"line": "", "number": number})
        await app.enqueue(QUEUE, "work", {"line": "high", "number": number}, priority="high")
        await app.enqueue(QUEUE, "work", {"line": "later", "number": number}, delay=3600)
    await app.enqueue(QUEUE, "work", {"line": "key", "number": 0}, key="k", unique=Unique(until="done"))
    await app.enqueue(QUEUE, "other", {"x": 1}, attempts=7, timeout=9)
    await (await app.enqueue(QUEUE, "work", {"line": "-", "number": 99}, delay=60)).cancel()
    await queue.group("a").limit(concurrency=1)
    await queue.limit(max_waiting=100_000)
    await queue.keep(completed=77)
    await queue.pause("of the test")
    await app.schedules.put(
        "nightly", task="work", queue=QUEUE, payload={"line": "s", "number": 1}, cron="0 0 1 1 *"
    )
    async with app.once(QUEUE, "request", b"body") as request:
        await request.keep(b"answer")
    await app.records("opt-outs").put("+4930123", {"since": "now"}, lifetime=86_400)


async def _is(job: Any, state: str) -> bool:
    return bool((await job.status()).state == state)


async def known(app: App) -> dict[str, Any]:
    """All that can be asked about the queue: equal before and after."""
    queue = app.queue(QUEUE)
    jobs, group = {}, await queue.group("a").status()
    for state in ("waiting", "delayed", "held", "completed", "failed", "cancelled"):
        async for job in _pages(app, state):
            jobs[job.id] = job.asdict()
    async with app.once(QUEUE, "request", b"body") as request:
        answer = request.answer
    done = (await queue.statistics()).tasks
    return {
        "answer": answer, "tasks": {name: (each.completed, each.failed) for name, each in done.items()},
        "counts": (await queue.counts()).asdict(), "jobs": jobs, "steering": (await queue.steering()).asdict(),
        "limits": {scope: each.told for scope, each in (await queue.limits()).items()},
        "schedules": [(each.name, each.next_at, each.schedule) for each in await app.schedules.list()],
        "records": await app.records("opt-outs").get("+4930123"),
        "group": (group.waiting, group.limit),
    }  # fmt: skip


async def _pages(app: App, state: Any) -> AsyncIterator[JobRecord]:
    cursor = None
    while True:
        page = await app.queue(QUEUE).jobs(state, limit=100, cursor=cursor)
        for job in page.items:
            yield job
        if (cursor := page.next) is None:
            return


class Anywhere:
    """A producer that sends a job where the queue is, as soon as it is anywhere."""

    def __init__(self, *apps: App) -> None:
        self._apps, self.sent = list(apps), list[int]()

    async def send(self, count: int) -> None:
        for number in range(count):
            await self._send(number)
            self.sent.append(number)
            await asyncio.sleep(0.001)

    async def _send(self, number: int) -> None:
        while True:
            try:
                payload = {"line": "", "number": number}
                await self._apps[0].enqueue(QUEUE, "work", payload, delay=number % 3 / 10)
            except QueueMoved:
                self._apps.reverse()
                await asyncio.sleep(0.01)
            else:
                return
