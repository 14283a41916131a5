"""What runs in a process of its own: ``python -m bench.child JSON``. Reports are JSON lines on standard output.

It ends when its standard input does, so it cannot outlive the bench, however that ends.

role       does
--------   --------------------------------------------------------
worker     a streamq worker with default duties, on the bench's queue
scheduler  a streamq scheduler
bare       drains the bare stream, and ends
bare-api   serves the bare HTTP API, and says when it does
clients    sends requests to HTTP APIs, reports their rates and times, and ends
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Final

import orjson
from redis.asyncio import Redis

from streamq import App, Scheduler, Settings, Worker, run

from . import bare, http_load
from .tasks import Counter, declare


def report(said: dict[str, Any]) -> None:
    """Say something to the bench."""
    sys.stdout.buffer.write(orjson.dumps(said) + b"\n")
    sys.stdout.buffer.flush()


async def end_of_input() -> None:
    """Return when the bench closes our standard input, or is gone."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    await reader.read()


async def worker(app: App, *, concurrency: int | None = None, **_: Any) -> None:
    """Work until the end of input."""
    async with app, asyncio.TaskGroup() as group:
        working = Worker(app, concurrency=concurrency)
        group.create_task(working.run())
        await end_of_input()
        working.stop()
        working.stop()  # at once: what still runs is of no use any more


async def scheduler(app: App, **_: Any) -> None:
    """Promote and reclaim until the end of input."""
    async with app, asyncio.TaskGroup() as group:
        scheduling = group.create_task(Scheduler(app).run())
        await end_of_input()
        scheduling.cancel()


async def bare_drain(app: App, *, expected: int, batch: int, tasks: bool, **_: Any) -> None:
    """Drain the bare stream."""
    async with Redis.from_url(str(app.settings.redis_url)) as client:
        await bare.drain(client, Counter(expected, report), expected, batch=batch, tasks=tasks)


async def serve_bare_api(app: App, *, port: int, **_: Any) -> None:
    """Serve until the end of input."""
    from . import bare_api  # noqa: PLC0415 - no other child shall have the time and the memory that aiohttp takes

    async with Redis.from_url(str(app.settings.redis_url)) as client:
        runner = await bare_api.serve(client, port)
        report({"port": port})
        await end_of_input()
        await runner.cleanup()


async def clients(_: App, *, loads: list[dict[str, Any]], **__: Any) -> None:
    """Send requests, one load after the other."""
    for one in loads:
        report(await http_load.load(**one))


ROLES: Final[dict[str, Callable[..., Coroutine[Any, Any, None]]]] = {
    "worker": worker, "scheduler": scheduler, "bare": bare_drain,
    "bare-api": serve_bare_api, "clients": clients,
}  # fmt: skip


def main() -> None:
    """Play the role that the arguments name."""
    config = orjson.loads(sys.argv[1])
    settings = Settings.load(**config.pop("settings"))
    app = declare(App(settings), report, expected=config.get("expected", 0))
    start = run if config.pop("uvloop", True) else asyncio.run
    start(ROLES[config.pop("role")](app, **config))


if __name__ == "__main__":
    main()
