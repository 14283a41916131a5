"""What the statistics add to the price of a job: a drain with them, as it is by default, beside one without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..draining import Drain, ours
from ..figures import Measured, compared
from ..rig import Rig
from ..tasks import messages

_FIGURES: Final[tuple[tuple[str, str, Callable[[Drain], float]], ...]] = (
    ("drain, counted", "jobs/s", lambda drain: drain.drain),
    ("worker CPU per drained job, counted", "µs", lambda drain: drain.worker),
    ("Redis CPU per drained job, counted", "µs", lambda drain: drain.drained),
)


async def measure(rig: Rig) -> Measured:
    """A worker of 500 slots; each round has both, and begins with the other one."""
    payloads = messages(rig.of(60_000, 20_000))
    found: dict[bool, list[Drain]] = {True: [], False: []}
    for number in range(rig.rounds(9)):
        for counted in (True, False) if number % 2 else (False, True):
            found[counted].append(
                await ours(rig, payloads, concurrency=500, settings={"statistics": counted})
            )
        rig.say(f"worker {found[True][-1].worker:.2f} against {found[False][-1].worker:.2f} µs")
    return [
        compared(
            name, unit, [of(drain) for drain in found[True]], [of(drain) for drain in found[False]],
            note="beside one that counts nothing",
        )
        for name, unit, of in _FIGURES
    ]  # fmt: skip
