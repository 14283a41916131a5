"""An open loop: arrivals are fixed beforehand and come at their times, whatever becomes of the ones before.

A latency counts from the moment its job was *meant* to arrive. A producer that waited for a slow system would send
less just when it is slow, and so hide its delays: Gil Tene's "coordinated omission" ("How NOT to Measure Latency").
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

from .draining import check

Send = Callable[[int], Coroutine[Any, Any, object]]

LEAD_NS: Final = 20_000_000
"""From the call to the start of the schedule."""


def poisson(rate: float, seconds: float, seed: int) -> list[int]:
    """When jobs arrive, in ns from the start, in order: a Poisson process of ``rate`` jobs a second.

    Given how many there are, its arrivals are uniform and independent, so exactly ``rate`` times ``seconds`` are drawn.
    The same seed gives the same arrivals.
    """
    draw = random.Random(seed)  # noqa: S311 - not a secret
    return sorted(int(draw.uniform(0, seconds) * 1e9) for _ in range(round(rate * seconds)))


async def play(offsets: Sequence[int], send: Send) -> list[int]:
    """Send each number at its time, without waiting for the others, and return once all are sent.

    Returns when each was meant to arrive, in monotonic ns. A thread keeps the time: the event loop's own timers are
    good to a millisecond only, as long as what is measured.
    """
    loop, stop = asyncio.get_running_loop(), threading.Event()
    begin = time.monotonic_ns() + LEAD_NS
    due = [begin + offset for offset in offsets]
    sent: list[asyncio.Task[object]] = []

    def arrive(number: int) -> None:
        sent.append(loop.create_task(send(number)))

    try:
        await asyncio.to_thread(_pace, due, lambda number: loop.call_soon_threadsafe(arrive, number), stop)
        await asyncio.gather(*sent)
    finally:
        stop.set()
        for task in sent:
            task.cancel()
    return due


def _pace(due: Sequence[int], arrive: Callable[[int], object], stop: threading.Event) -> None:
    for number, at in enumerate(due):
        wait = (at - time.monotonic_ns()) / 1e9
        if stop.wait(wait) if wait > 0 else stop.is_set():
            return
        arrive(number)


def latencies(due: Sequence[int], starts: Mapping[int, int]) -> list[float]:
    """Microseconds from each intended arrival to the job's start, both in monotonic ns. Raises ``NotWhole``."""
    check(len(starts), len(due))
    return [(starts[number] - at) / 1e3 for number, at in enumerate(due)]
