"""End to end with handlers that await 1, 10 and 100 ms: jobs a second against what the slots allow."""

from __future__ import annotations

from typing import Final

from ..draining import bare_loop, ours
from ..figures import Curve, Figure, Measured
from ..rig import Rig

SLOTS: Final = 100
"""A worker's default, at which the figures are."""
MOST: Final = 20_000
"""Jobs of a run at most."""

Points = dict[int, tuple[float, float]]
"""Jobs a second by slots: ours, and the bare loop's with batches of as many."""


async def measure(rig: Rig) -> Measured:
    """Jobs a second from the first start to the last end; the ideal is slots / handler time."""
    measured: list[Figure | Curve] = []
    for milliseconds in (1, 10, 100):
        points = {slots: await _both(rig, milliseconds, slots) for slots in rig.of((10, 100, 1000), (SLOTS,))}
        measured += [_figure(milliseconds, points[SLOTS]), _curve(milliseconds, points)]
    return measured


async def _both(rig: Rig, milliseconds: int, slots: int) -> tuple[float, float]:
    ideal = _ideal(milliseconds, slots)
    waves = max(2, round(min(ideal * rig.of(1.0, 0.4), MOST) / slots))
    jobs, pause = waves * slots, milliseconds / 1000
    ours_rate = await ours(rig, jobs, concurrency=slots, task="rest", pause=pause)
    bare_rate = await bare_loop(rig, jobs, batch=slots, pause=pause)
    rig.say(
        f"{milliseconds} ms, {slots} slots: {ours_rate:,.0f} against {bare_rate:,.0f} of {ideal:,.0f} jobs/s"
    )
    return ours_rate, bare_rate


def _ideal(milliseconds: int, slots: int) -> float:
    """Jobs a second if all slots were always in use: Little's law, rate = slots / time."""
    return slots / milliseconds * 1000


def _figure(milliseconds: int, rates: tuple[float, float]) -> Figure:
    ideal = _ideal(milliseconds, SLOTS)
    return Figure(
        f"handlers of {milliseconds} ms, {SLOTS} slots", "jobs/s", *rates, rates[0] / rates[1],
        note=f"{rates[0] / ideal:.0%} of {ideal:,.0f}; bare in batches: {rates[1] / ideal:.0%}",
        samples={"streamq": [rates[0]], "bare": [rates[1]]},
    )  # fmt: skip


def _curve(milliseconds: int, points: Points) -> Curve:
    return Curve(
        f"handlers of {milliseconds} ms", "slots of the worker, or batch of the bare loop", "jobs/s",
        {
            "streamq": [(float(slots), rates[0]) for slots, rates in points.items()],
            "bare": [(float(slots), rates[1]) for slots, rates in points.items()],
            "slots / handler time": [(float(slots), _ideal(milliseconds, slots)) for slots in points],
        },
        log_x=True, log_y=True, note="one process; the bare loop waits for the whole of each batch",
    )  # fmt: skip
