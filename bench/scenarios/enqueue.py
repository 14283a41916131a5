"""Enqueue many jobs with a validated payload, against redis-py's pipelined XADD."""

from __future__ import annotations

import time

from streamq import App

from .. import bare
from ..cores import WORKER_CORE, pinned
from ..figures import Limit, Measured, compared
from ..rig import Rig
from ..tasks import Message, message


async def measure(rig: Rig) -> Measured:
    """Jobs a second, by one caller."""
    models = [message(number) for number in range(rig.of(20_000, 10_000))]
    plain = [model.model_dump() for model in models]
    ours, theirs = [], []
    with pinned(WORKER_CORE):
        async with rig.app() as app:
            for turn in range(rig.repeat + 1):
                streamq, loop = await _ours(rig, app, models), await _bare(rig, plain)
                if turn:  # the first round warms both sides up
                    ours.append(streamq)
                    theirs.append(loop)
                    rig.say(f"{streamq:,.0f} against {loop:,.0f} jobs/s")
    return [
        compared(
            "enqueue many, validated", "jobs/s", ours, theirs,
            bound=Limit("ratio", ">=", 0.5), aim=Limit("ratio", ">=", 1.2), note="payload 100 B",
        )
    ]  # fmt: skip


async def _ours(rig: Rig, app: App, models: list[Message]) -> float:
    start = time.perf_counter()
    await app.tasks["book"].enqueue_many(models)
    rate = len(models) / (time.perf_counter() - start)
    await rig.server.clear()
    return rate


async def _bare(rig: Rig, plain: list[dict[str, object]]) -> float:
    start = time.perf_counter()
    await bare.enqueue(rig.server.client, plain)
    rate = len(plain) / (time.perf_counter() - start)
    await rig.server.clear()
    return rate
