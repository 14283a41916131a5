"""Drain no-op jobs by one worker process, against a bare loop of XREADGROUP, XACK and XDEL."""

from __future__ import annotations

from typing import Final

from ..draining import bare_loop, ours, ours_logged
from ..figures import Curve, Figure, Limit, Measured, compared
from ..rig import Rig

SIDES: Final = ("streamq", "bare, a task each", "bare, no tasks")
Sweep = dict[str, dict[int, float]]
"""Jobs a second, by side and by size: concurrency (ours) or batch (bare)."""


async def measure(rig: Rig) -> Measured:
    """One sweep over the sizes finds the best of each side; the figures are of further rounds at those."""
    sizes = rig.of((1, 10, 100, 500, 1000, 2000), (100, 500))
    sweep: Sweep = {side: {} for side in SIDES}
    for size in sizes:
        for side in SIDES:
            sweep[side][size] = await _rate(rig, side, size)
        rig.say(f"{size} at once: " + " against ".join(f"{sweep[side][size]:,.0f}" for side in SIDES))
    best = {side: max(rates, key=rates.__getitem__) for side, rates in sweep.items()}
    rounds: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(rig.of(rig.repeat, 1)):
        for side in SIDES:
            rounds[side].append(await _rate(rig, side, best[side]))
        rig.say("the best: " + " against ".join(f"{rounds[side][-1]:,.0f}" for side in SIDES))
    return [
        compared(
            "drain", "jobs/s", rounds[SIDES[0]], rounds[SIDES[1]], bound=Limit("ratio", ">=", 0.5),
            aim=Limit("ratio", ">=", 0.8), note=f"{best[SIDES[0]]} at once; bare {best[SIDES[1]]}",
        ),
        compared(
            "drain, bare without tasks", "jobs/s", rounds[SIDES[0]], rounds[SIDES[2]],
            note=f"{best[SIDES[0]]} at once; bare {best[SIDES[2]]}",
        ),
        *[await _logged(rig, best[SIDES[0]], form) for form in ("console", "json")],
        _curve(sweep),
    ]  # fmt: skip


async def _logged(rig: Rig, size: int, form: str) -> Figure:
    """With a line for each job, relative to the same worker when it logs warnings alone."""
    rounds: dict[str, list[float]] = {"info": [], "warning": []}
    for _ in range(rig.of(rig.repeat, 1)):
        for level, rates in rounds.items():
            jobs = min(rig.of(30_000, 10_000), 1_000 * size)
            rates.append(await ours_logged(rig, jobs, concurrency=size, form=form, level=level))
        rig.say(
            f"log {form}, info: {rounds['info'][-1]:,.0f} against {rounds['warning'][-1]:,.0f} at warning"
        )
    return compared(
        f"drain, log {form} at info", "jobs/s", rounds["info"], rounds["warning"],
        note=f"{size} at once; the other side is the same worker that logs at warning",
    )  # fmt: skip


async def _rate(rig: Rig, side: str, size: int) -> float:
    jobs = min(rig.of(30_000, 10_000), 1_000 * size)  # one at a time is slow
    if side == SIDES[0]:
        return await ours(rig, jobs, concurrency=size)
    return await bare_loop(rig, jobs, batch=size, tasks=side == SIDES[1])


def _curve(sweep: Sweep) -> Curve:
    series = {side: [(float(size), rate) for size, rate in rates.items()] for side, rates in sweep.items()}
    return Curve(
        "drain by jobs at once", "slots of the worker, or batch of the bare loop", "jobs/s", series,
        log_x=True, log_y=True, note="one process, no-op jobs, 100 bytes",
    )  # fmt: skip
