"""Drain no-op jobs by one worker process, against a bare loop of XREADGROUP, XACK and XDEL."""

from __future__ import annotations

from functools import partial
from typing import Final

from ..draining import Drain, bare_loop, ours, ours_logged
from ..figures import Curve, Figure, Measured, compared, medians
from ..rig import Rig, in_turns
from ..tasks import messages

SIDES: Final = ("streamq", "bare, a task each", "bare, no tasks")


async def measure(rig: Rig) -> Measured:
    """One sweep over the sizes finds the best of each side; the figures are of further rounds at those."""
    sweep: dict[str, dict[int, float]] = {side: {} for side in SIDES}
    for size in rig.of((1, 10, 100, 500, 1000, 2000), (100, 500)):
        for side in SIDES:
            sweep[side][size] = (await _drained(rig, side, size)).drain
        rig.say(f"{size} at once: " + " against ".join(f"{sweep[side][size]:,.0f}" for side in SIDES))
    best = {side: max(rates, key=rates.__getitem__) for side, rates in sweep.items()}
    drains = await in_turns(rig.rounds(), SIDES, lambda side: _drained(rig, side, best[side]))
    rates = {side: [one.drain for one in found] for side, found in drains.items()}
    cpu = {side: [one.drained for one in found] for side, found in drains.items()}
    us, tasks, line = SIDES
    series = {side: medians({size: [rate] for size, rate in sizes.items()}) for side, sizes in sweep.items()}
    return [
        compared("drain", "jobs/s", rates[us], rates[tasks], note=f"{best[us]} at once; bare {best[tasks]}"),
        compared(
            "drain, bare without tasks", "jobs/s", rates[us], rates[line],
            note=f"{best[us]} at once; bare {best[line]}",
        ),
        compared("Redis CPU per drained job", "µs", cpu[us], cpu[tasks]),
        *[await _logged(rig, best[us], form) for form in ("console", "json")],
        Curve(
            "drain by jobs at once", "slots of the worker, or batch of the bare loop", "jobs/s", series, log_x=True,
            log_y=True, note="one process, no-op jobs, 100 bytes",
        ),
    ]  # fmt: skip


async def _logged(rig: Rig, size: int, form: str) -> Figure:
    """With a line for each job, relative to the same worker when it logs warnings alone."""
    at = partial(ours_logged, rig, _jobs(rig, size), concurrency=size, form=form)
    rounds = await in_turns(rig.rounds(), ("info", "warning"), lambda level: at(level=level))
    rig.say("log {}, info: {:,.0f} against {:,.0f}".format(form, *(rates[-1] for rates in rounds.values())))
    return compared(
        f"drain, log {form} at info", "jobs/s", rounds["info"], rounds["warning"],
        note=f"{size} at once; the other side is the same worker that logs at warning",
    )  # fmt: skip


async def _drained(rig: Rig, side: str, size: int) -> Drain:
    payloads = messages(_jobs(rig, size))
    if side == SIDES[0]:
        return await ours(rig, payloads, concurrency=size)
    return await bare_loop(rig, payloads, batch=size, tasks=side == SIDES[1])


def _jobs(rig: Rig, size: int) -> int:
    """One at a time is slow."""
    return min(rig.of(30_000, 10_000), 1_000 * size)
