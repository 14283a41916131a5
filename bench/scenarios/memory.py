"""Bytes of Redis memory per waiting, delayed, active and completed job, for payloads of 50 bytes to 64 KB."""

from __future__ import annotations

from typing import Final

from ..figures import Curve, Figure, Measured
from ..occupancy import STATES, Taken, bare_waiting, exact, spread, warm
from ..rig import Rig

SIZES: Final = (50, 100, 300, 1_000, 4_000, 16_000, 64_000)
"""Bytes of a payload."""
MEASURES: Final = {**STATES, "bare XADD": bare_waiting}
MIXES: Final = {"payload": exact, "payloads around": spread}

Found = dict[tuple[str, str], dict[int, Taken]]
"""By state and mix: what a job takes by the size of its payload."""


async def measure(rig: Rig) -> Measured:
    """With payloads of exactly a size, and of 80 to 120 % of it."""
    sizes = rig.of(SIZES, SIZES[:4])
    await warm(rig)
    found: Found = {(state, mix): {} for state in MEASURES for mix in MIXES}
    for size in sizes:
        jobs = min(rig.of(30_000, 3_000), rig.of(64_000_000, 16_000_000) // size)
        for (state, mix), by_size in found.items():
            by_size[size] = await MEASURES[state](rig, MIXES[mix](size, jobs))
        said = ", ".join(f"{state} {found[state, 'payload'][size].beyond:.0f}" for state in MEASURES)
        rig.say(f"{jobs:,} jobs of {size:,} B, bytes beyond the payload: {said}")
    figures = [
        _figure(found, state, mix, size)
        for state in ("waiting", "completed")
        for mix in MIXES
        for size in sizes
    ]
    return [*figures, *(_curve(found, mix) for mix in MIXES)]


def _figure(found: Found, state: str, mix: str, size: int) -> Figure:
    """For payloads around a size: what they take beyond themselves, on a payload of that very size."""
    ours = size + found[state, mix][size].beyond
    theirs = size + found["bare XADD", mix][size].beyond if state == "waiting" else None
    ratio = ours / theirs if theirs else None
    return Figure(f"{state} job, {mix} {size:,} B", "bytes", ours, theirs, ratio)


def _curve(found: Found, mix: str) -> Curve:
    series = {
        state: [(float(size), taken.beyond) for size, taken in found[state, mix].items()]
        for state in MEASURES
    }
    return Curve(
        f"memory beyond the payload, {mix} a size", "bytes of the payload", "bytes beyond it per job",
        series, log_x=True, note="from 80 to 120 %" if mix != "payload" else "",
    )  # fmt: skip
