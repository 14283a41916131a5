"""Measures the coefficients here, in about a minute: small trials, each far on one side of what it tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, median
from typing import Any, Final

from ..draining import one_by_one
from ..machine import described
from ..rig import Rig
from .coefficients import Coefficients, Connections, Cost, Delays, RedisCpu, WorkerCpu
from .footprint import curves, failed, of_a_worker, pending
from .memory import Memory
from .trial import TASK, Trial, payloads, trial

SMALL: Final = 120
LARGE: Final = 1500
"""Bytes of the payloads between which costs are a line."""
FULL: Final = 1000
"""Slots that keep a worker busy."""
FEW: Final = 50
"""Slots that are all taken, and far from what keeps a worker busy."""
AWAITED: Final = 10.0
"""Milliseconds that handlers await, on average: those that end at once, all of a read together, cost half as much."""
LONE: Final = 1500
"""Jobs of the trials whose jobs take longest."""
TRIALS: Final[dict[str, dict[str, Any]]] = {
    "small": {"size": SMALL},
    "large": {"size": LARGE},
    "due_small": {"size": SMALL, "delayed": 1},
    "due_large": {"size": LARGE, "delayed": 1},
    "alone": {"size": SMALL, "jobs": LONE, "slots": 1, "ms": 0.0},
    "relaxed": {"size": SMALL, "jobs": 2 * LONE, "slots": FEW},
}
Trials = dict[str, Trial]


async def measure(rig: Rig, *wanted: int) -> Coefficients:
    """All coefficients, those of memory with payloads of the ``wanted`` sizes too. Leaves the server clean."""
    empty = await rig.server.memory()
    await reference_rate(rig)  # the first one warms the machine up
    trials, (lone, sent) = await _trials(rig), await _lone_enqueue(rig)
    redis = RedisCpu(
        enqueue=_line(trials, "", "enqueue"), delay=_line(trials, "due_", "enqueue"), run=_line(trials, "", "run"),
        promote=_more(trials, "due_small", "run"), call=max(0.0, lone - trials["small"].enqueue),
        turn=_turn(trials, "run"),
    )  # fmt: skip
    worker = WorkerCpu(
        run=_line(trials, "", "worker"), promoted=_more(trials, "due_small", "worker"),
        turn=_turn(trials, "worker"),
    )  # fmt: skip
    # What a slot is taken longer than the handler takes, by Little's law: all of the few slots are taken.
    slot = max(0.0, FEW / trials["relaxed"].rate - AWAITED / 1000)
    delays = Delays(sent, 1 / trials["alone"].rate, slot)
    memory, connections = await _memory(rig, trials, float(empty), wanted)
    return Coefficients(5, redis, worker, delays, memory, connections, await described(rig.server))


async def reference_rate(rig: Rig) -> float:
    """Jobs a second of small jobs that await, in all slots: how fast the machine is now."""
    jobs = rig.of(40_000, 10_000)
    return (await trial(rig, payloads([SMALL] * jobs, AWAITED), slots=FULL)).rate


async def _trials(rig: Rig) -> Trials:
    """All kinds in interleaved rounds, and of each what it comes to by the pace of the fastest round."""
    rounds = [{name: await _trial(rig, **kind) for name, kind in TRIALS.items()} for _ in range(rig.of(3, 1))]
    found = at_one_pace(rounds)
    rig.say(f"{found['small'].rate:,.0f} jobs/s in all slots; {found['alone'].rate:,.0f} one at a time")
    return found


def at_one_pace(rounds: Sequence[Trials]) -> Trials:
    """Of each kind the highest rate, and the median of its CPU.

    The machine's speed differs between rounds by more than most kinds differ, so CPU counts as a multiple of what
    the small jobs of its own round took. Noise only ever takes from rates, and adds to CPU: theirs is the least.
    """
    least = min(one["small"].worker for one in rounds)
    pace = [least / one["small"].worker for one in rounds]

    def all_of(name: str) -> Trial:
        of = [one[name] for one in rounds]
        cpu = {
            part: median(getattr(one, part) * scale for one, scale in zip(of, pace, strict=True))
            for part in ("enqueue", "run", "worker")
        }
        return replace(of[0], rate=max(one.rate for one in of), **cpu)

    return {name: all_of(name) for name in rounds[0]}


async def _trial(
    rig: Rig, size: int, jobs: int | None = None, slots: int = FULL, ms: float = AWAITED, delayed: float = 0.0
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


def _turn(trials: Trials, of: str) -> float:
    """What a batch costs beside its jobs: those of few slots share it with few others, those of all with many."""
    few, many = trials["relaxed"], trials["small"]
    apart = 1 / few.batch - 1 / many.batch
    return max(0.0, getattr(few, of) - getattr(many, of)) / apart if apart > 0 else 0.0


async def _memory(
    rig: Rig, trials: Trials, empty: float, wanted: Sequence[int]
) -> tuple[Memory, Connections]:
    rig.say("memory by the size of payloads")
    waiting, delayed, completed = await curves(rig, wanted)
    late = fmean(
        (trials[f"due_{size}"].kept - trials[size].kept) / trials[size].jobs for size in ("small", "large")
    )
    worker, connections = await of_a_worker(rig)
    parts = waiting, delayed, completed, await failed(rig), await pending(rig)
    return Memory(*parts, max(0.0, late), worker, empty), connections


async def _lone_enqueue(rig: Rig) -> tuple[float, float]:
    """For a job that is enqueued by itself: the server's CPU in microseconds, and the seconds until it is there."""
    jobs, cpu = payloads([SMALL] * rig.of(2000, 1000)), await rig.server.cpu()
    times = await one_by_one(rig, jobs, TASK)
    return (await rig.server.cpu() - cpu) / len(jobs) * 1e6, fmean(times) / 1e6
