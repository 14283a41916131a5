"""Fairness: the shares of 100 busy queues in 10 slots, and how long a queue waits for the others."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Final

from ..figures import Figure, Measured
from ..rig import Rig, until

QUEUES: Final = 100
SLOTS: Final = 10
JOBS: Final = 10_000
"""Of those that run, as many are looked at; each queue has more, so that all stay busy."""
MORE: Final = 1.3


async def measure(rig: Rig) -> Measured:
    """Which queue each job was of, in the order in which they began."""
    queues = [f"q{number}" for number in range(QUEUES)]
    each = int(MORE * JOBS / QUEUES)
    async with rig.app() as app:
        for at, queue in enumerate(queues):
            await app.enqueue_many(queue, "arrive", [{"number": n * QUEUES + at} for n in range(each)])
        rig.say(f"{each * QUEUES:,} jobs wait on {QUEUES} queues")
        async with rig.worker(app, concurrency=SLOTS, settings={"queues": ",".join(queues)}) as worker:

            async def done() -> bool:
                counts = await asyncio.gather(*(app.queue(queue).counts() for queue in queues))
                return not any(count.waiting or count.active for count in counts)

            await until(done, 60.0)
            starts = await worker.starts()
    order = [number % QUEUES for number in sorted(starts, key=lambda number: starts[number])][:JOBS]
    got = Counter(order)
    spread = (max(got.values()) - min(got.values())) / (JOBS / QUEUES)
    return [
        Figure(
            f"{QUEUES} busy queues, {SLOTS} slots: largest less smallest share", "of a share", spread,
            note=f"over {JOBS:,} jobs", samples={"streamq": sorted(got.values())},
        ),
        Figure("rounds of the others that a queue waits for, at most", "", longest_wait(order)),
    ]  # fmt: skip


def longest_wait(order: Sequence[int]) -> int:
    """How many turns another had, at most, between two turns of one. A turn is what is served in a row."""
    turns, most = [queue for queue, _ in itertools.groupby(order)], 0
    since: dict[int, Counter[int]] = {}
    for queue in turns:
        most = max(most, max(since.get(queue, Counter()).values(), default=0))
        since[queue] = Counter()
        for other, counts in since.items():
            if other != queue:
                counts[queue] += 1
    return most
