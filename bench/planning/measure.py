"""Measures the coefficients here, in about a minute: small trials, each far on one side of what it tells."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from ..machine import described
from ..rig import Rig
from .coefficients import Coefficients, Cost, Delays, Limits, RedisCpu, WorkerCpu
from .footprint import FAILED, FALL, curves, failed, limits, pending
from .memory import Memory
from .trial import TASK, Trial, payloads, trial

SMALL: Final = 120
LARGE: Final = 1500
"""Bytes of the payloads between which costs are a line."""
FULL: Final = 1000
"""Slots with which every batch is as large as it gets."""
FEW: Final = 50
"""Slots that are all taken, and far from what keeps a worker busy."""
AWAITED: Final = 10.0
"""Milliseconds."""
LONE: Final = 1500
"""Jobs of the trials whose jobs take longest."""
TRIALS: Final[dict[str, dict[str, Any]]] = {
    "small": {"size": SMALL},
    "large": {"size": LARGE},
    "due_small": {"size": SMALL, "delayed": 1},
    "due_large": {"size": LARGE, "delayed": 1},
    "alone": {"size": SMALL, "jobs": LONE, "slots": 1},
    "awaiting": {"size": SMALL, "ms": AWAITED},
    "relaxed": {"size": SMALL, "jobs": 2 * LONE, "slots": FEW, "ms": AWAITED},
}
TIMED: Final = frozenset({"alone", "relaxed"})
"""The trials that tell of time; the others tell of CPU."""
Trials = dict[str, Trial]


async def measure(rig: Rig, *wanted: int) -> Coefficients:
    """All coefficients, those of memory with payloads of the ``wanted`` sizes too. Leaves the server clean."""
    empty = await rig.server.memory()
    await reference_rate(rig)  # the first one warms the machine up
    trials, (lone, sent) = await _trials(rig), await _lone_enqueue(rig)
    redis = RedisCpu(
        enqueue=_line(trials, "", "enqueue"), delay=_line(trials, "due_", "enqueue"), run=_line(trials, "", "run"),
        promote=_more(trials, "due_small", "run"), call=max(0.0, lone - trials["small"].enqueue),
        turn=_more(trials, "alone", "run"),
    )  # fmt: skip
    worker = WorkerCpu(
        run=_line(trials, "", "worker"), awaiting=_more(trials, "awaiting", "worker"),
        promoted=_more(trials, "due_small", "worker"), turn=_more(trials, "alone", "worker"),
    )  # fmt: skip
    # What a slot is taken longer than the handler takes, by Little's law: all of the few slots are taken.
    slot = max(0.0, FEW / trials["relaxed"].rate - AWAITED / 1000)
    delays = Delays(sent, 1 / trials["alone"].rate, slot)
    memory, allowed = await _memory(rig, trials, float(empty), wanted)
    return Coefficients(3, redis, worker, delays, memory, allowed, await described(rig.server))


async def reference_rate(rig: Rig) -> float:
    """Jobs a second of jobs that do nothing, in full batches: how fast the machine is now."""
    jobs = rig.of(40_000, 10_000)
    return (await trial(rig, payloads([SMALL] * jobs), slots=FULL)).rate


async def _trials(rig: Rig) -> Trials:
    """Of each kind the trial that was disturbed least: noise only ever adds to CPU, and takes from rates."""
    rounds = [{name: await _trial(rig, **kind) for name, kind in TRIALS.items()} for _ in range(rig.of(3, 1))]

    def disturbance(name: str, one: Trial) -> float:
        return -one.rate if name in TIMED else one.worker + one.run + one.enqueue

    best = {
        name: min((one[name] for one in rounds), key=lambda one: disturbance(name, one)) for name in TRIALS
    }
    rig.say(f"{best['small'].rate:,.0f} jobs/s that do nothing; {best['alone'].rate:,.0f} one at a time")
    return best


async def _trial(
    rig: Rig, size: int, jobs: int | None = None, slots: int = FULL, ms: float = 0.0, delayed: float = 0.0
) -> Trial:
    # Equally many of each kind: what a worker does once is in all of them, or in none.
    jobs = jobs or rig.of(20_000, 6_000)
    return await trial(rig, payloads([size] * jobs, ms), slots=slots, keep=jobs, delayed=delayed)


def _line(trials: Trials, kind: str, of: str) -> Cost:
    """The cost of that name, by the trials of small and large payloads of a kind."""
    small, large = (float(getattr(trials[f"{kind}{size}"], of)) for size in ("small", "large"))
    return Cost.through((SMALL, small), (LARGE, large))


def _more(trials: Trials, kind: str, of: str) -> float:
    """By how much a job of a kind takes more than one of the small ones."""
    return max(0.0, float(getattr(trials[kind], of) - getattr(trials["small"], of)))


async def _memory(rig: Rig, trials: Trials, empty: float, wanted: Sequence[int]) -> tuple[Memory, Limits]:
    plain, late = trials["small"].text, trials["due_small"].text - trials["small"].text
    parts = await curves(rig, wanted)
    rig.say("memory by the size of payloads")
    histories, buried = await failed(rig)
    worker, allowed = await limits(rig)
    known = Memory(parts, await pending(rig), late, plain, 0.0, histories, worker, empty)
    return replace(known, buried=buried - known.failed(FAILED[:2], 1, FALL)), allowed


async def _lone_enqueue(rig: Rig) -> tuple[float, float]:
    """For a job that is enqueued by itself: the server's CPU in microseconds, and the seconds until it is there."""
    jobs: list[Any] = payloads([SMALL] * rig.of(2000, 1000))
    async with rig.app() as app:
        await app.tasks[TASK].enqueue(jobs[0])
        cpu, start = await rig.server.cpu(), time.perf_counter()
        for job in jobs:
            await app.tasks[TASK].enqueue(job)
        spent, seconds = await rig.server.cpu() - cpu, time.perf_counter() - start
    await rig.server.clear()
    return spent / len(jobs) * 1e6, seconds / len(jobs)
