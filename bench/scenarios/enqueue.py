"""Enqueue jobs with a validated payload, many in one call and one by one from concurrent callers, against XADD."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from statistics import median
from typing import Any

from streamq import App

from .. import bare
from ..cores import WORKER_CORE, pinned
from ..figures import Curve, Figure, Limit, Measured, compared
from ..rig import Rig
from ..tasks import message

Send = Callable[[Any], Awaitable[Any]]
Rounds = dict[int, list[float]]
"""Jobs a second of each round, by number of callers."""


async def measure(rig: Rig) -> Measured:
    """Jobs a second."""
    with pinned(WORKER_CORE):
        async with rig.app() as app:
            return [await _many(rig, app), *await _one_by_one(rig, app)]


async def _many(rig: Rig, app: App) -> Figure:
    models = [message(number) for number in range(rig.of(20_000, 10_000))]
    plain = [model.model_dump() for model in models]
    ours, theirs = [], []
    for turn in range(rig.repeat + 1):
        streamq = await _rate(rig, len(models), lambda: app.tasks["book"].enqueue_many(models))
        loop = await _rate(rig, len(plain), lambda: bare.enqueue(rig.server.client, plain))
        if turn:  # the first round warms both sides up
            ours.append(streamq)
            theirs.append(loop)
            rig.say(f"{streamq:,.0f} against {loop:,.0f} jobs/s")
    return compared(
        "enqueue many, validated", "jobs/s", ours, theirs,
        bound=Limit("ratio", ">=", 0.5), aim=Limit("ratio", ">=", 1.2), note="payload 100 B",
    )  # fmt: skip


async def _one_by_one(rig: Rig, app: App) -> list[Figure | Curve]:
    """Each caller sends one job and waits for its id before the next."""
    ours: Rounds = {}
    theirs: Rounds = {}
    async with bare.shared_client(rig.server.url) as client:
        send, xadd = app.tasks["book"].enqueue, partial(bare.enqueue_one, client)
        for callers in rig.of((1, 10, 100, 1000), (1, 10, 1000)):
            ours[callers], theirs[callers] = await _by_callers(rig, callers, send, xadd)
    figures = [_figure(callers, ours[callers], theirs[callers]) for callers in ours]
    return [*figures, _curve(ours, theirs)]


async def _by_callers(rig: Rig, callers: int, send: Send, xadd: Send) -> tuple[list[float], list[float]]:
    jobs = rig.of(2_000, 500) if callers == 1 else rig.of(5_000, 2_000)
    models = [message(number) for number in range(jobs)]
    plain = [model.model_dump() for model in models]
    ours, theirs = [], []
    for turn in range(rig.repeat + 1):
        streamq = await _rate(rig, jobs, lambda: _share(models, callers, send))
        loop = await _rate(rig, jobs, lambda: _share(plain, callers, xadd))
        if turn:  # the same: connections are open now
            ours.append(streamq)
            theirs.append(loop)
    rig.say(f"{callers} callers: {ours[-1]:,.0f} against {theirs[-1]:,.0f} jobs/s")
    return ours, theirs


async def _share(payloads: Sequence[Any], callers: int, send: Send) -> None:
    """Send them all, each caller taking the next one."""
    waiting = iter(payloads)

    async def caller() -> None:
        for payload in waiting:
            await send(payload)

    await asyncio.gather(*(caller() for _ in range(callers)))


async def _rate(rig: Rig, jobs: int, work: Callable[[], Awaitable[Any]]) -> float:
    """Jobs a second of ``work``, which enqueues ``jobs``."""
    start = time.perf_counter()
    await work()
    rate = jobs / (time.perf_counter() - start)
    await rig.server.clear()
    return rate


def _figure(callers: int, ours: list[float], theirs: list[float]) -> Figure:
    who = "1 caller" if callers == 1 else f"{callers:,} callers"
    return compared(
        f"enqueue one by one, {who}", "jobs/s", ours, theirs, note="validated, 100 B; bare is XADD"
    )


def _curve(ours: Rounds, theirs: Rounds) -> Curve:
    return Curve(
        "enqueue one by one", "concurrent callers", "jobs/s",
        {
            side: [(float(callers), median(rates)) for callers, rates in rounds.items()]
            for side, rounds in (("streamq", ours), ("bare", theirs))
        },
        log_x=True, note="validated, 100 bytes; bare is XADD over 50 connections at most",
    )  # fmt: skip
