"""Measures the coefficients here, in less than a minute: small trials, each far on one side of what it tells."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from ..machine import described
from ..rig import Rig
from .coefficients import Coefficients, Cost, Delays, RedisCpu, WorkerCpu
from .footprint import footprint
from .layout import Weighed
from .throughput import BATCH
from .trial import TASK, Trial, payloads, trial

SMALL: Final = 120
LARGE: Final = 1500
"""Bytes of the payloads between which costs are a line."""
FULL: Final = 1000
"""Slots with which every batch is as large as it gets."""
AWAITED: Final = 10.0
"""Milliseconds."""
TIMED: Final = frozenset({"alone", "relaxed", "step_small", "step_large", "step_due"})
"""The trials that tell of time; the others tell of CPU."""


@dataclass(frozen=True, slots=True)
class Trials:
    """One of each kind."""

    small: Trial
    large: Trial
    failed: Trial
    due_small: Trial
    due_large: Trial
    alone: Trial
    awaiting: Trial
    relaxed: Trial
    step_small: Trial
    step_large: Trial
    step_due: Trial

    def line(self, of: str, *, fetching: bool | None = None) -> Cost:
        """The cost of that name, or the part of it that is (not) fetching."""

        def cost(one: Trial) -> float:
            part = {None: 1.0, True: one.fetching, False: 1 - one.fetching}[fetching]
            return float(getattr(one, of)) * part

        return Cost.through((SMALL, cost(self.small)), (LARGE, cost(self.large)))


async def measure(rig: Rig) -> Coefficients:
    """All coefficients. Leaves the server clean."""
    empty = await rig.server.memory()
    await reference_rate(rig)  # the first one warms the machine up
    trials = await _trials(rig)
    lone = await _lone_enqueue(rig)
    memory, connections = await footprint(rig, empty, _weighed(trials))
    rig.say("memory and connections")
    return Coefficients(
        _redis(trials, lone), _worker(trials),
        Delays(
            await _round_trip(rig), 1 / trials.alone.rate, _slot(trials), _step(trials),
            promoted=max(0.0, 1e6 / trials.step_due.rate - 1e6 / trials.step_small.rate),
        ),
        memory, connections, await described(rig.server),
    )  # fmt: skip


async def reference_rate(rig: Rig) -> float:
    """Jobs a second of jobs that do nothing, in full batches: how fast the machine is now."""
    jobs = rig.of(40_000, 10_000)
    return (await trial(rig, payloads([SMALL] * jobs), slots=FULL)).rate


async def _trials(rig: Rig) -> Trials:
    """Of each kind the trial that was disturbed least: noise only ever adds to CPU, and takes from rates."""
    rounds = [await _round(rig) for _ in range(rig.of(3, 1))]
    best = {
        kind: (max(trials, key=lambda one: one.rate) if kind in TIMED else min(trials, key=_cpu))
        for kind in Trials.__slots__
        if (trials := [getattr(one, kind) for one in rounds])
    }
    found = Trials(**best)
    rig.say(f"{found.small.rate:,.0f} jobs/s that do nothing; {found.alone.rate:,.0f} one at a time")
    return found


def _cpu(one: Trial) -> float:
    return one.worker + one.run + one.enqueue


async def _round(rig: Rig) -> Trials:
    jobs = rig.of(
        20_000, 6_000
    )  # equally many of each kind: what a worker does once is in all of them, or in none
    small, large = payloads([SMALL] * jobs), payloads([LARGE] * jobs)
    return Trials(
        small=await trial(rig, small, slots=FULL, keep=jobs),
        large=await trial(rig, large, slots=FULL, keep=jobs),
        failed=await trial(rig, payloads([SMALL] * 1500, fail=1), slots=FULL, keep=jobs, attempts=1),
        due_small=await trial(rig, small, slots=FULL, keep=jobs, delayed=1),
        due_large=await trial(rig, large, slots=FULL, keep=jobs, delayed=1),
        alone=await trial(rig, payloads([SMALL] * 1500), slots=1),
        awaiting=await trial(rig, payloads([SMALL] * jobs, AWAITED), slots=FULL),
        relaxed=await trial(rig, payloads([SMALL] * 3000, AWAITED), slots=50),
        step_small=await trial(rig, small, slots=BATCH, keep=jobs),
        step_large=await trial(rig, large, slots=BATCH, keep=jobs),
        step_due=await trial(rig, small, slots=BATCH, keep=jobs, delayed=1),
    )


def _weighed(trials: Trials) -> dict[str, list[Weighed]]:
    """By state; the waiting ones have no record."""

    def kept(size: int, one: Trial) -> Weighed:
        return Weighed(size, one.jobs, one.kept, one.record_text)

    due = (SMALL, trials.due_small), (LARGE, trials.due_large)
    return {
        "waiting": [Weighed(SMALL, trials.small.jobs, trials.small.stored, 0)],
        "delayed": [Weighed(size, one.jobs, one.stored, one.parked_text) for size, one in due],
        "completed": [kept(SMALL, trials.small), kept(LARGE, trials.large)],
        "after_delay": [kept(size, one) for size, one in due],
        "failed": [kept(SMALL, trials.failed)],
    }


def _redis(trials: Trials, lone: float) -> RedisCpu:
    return RedisCpu(
        enqueue=trials.line("enqueue"),
        delay=Cost.through((SMALL, trials.due_small.enqueue), (LARGE, trials.due_large.enqueue)),
        fetch=trials.line("run", fetching=True),
        settle=trials.line("run", fetching=False),
        promote=max(0.0, trials.due_small.run - trials.small.run),
        call=max(0.0, lone - trials.small.enqueue),
        turn=max(0.0, trials.alone.run - trials.small.run),
    )


def _worker(trials: Trials) -> WorkerCpu:
    return WorkerCpu(
        run=trials.line("worker"),
        awaiting=max(0.0, trials.awaiting.worker - trials.small.worker),
        promoted=max(0.0, trials.due_small.worker - trials.small.worker),
        turn=max(0.0, trials.alone.worker - trials.small.worker),
    )


def _slot(trials: Trials) -> float:
    """What a slot is taken longer than the handler takes, by Little's law: fifty slots, all of them taken."""
    return max(0.0, 50 / trials.relaxed.rate - AWAITED / 1000)


def _step(trials: Trials) -> Cost:
    return Cost.through((SMALL, 1e6 / trials.step_small.rate), (LARGE, 1e6 / trials.step_large.rate))


async def _lone_enqueue(rig: Rig) -> float:
    """The server's CPU for a job that is enqueued by itself, in microseconds."""
    jobs: list[Any] = payloads([SMALL] * rig.of(2000, 1000))
    async with rig.app() as app:
        await app.tasks[TASK].enqueue(jobs[0])
        cpu = await rig.server.cpu()
        for job in jobs:
            await app.tasks[TASK].enqueue(job)
        spent = await rig.server.cpu() - cpu
    await rig.server.clear()
    return spent / len(jobs) * 1e6


async def _round_trip(rig: Rig) -> float:
    times = []
    for _ in range(300):
        start = time.perf_counter()
        await rig.server.client.ping()
        times.append(time.perf_counter() - start)
    return median(times)
