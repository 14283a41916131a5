"""Checks the planner: ten configurations that no coefficient was measured with, predicted and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ..rig import Rig
from .coefficients import Coefficients
from .measure import AWAITED, FULL, SMALL, reference_rate
from .throughput import Load, highest_rate
from .trial import TASK, Trial, payloads, trial

BOUND: Final = 0.20
"""How far a prediction may be off, as a share of the measurement."""
MUST: Final = 0.9
"""The share of configurations whose predictions must all be within the bound."""
SECONDS: Final = 2.0
"""How long a configuration shall run, by the prediction."""
TRIES: Final = 3
"""Of each configuration: what disturbs the machine for a second disturbs one of them."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is run: payloads of ``least`` to ``most`` bytes; ``keep`` is the share of all jobs whose record is kept."""

    least: int
    most: int
    ms: float
    slots: int
    processes: int = 1
    delayed: float = 0.0
    keep: float = 1.0


CONFIGURATIONS: Final = (
    Configuration(200, 200, 20, 100),
    Configuration(90, 400, 5, 150, delayed=0.25),
    Configuration(800, 800, 50, 400, keep=0.5),
    Configuration(2500, 2500, 3, 700),
    Configuration(350, 350, 10, 2000, delayed=0.5),
    Configuration(240, 360, 80, 100, processes=2),
    Configuration(64, 64, 30, 60, processes=3, keep=0.2),
    Configuration(4500, 6500, 15, 80, delayed=0.1),
    Configuration(1100, 1100, 8, 300),
    Configuration(500, 700, 150, 1000, processes=2, delayed=1.0, keep=0.7),
)


@dataclass(frozen=True, slots=True)
class Compared:
    """Predicted and measured: jobs a second (``rate``), bytes before and after they ran (``stored``, ``kept``)."""

    configuration: Configuration
    pairs: dict[str, tuple[float, float]]

    @property
    def good(self) -> bool:
        """Whether all of them are within the bound, as shares of the measurement."""
        return all(abs(predicted / measured - 1) <= BOUND for predicted, measured in self.pairs.values())


async def check(rig: Rig, known: Coefficients) -> list[Compared]:
    """Predict and measure all configurations. Says how far it is.

    The machine's speed drifts, so a drain is run before and after each, and the coefficients follow its rate.
    Nothing else of a run reaches the predictions.
    """
    compared = list[Compared]()
    for configuration in CONFIGURATIONS:
        compared.append(await _middle(rig, known, configuration))
        rig.say(f"{len(compared)} of {len(CONFIGURATIONS)}, {sum(one.good for one in compared)} are good")
    return compared


def passed(compared: Sequence[Compared]) -> bool:
    """Whether nine in ten are good."""
    return sum(one.good for one in compared) >= MUST * len(compared)


async def _middle(rig: Rig, known: Coefficients, configuration: Configuration) -> Compared:
    """Of some tries the middle one, by its rate as a multiple of the reference's; the prediction has no say in it."""
    tries = list[tuple[float, Compared]]()
    before = await reference_rate(rig)
    for _ in range(TRIES):
        jobs = _jobs(_now(known, before), configuration)
        measured = await _run(rig, configuration, jobs)
        after = await reference_rate(rig)
        pace = (before + after) / 2
        tries.append((measured.rate / pace, _compare(_now(known, pace), configuration, jobs, measured)))
        before = after
    return sorted(tries, key=lambda one: one[0])[TRIES // 2][1]


def _now(known: Coefficients, reference: float) -> Coefficients:
    """As they must be now for the prediction of the reference drain to be what was measured."""
    load = Load(SMALL, AWAITED / 1000)
    expected = highest_rate(known, load, slots=FULL, processes=1, cores=1)
    return replace(known, slowness=expected / reference)


def _rate(known: Coefficients, one: Configuration) -> float:
    """Jobs a second; all workers share the one core that the server leaves them here."""
    load = Load((one.least + one.most) / 2, one.ms / 1000, delayed=one.delayed)
    return highest_rate(known, load, slots=one.slots, processes=one.processes, cores=1)


def _jobs(known: Coefficients, one: Configuration) -> int:
    """As many as run for some seconds, ten rounds of all slots at least."""
    many = max(10 * one.slots * one.processes, round(SECONDS * _rate(known, one)))
    return min(many, 40_000, round(60e6 / one.most))


async def _run(rig: Rig, one: Configuration, jobs: int) -> Trial:
    # From the least to the most, alike, in an order that has none: how blocks of a stream fill depends on it.
    sizes = [one.least + number * 7919 % (one.most - one.least + 1) for number in range(jobs)]
    return await trial(
        rig, payloads(sizes, one.ms), slots=one.slots, processes=one.processes,
        delayed=one.delayed, keep=round(one.keep * jobs),
    )  # fmt: skip


def _compare(known: Coefficients, one: Configuration, jobs: int, measured: Trial) -> Compared:
    memory, sizes, later = known.memory, (one.least, one.most), round(jobs * one.delayed)
    stored = later * memory.delayed.mean(sizes, TASK) + (jobs - later) * memory.waiting.mean(sizes, TASK)
    kept = round(one.keep * jobs) * memory.of_completed(sizes, TASK, late=one.delayed)
    pairs = {
        "rate": (_rate(known, one), measured.rate), "stored": (stored, float(measured.stored)),
        "kept": (kept, float(measured.kept)),
    }  # fmt: skip
    return Compared(one, pairs)
