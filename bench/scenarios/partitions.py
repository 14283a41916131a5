"""One queue with 12 partitions on a cluster of three nodes, beside queues that have one each: Redis CPU by the node.

Two cores cannot show what several nodes do at once, so the rate is modelled: each node has a core, by its own
accounting a job takes so much of it, and the busiest node sets the rate of all. What a node uses at rest is no part
of a job. All nodes share one core here, which makes each dearer than it is alone: so the rate of one node is that of a
queue on it while the others are as busy with queues of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Any, Final

from streamq import App

from ..cluster import Cluster, open_cluster
from ..draining import Sending, ours
from ..figures import Figure, Measured, alone, compared
from ..rig import Rig, in_turns
from ..tasks import QUEUE, messages

PARTITIONS: Final = 12
CALLERS: Final = 100
"""That enqueue one job after the other, at the same time."""
SLOTS: Final = 500
TASK: Final = "count"
PLAIN, ALONE, EACH, MANY = "a server of its own", "one partition", "a queue each", f"{PARTITIONS} partitions"
SIDES: Final = (PLAIN, ALONE, EACH, MANY)

Send = Callable[[App, str, Sequence[Any]], Awaitable[Any]]


async def _at_once(app: App, queue: str, payloads: Sequence[Any]) -> None:
    await app.enqueue_many(queue, TASK, payloads)


async def _one_by_one(app: App, queue: str, payloads: Sequence[Any]) -> None:
    """By callers that have a share each."""

    async def call(own: Sequence[Any]) -> None:
        for payload in own:
            await app.enqueue(queue, TASK, payload)

    await asyncio.gather(*(call(payloads[at::CALLERS]) for at in range(CALLERS)))


WAYS: Final[dict[str, tuple[Send, int, int]]] = {
    "many at a time": (_at_once, 200_000, 60_000), f"by {CALLERS} callers": (_one_by_one, 60_000, 40_000),
}  # fmt: skip
"""How they are sent, and how many: so many that what a partition costs by the second, or once, is small."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What jobs took: microseconds of CPU of each node, and commands, per job of all; and jobs a second."""

    nodes: tuple[float, ...]
    commands: float
    rate: float

    @property
    def whole(self) -> float:
        """Microseconds per job of all nodes together."""
        return sum(self.nodes)

    @property
    def limit(self) -> float:
        """Jobs a second when the busiest node has nothing left of its core."""
        return 1e6 / max(self.nodes)


async def measure(rig: Rig) -> Measured:
    """In turns: a plain server, a queue with one partition on one node, one on each, and one with many on all."""
    async with open_cluster() as cluster:
        rest, found = await cluster.at_rest(), list[Figure]()
        for way, (send, full, quick) in WAYS.items():
            at = partial(_ran, rig, cluster, rest, messages(rig.of(full, quick)), send)
            found += _figures(way, await in_turns(rig.rounds(2), SIDES, at))
    return [*found, alone("Redis CPU of a node at rest", "%", [100 * each for each in rest])]


def _figures(way: str, ran: dict[str, list[Ran]]) -> list[Figure]:
    many, each, one = ran[MANY], ran[EACH], ran[ALONE]
    nodes = len(many[0].nodes)
    spent = ", ".join(f"{median(run.nodes[node] for run in many):.2f}" for node in range(nodes))
    return [
        compared(
            f"modelled rate, {way}", "jobs/s", [run.limit for run in many], [1e6 / run.whole for run in each],
            note=f"{MANY}, for which the nodes use {spent} µs a job; bare: of one node while the others are as busy",
        ),
        compared(
            f"rate beside nodes at rest, {way}", "jobs/s", [run.limit for run in many], [run.limit for run in one],
            note="bare: of one node while the others, on the same core, leave its caches alone",
        ),
        compared(
            f"Redis CPU per job, {way}", "µs", [run.whole for run in many], [run.whole for run in one],
            note="of all nodes together; bare: one partition",
        ),
        compared(
            f"Redis CPU per job, one partition, {way}", "µs", [run.whole for run in one],
            [run.whole for run in ran[PLAIN]], note="on a cluster; bare: on a server of its own",
        ),
        compared(
            f"commands per job, {way}", "", [run.commands for run in many], [run.commands for run in one],
            note="those inside scripts too; bare: one partition",
        ),
        compared(
            f"drain, {way}", "jobs/s", [run.rate for run in many], [run.rate for run in one],
            note="by one worker, and all nodes on one core; bare: one partition",
        ),
    ]  # fmt: skip


async def _ran(
    rig: Rig, cluster: Cluster, rest: Sequence[float], payloads: Sequence[Any], send: Send, side: str
) -> Ran:
    """One drain, of one of the sides."""
    loop, server = asyncio.get_running_loop(), rig.server if side == PLAIN else cluster
    queues = cluster.queues("of-node") if side == EACH else [QUEUE]
    began, before, commands = loop.time(), await cluster.cpu_of_each(), await server.commands()
    drain = await ours(
        replace(rig, server=server), payloads, concurrency=SLOTS, settings={"queues": ",".join(queues)},
        sending=_sending(queues, send, PARTITIONS if side == MANY else 1),
    )  # fmt: skip
    passed = loop.time() - began
    spent = [
        max(0.0, after - used - passed * idle) * 1e6 / len(payloads)
        for used, after, idle in zip(before, await cluster.cpu_of_each(), rest, strict=True)
    ]
    nodes = (drain.redis,) if side == PLAIN else tuple(spent)
    rig.say(f"{side}: {', '.join(f'{each:.2f}' for each in nodes)} µs; {drain.drain:,.0f} jobs/s")
    return Ran(nodes, (await server.commands() - commands) / len(payloads), drain.drain)


def _sending(queues: Sequence[str], send: Send, partitions: int) -> Sending:
    """How an app sends: to a queue with partitions, or an equal share to each of several."""

    def sending(app: App) -> Callable[[Any], Awaitable[Any]]:
        if partitions > 1:
            app.queue(QUEUE, partitions=partitions)

        async def share(payloads: Sequence[Any]) -> None:
            many = len(queues)
            await asyncio.gather(*(send(app, name, payloads[at::many]) for at, name in enumerate(queues)))

        return share

    return sending
