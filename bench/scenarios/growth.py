"""Drain and enqueue with 1,000 to 1,000,000 jobs waiting, and drain by 1 to 8 processes."""

from __future__ import annotations

import os
import time
from statistics import median
from typing import Final

from .. import bare
from ..draining import Drain, bare_by_many, bare_loop, ours, ours_by_many
from ..figures import Curve, Figure, Measured, Points, alone, medians
from ..rig import Rig
from ..server import PREFIX
from ..tasks import message, messages

SLOTS: Final = 500
CHUNK: Final = 20_000
NAMES: Final = {"drain": "drain", "enqueue": "enqueue many"}
"""The figures, by the parts of a drain."""

Found = dict[str, dict[int, list[Drain]]]
"""By side and jobs that wait: each round's drain."""


async def measure(rig: Rig) -> Measured:
    """Jobs a second of the same number of jobs at each level, ours and the bare loop's.

    All levels lie on the server at once, each in a system and a stream of its own, so that small and large take turns.
    """
    levels = rig.of((1_000, 10_000, 100_000, 1_000_000), (1_000, 50_000))
    found: Found = {side: {level: [] for level in levels} for side in ("streamq", "bare")}
    for level in levels:
        await _fill(rig, level)
    for level in levels[1:-1]:
        await _both(rig, level, found)
    for turn in range(rig.of(rig.repeat + 2, 1)):
        ends = levels[0], levels[-1]  # compared with each other, so they take turns
        for level in ends if turn % 2 else reversed(ends):
            await _both(rig, level, found)
    rig.say("removing them")
    await rig.server.clear()
    return [*_figures(found), *_curves(found), await _over_processes(rig)]


def _prefix(level: int) -> str:
    return f"{PREFIX}.{level}"


def _stream(level: int) -> str:
    return f"{bare.STREAM}:{level}"


async def _fill(rig: Rig, level: int) -> None:
    start = time.perf_counter()
    await bare.join(rig.server.client, _stream(level))
    async with rig.app(prefix=_prefix(level)) as app:
        for at in range(0, level, CHUNK):
            plain = messages(min(CHUNK, level - at), at)
            await app.tasks["count"].enqueue_many(plain)
            await bare.enqueue(rig.server.client, plain, _stream(level))
    rig.say(f"{level:,} wait, on both sides, after {time.perf_counter() - start:.1f} s")


async def _both(rig: Rig, level: int, found: Found) -> None:
    """Enqueue a batch and drain as many, in front of those that wait."""
    jobs = rig.of(20_000, 10_000)
    models, settings = [message(number) for number in range(jobs)], {"prefix": _prefix(level)}
    mine = await ours(rig, models, task="book", concurrency=SLOTS, waiting=level, settings=settings)
    theirs = await bare_loop(rig, messages(jobs), batch=SLOTS, stream=_stream(level), waiting=level)
    found["streamq"][level].append(mine)
    found["bare"][level].append(theirs)
    rig.say(f"{level:,} wait: {mine.enqueue:,.0f} in, {mine.drain:,.0f} jobs/s out")


def _part(drains: list[Drain], part: str) -> list[float]:
    return [getattr(drain, part) for drain in drains]


def _figures(found: Found) -> list[Figure]:
    """The rates at the largest level as a share of those at the smallest in the same round."""
    small, large = min(found["streamq"]), max(found["streamq"])

    def shares(side: str, part: str) -> list[float]:
        ends = (_part(found[side][level], part) for level in (large, small))
        return [most / least for most, least in zip(*ends, strict=True)]

    figures = [
        Figure(
            f"{name}, {large:,} waiting", f"of {small:,}", median(shares("streamq", part)),
            median(shares("bare", part)), samples={side: shares(side, part) for side in found},
        )
        for part, name in NAMES.items()
    ]  # fmt: skip
    least, most = (_part(found["streamq"][level], "drained") for level in (small, large))
    note = f"{median(least):.1f} with {small:,}"  # steadier than a rate where others use the machine too
    return [*figures, alone(f"Redis CPU per drained job, {large:,} waiting", "µs", most, note=note)]


def _curves(found: Found) -> list[Curve]:
    note = f"100 bytes; {SLOTS} slots, bare in batches of as many, a task each"
    return [
        Curve(
            f"{name} by waiting jobs", "waiting jobs", "jobs/s",
            {
                side: medians({level: _part(drains, part) for level, drains in levels.items()})
                for side, levels in found.items()
            },
            log_x=True, note=note,
        )
        for part, name in NAMES.items()
    ]  # fmt: skip


async def _over_processes(rig: Rig) -> Curve:
    """All begin at the same moment; the server keeps its core, the processes have all of them."""
    series: dict[str, Points] = {"streamq": [], "bare": []}
    payloads = messages(rig.of(60_000, 10_000))
    for processes in rig.of((1, 2, 4, 8), (1, 2)):
        mine = await ours_by_many(rig, payloads, concurrency=SLOTS, processes=processes)
        theirs = await bare_by_many(rig, payloads, batch=SLOTS, processes=processes)
        series["streamq"].append((processes, mine))
        series["bare"].append((processes, theirs))
        rig.say(f"{processes} processes: {mine:,.0f} against {theirs:,.0f} jobs/s")
    return Curve(
        "drain by processes", "worker processes", "jobs/s", series,
        note=f"{os.cpu_count()} cores, one of them the server's: more processes than the others share them",
    )  # fmt: skip
