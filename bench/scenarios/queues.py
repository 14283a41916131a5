"""1,000 queues in one app, on one server and on a cluster of three: what idling sends, connections, and starts of jobs.

And 300 workers of one queue: what their liveness and the promotion of a delayed job cost the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

from redis.exceptions import ResponseError

from ..figures import Figure, Measured, percentile
from ..nodes import open_cluster
from ..process import Child
from ..rig import Rig, until
from ..server import Server

QUEUES: Final = 1_000
REST: Final = 15.0
"""Seconds from the start of a worker until all is quiet; connections that nobody uses are gone by then."""
WORKERS: Final = 300
PROCESSES: Final = 3
"""In which these workers run."""
EVERY: Final = 0.5
"""Seconds between two jobs at an idle worker, so that all are idle again."""
FOREIGN: Final = 70.0
"""Seconds after which a job of another program has not started."""


async def measure(rig: Rig) -> Measured:
    """Commands a second, connections of a process at a node, milliseconds, and shares of a core."""
    found = await _of_one_app(rig, "one server", rig.server.url, [rig.server])
    async with open_cluster() as (url, nodes):
        found += await _of_one_app(rig, "a cluster", url, nodes)
    return [*found, *await _of_a_crowd(rig)]


async def _of_one_app(rig: Rig, where: str, url: str, nodes: Sequence[Server]) -> list[Figure]:
    """Two processes: one alone would have nobody to watch."""
    before = [await node.connections() for node in nodes]
    async with AsyncExitStack() as stack:
        settings = {"redis_url": url}
        both = [
            await stack.enter_async_context(rig.child("many", settings=settings, queues=QUEUES)) for _ in "ab"
        ]
        for child in both:
            await child.told()  # it is ready
        starts = await _starts(rig, settings, both)
        await asyncio.sleep(2 * REST)
        rig.say(f"listening to two idle workers of {QUEUES} queues on {where}")
        idle = await _commands(nodes, rig.of(60.0, 20.0)) / 2
        most = max([(await node.connections() - own) / 2 for node, own in zip(nodes, before, strict=True)])
        foreign = await _foreign(both, nodes) if len(nodes) > 1 else None
    late = percentile(starts, 0.99)
    return [
        Figure(f"idle commands of a process, {where}", "1/s", idle, samples={"queues": [QUEUES]}),
        Figure(f"connections of a process to a node, {where}", "", most),
        Figure(f"start of a job in an idle queue, p99, {where}", "ms", late, samples={"streamq": starts}),
        *([] if foreign is None else [Figure(f"start of a job of another program, {where}", "s", foreign)]),
    ]


async def _starts(rig: Rig, settings: dict[str, Any], children: Sequence[Child]) -> list[float]:
    """Milliseconds from the call to the start, each in another queue."""
    late, jobs = list[float](), rig.of(200, 60)
    async with rig.app(**settings) as app:
        for number in range(-5, jobs):
            queue, begun = random.randrange(QUEUES), time.monotonic_ns()  # noqa: S311 - not a secret
            await app.enqueue(f"q{queue}", f"stamp{queue}", number)
            at = await _first(children, number)
            if number >= 0:  # the first ones warm everything up
                late.append((at - begun) / 1e6)
            await asyncio.sleep(EVERY / 5)
    return late


async def _first(children: Sequence[Child], number: int) -> int:
    """When the job of that number began, in whichever process."""
    asked = [asyncio.ensure_future(child.told()) for child in children]
    done, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:  # a read that is cancelled has taken nothing
        each.cancel()
    await asyncio.wait(asked)
    said = done.pop().result()
    assert said["number"] == number  # noqa: S101 - one job at a time
    return int(said["at"])


async def _commands(nodes: Sequence[Server], seconds: float) -> float:
    """Commands a second that clients sent, without those inside scripts."""
    before = [await _sent(node) for node in nodes]
    await asyncio.sleep(seconds)
    after = [await _sent(node) for node in nodes]
    return (sum(after) - sum(before) - len(nodes)) / seconds  # the INFO just sent


async def _sent(node: Server) -> int:
    """Each call of a script counts, and each command of no script: of those we know which scripts run."""
    calls = {
        name.removeprefix("cmdstat_"): told["calls"]
        for name, told in (await node.info("commandstats")).items()
    }
    return sum(count for name, count in calls.items() if name in SENT)


SENT: Final = frozenset({
    "eval", "evalsha", "ping", "info", "hello", "client|list", "client|setname", "client|id", "client|setinfo",
    "cluster|info", "cluster|shards", "xreadgroup", "zmscore", "zrange", "hgetall", "subscribe", "ssubscribe",
    "xinfo|groups", "xinfo|consumers", "time", "auth", "multi", "exec", "hmget", "smembers",
})  # fmt: skip
"""What a worker sends by itself: beats, claims and looks are scripts, and what these run is not sent."""


async def _foreign(children: Sequence[Child], nodes: Sequence[Server]) -> float:
    """Seconds until a job that another program added by a plain XADD has begun."""
    fields = {"task": "stamp7", "payload": "-9", "headers": "{}"}
    for node in nodes:
        with contextlib.suppress(ResponseError):  # the slot is another node's
            await node.client.xadd("bench:{q7}:ready", fields)  # type: ignore[arg-type]
    begun = time.monotonic_ns()
    async with asyncio.timeout(FOREIGN):
        return (await _first(children, -9) - begun) / 1e9


async def _of_a_crowd(rig: Rig) -> list[Figure]:
    """What the server does while all are idle but for a delayed job a second."""
    seconds = rig.of(60.0, 15.0)
    async with AsyncExitStack() as stack, rig.app() as app:
        for _ in range(PROCESSES):
            child = await stack.enter_async_context(rig.child("crowd", workers=WORKERS // PROCESSES))
            await child.told()

        async def all_listed() -> bool:
            return len(await app.workers()) == WORKERS

        await until(all_listed, 60.0)
        await asyncio.sleep(REST)
        rig.say(f"watching the server of {WORKERS} idle workers for {seconds:g} s")
        for number in range(int(seconds)):
            await app.tasks["count"].enqueue(number, delay=number + 0.5)
        before = await rig.server.cpu()
        await asyncio.sleep(seconds)
        share = 100 * (await rig.server.cpu() - before) / seconds
    return [Figure(f"share of a core, {WORKERS} workers of one queue", "%", share)]
