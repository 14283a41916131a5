"""Workers, or schedulers, of a queue with groups: when one is killed, another follows at once.

Handlers write down what they do, outside Redis: a line is ``event group number attempt pid at delivered``, in the order
of writing. Both times are ms of the machine's clock, which is the server's; ``delivered`` is when the job was given to
its worker, by what the server says, or 0 where it could not be asked.

Run by ``python -m tests.programs.grouped worker 3`` or ``… scheduler 1``.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import time
from typing import Any

import redis

from streamq import App, Context, Retry, Scheduler, Worker, run
from streamq.model.keys import GROUP, Keys

from .forks import keep

QUEUE = "q"
AT_ONCE = 4
"""Jobs that a worker runs at once."""
app = App()


@functools.cache
def client() -> redis.Redis:
    return redis.Redis.from_url(app.settings.redis_url.get_secret_value(), socket_timeout=1.0)


def delivered_at(job_id: str) -> float:
    """When the server gave the job to its worker."""
    keys = Keys(app.settings.prefix, QUEUE)
    try:
        place: Any = client().hget(keys.moved, job_id)
        lane, entry = place.decode().split() if place else ("1", job_id)
        with client().pipeline(transaction=True) as pipe:
            pipe.time()
            pipe.xpending_range(keys.lanes[int(lane) - 1], GROUP, entry, entry, 1)
            (seconds, micros), pending = pipe.execute()
    except redis.RedisError:
        return 0.0
    return seconds * 1000 + micros // 1000 - pending[0]["time_since_delivered"] if pending else 0.0


def note(event: str, ctx: Context, number: int, delivered: float = 0.0) -> None:
    """One write of one line: whole, or not at all."""
    at = time.time() * 1000
    line = f"{event} {ctx.group or '-'} {number} {ctx.attempt} {os.getpid()} {at:.2f} {delivered:.0f}\n"
    file = os.open(app.settings.data_dir / "history", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line.encode())
    os.close(file)


@app.task(queue=QUEUE)
async def work(number: int, seconds: float, fails: bool, ctx: Context) -> None:
    """Take so long; the first attempt may fail."""
    note("start", ctx, number, delivered_at(ctx.job_id))
    await asyncio.sleep(seconds)
    again = fails and ctx.attempt == 1
    note("again" if again else "end", ctx, number)
    if again:
        raise Retry(after=0.05)


async def be(role: str) -> None:
    """One of them, until it is killed."""
    async with app:
        await (Scheduler(app).run() if role == "scheduler" else Worker(app, concurrency=AT_ONCE).run())


if __name__ == "__main__":
    keep(int(sys.argv[2]), lambda: run(be(sys.argv[1])))
