"""What runs in a process of its own: ``python -m bench.child JSON``. Reports are JSON lines on standard output.

It ends when its standard input does, so it cannot outlive the bench, however that ends.

role       does
--------   --------------------------------------------------------
worker     a streamq worker with default duties, on the bench's queue
scheduler  a streamq scheduler
bare       drains the bare stream, and ends
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Final

import orjson
from redis.asyncio import Redis

from streamq import App, Scheduler, Settings, Worker, run

from . import bare
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


ROLES: Final[dict[str, Callable[..., Coroutine[Any, Any, None]]]] = {
    "worker": worker, "scheduler": scheduler, "bare": bare_drain,
}  # fmt: skip


def main() -> None:
    """Play the role that the arguments name."""
    config = orjson.loads(sys.argv[1])
    settings = Settings.load(**config.pop("settings"))
    app = declare(App(settings), report, expected=config.get("expected", 0))
    run(ROLES[config.pop("role")](app, **config))


if __name__ == "__main__":
    main()
