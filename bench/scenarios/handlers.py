"""End to end with handlers that await 1, 10 and 100 ms: jobs a second against what the slots allow."""

from __future__ import annotations

from typing import Final

from ..draining import bare_loop, ours
from ..figures import Curve, Figure, Measured, compared, medians
from ..rig import Rig
from ..tasks import messages

SLOTS: Final = 100
"""A worker's default, at which the figures are."""
MOST: Final = 20_000
"""Jobs of a run at most."""


async def measure(rig: Rig) -> Measured:
    """Jobs a second from the first start to the last end; the ideal is slots / handler time."""
    return [one for ms in (1, 10, 100) for one in await _of(rig, ms)]


async def _of(rig: Rig, ms: int) -> tuple[Figure, Curve]:
    sides = ("streamq", "bare", "slots / handler time")
    found: dict[str, dict[int, list[float]]] = {side: {} for side in sides}
    for slots in rig.of((10, 100, 1000), (SLOTS,)):
        ideal = slots / ms * 1000  # if all slots were always in use: Little's law, rate = slots / time
        payloads = messages(max(2, round(min(ideal * rig.of(1.0, 0.4), MOST) / slots)) * slots)
        timed = [{**payload, "ms": ms} for payload in payloads]
        mine = (await ours(rig, timed, concurrency=slots, task="act")).drain
        theirs = (await bare_loop(rig, payloads, batch=slots, pause=ms / 1000)).drain
        for side, rate in zip(sides, (mine, theirs, ideal), strict=True):
            found[side][slots] = [rate]
        rig.say(f"{ms} ms, {slots} slots: {mine:,.0f} against {theirs:,.0f} of {ideal:,.0f} jobs/s")
    (mine,), (theirs,), (ideal,) = (found[side][SLOTS] for side in sides)
    figure = compared(
        f"handlers of {ms} ms, {SLOTS} slots", "jobs/s", [mine], [theirs],
        note=f"{mine / ideal:.0%} of {ideal:,.0f}; bare in batches: {theirs / ideal:.0%}",
    )  # fmt: skip
    curve = Curve(
        f"handlers of {ms} ms", "slots of the worker, or batch of the bare loop", "jobs/s",
        {side: medians(rates) for side, rates in found.items()}, log_x=True, log_y=True,
        note="one process; the bare loop waits for the whole of each batch",
    )  # fmt: skip
    return figure, curve
