"""What runs in a process of its own: ``python -m bench.child JSON``. Reports are JSON lines on standard output.

It ends when its standard input does, so it cannot outlive the bench, however that ends. A line there asks what has run;
the first one of a child with a ``gate`` lets it begin.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import orjson
from redis.asyncio import Redis

from streamq import App, Scheduler, Settings, Worker, run, set_up_logs

from . import bare, http_load
from .tasks import Counter, declare

FINISH: Final = 0.5
"""Seconds that running jobs have to finish at the end; what then still runs is of no use any more."""


def report(said: dict[str, Any]) -> None:
    """Say something to the bench, if it is still there."""
    with contextlib.suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), orjson.dumps(said) + b"\n")


async def standard_input() -> asyncio.StreamReader:
    """What the bench says."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


async def asked(reader: asyncio.StreamReader, counter: Counter) -> None:
    """Tell what has run whenever a line comes, until the bench closes our standard input or is gone."""
    while await reader.readline():
        counter.tell()


async def gated(reader: asyncio.StreamReader) -> None:
    """Say that all is loaded, and wait to be let begin."""
    report({"ready": True})
    await reader.readline()


async def worker(
    app: App, *, counter: Counter, concurrency: int | None = None, gate: bool = False, **_: Any
) -> None:
    """Work until the end of input, then tell what has run in all."""
    reader = await standard_input()
    async with app, asyncio.TaskGroup() as group:
        if gate:
            await gated(reader)
        working = Worker(app, concurrency=concurrency)
        running = group.create_task(working.run())
        await asked(reader, counter)
        working.stop()
        await asyncio.wait([running], timeout=FINISH)
        working.stop()  # at once
    counter.tell()


async def many(app: App, *, queues: int, **_: Any) -> None:
    """Work in so many queues, each with a task of its own that tells when it begins, until the end of input."""

    async def stamp(number: int) -> None:
        report({"number": number, "at": time.monotonic_ns()})

    for at in range(queues):
        app.task(queue=f"q{at}", name=f"stamp{at}")(stamp)
    async with app, asyncio.TaskGroup() as group:
        working = Worker(app, queues=[f"q{at}" for at in range(queues)])
        await _at_work(group, [working])


async def crowd(app: App, *, workers: int, **_: Any) -> None:
    """So many workers, each as if it had a process of its own, until the end of input."""
    async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        each = [await stack.enter_async_context(declare(App(app.settings))) for _ in range(workers)]
        await _at_work(group, [Worker(one) for one in each])


async def _at_work(group: asyncio.TaskGroup, workers: Sequence[Worker]) -> None:
    for working in workers:
        group.create_task(working.run())
    for working in workers:
        await working.is_ready.wait()
    report({"ready": True})
    await (await standard_input()).read()
    for working in workers:
        working.stop()
        working.stop()


async def beside(forever: Coroutine[Any, Any, None], counter: Counter) -> None:
    """Run something until the end of input."""
    async with asyncio.TaskGroup() as group:
        running = group.create_task(forever)
        await asked(await standard_input(), counter)
        running.cancel()


async def scheduler(app: App, *, counter: Counter, **_: Any) -> None:
    """Promote and reclaim."""
    async with app:
        await beside(Scheduler(app).run(), counter)


async def bare_drain(app: App, *, counter: Counter, expected: int, gate: bool = False, **how: Any) -> None:
    """Drain the bare stream of ``expected`` entries, or until it is empty; then tell what has run in all."""
    async with Redis.from_url(app.settings.secret("redis_url")) as client:
        if gate:
            await client.ping()
            await gated(await standard_input())
        await bare.drain(client, counter, expected, **how)
    counter.tell()


async def bare_consumer(app: App, *, counter: Counter, **_: Any) -> None:
    """Run what arrives on the bare stream."""
    async with Redis.from_url(app.settings.secret("redis_url")) as client:
        await beside(bare.consume(client, counter), counter)


async def serve_bare_api(app: App, *, port: int, **_: Any) -> None:
    """Serve until the end of input."""
    from . import bare_api  # noqa: PLC0415 - no other child shall have the time and the memory that aiohttp takes

    async with Redis.from_url(app.settings.secret("redis_url")) as client:
        runner = await bare_api.serve(client, port)
        report({"port": port})
        await (await standard_input()).read()
        await runner.cleanup()


async def clients(_: App, *, loads: list[dict[str, Any]], **__: Any) -> None:
    """Send requests, one load after the other."""
    for one in loads:
        report(await http_load.load(**one))


ROLES: Final[dict[str, Callable[..., Coroutine[Any, Any, None]]]] = {
    "worker": worker, "many": many, "crowd": crowd, "scheduler": scheduler, "bare": bare_drain,
    "consumer": bare_consumer,
    "bare-api": serve_bare_api, "clients": clients,
}  # fmt: skip


def main() -> None:
    """Play the role that the arguments name."""
    config = orjson.loads(sys.argv[1])
    settings = Settings.load(**config.pop("settings"))
    counter = Counter(config.get("expected", 0), report)
    app = declare(App(settings), report, counter=counter)
    if config.pop("logs", False):
        set_up_logs(settings.log, settings.log_level)
    start = run if config.pop("uvloop", True) else asyncio.run
    start(ROLES[config.pop("role")](app, counter=counter, **config))


if __name__ == "__main__":
    main()
