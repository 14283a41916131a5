"""Enqueue jobs with a validated payload, many in one call and one by one from concurrent callers, against XADD."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from streamq import App

from .. import bare
from ..cores import WORKER_CORE, pinned
from ..figures import Figure, Measured, compared
from ..rig import Rig, in_turns
from ..tasks import message

SIDES = ("streamq", "bare")
Send = Callable[[Any], Awaitable[Any]]
Rounds = dict[str, list[float]]
"""Jobs a second of each round, by side."""


async def measure(rig: Rig) -> Measured:
    """Jobs a second."""
    with pinned(WORKER_CORE):
        async with rig.app() as app:
            return [await _many(rig, app), *await _one_by_one(rig, app)]


async def _many(rig: Rig, app: App) -> Figure:
    jobs, client = rig.of(20_000, 10_000), rig.server.client
    found = await _both(rig, jobs, app.tasks["book"].enqueue_many, partial(bare.enqueue, client))
    return compared("enqueue many, validated", "jobs/s", *found.values(), note="payload 100 B")


async def _one_by_one(rig: Rig, app: App) -> list[Figure]:
    """Each caller sends one job and waits for its id before the next."""
    found: dict[int, Rounds] = {}
    async with bare.shared_client(rig.server.url) as client:
        for callers in rig.of((1, 10, 100, 1000), (1, 10, 1000)):
            jobs = rig.of(2_000, 500) if callers == 1 else rig.of(5_000, 2_000)
            ours, theirs = (
                partial(_share, callers, send)
                for send in (app.tasks["book"].enqueue, partial(bare.enqueue_one, client))
            )
            found[callers] = await _both(rig, jobs, ours, theirs)
    return [
        compared(
            f"enqueue one by one, {callers:,} caller{'s' * (callers > 1)}", "jobs/s", *rounds.values(),
            note="validated, 100 B; bare is XADD, over 50 connections at most",
        )
        for callers, rounds in found.items()
    ]  # fmt: skip


async def _both(rig: Rig, jobs: int, ours: Send, theirs: Send) -> Rounds:
    """Interleaved rounds of both, after one that warms them up and opens connections."""
    models = [message(number) for number in range(jobs)]
    plain = [model.model_dump() for model in models]

    async def rate(side: str) -> float:
        start = time.perf_counter()
        await (ours(models) if side == SIDES[0] else theirs(plain))
        rate = jobs / (time.perf_counter() - start)
        await rig.server.clear()
        return rate

    rounds = await in_turns(rig.repeat + 1, SIDES, rate)
    rig.say("{:,.0f} against {:,.0f} jobs/s".format(*(rates[-1] for rates in rounds.values())))
    return {side: rates[1:] for side, rates in rounds.items()}


async def _share(callers: int, send: Send, payloads: Sequence[Any]) -> None:
    """Send them all, each caller taking the next one."""
    waiting = iter(payloads)

    async def caller() -> None:
        for payload in waiting:
            await send(payload)

    await asyncio.gather(*(caller() for _ in range(callers)))
