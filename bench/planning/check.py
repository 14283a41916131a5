"""Checks the planner: ten configurations that no coefficient was measured with, predicted and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from ..rig import Rig
from . import memory
from .coefficients import Coefficients
from .layout import spread
from .measure import FULL, SMALL, reference_rate
from .throughput import Load, highest_rate
from .trial import TASK, Trial, payloads, trial

BOUND: Final = 0.20
"""How far a prediction may be off, as a share of the measurement."""
MUST: Final = 9
SECONDS: Final = 2.0
"""How long a configuration shall run, by the prediction."""


STEADY: Final = 0.15
"""By how much the reference drains before and after may differ, as a share, else it is tried again."""
TRIES: Final = 3


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
    Configuration(2500, 2500, 0, 700),
    Configuration(350, 350, 0, 2000, delayed=0.5),
    Configuration(240, 360, 80, 100, processes=2),
    Configuration(64, 64, 30, 60, processes=3, keep=0.2),
    Configuration(4500, 6500, 15, 80, delayed=0.1),
    Configuration(1100, 1100, 8, 300),
    Configuration(500, 700, 150, 1000, processes=2, delayed=1.0, keep=0.7),
)


@dataclass(frozen=True, slots=True)
class Compared:
    """Predicted and measured: jobs a second, and bytes before and after they ran."""

    configuration: Configuration
    rate: tuple[float, float]
    stored: tuple[float, float]
    kept: tuple[float, float]

    def asdict(self) -> dict[str, Any]:
        """As JSON has it."""
        names = ("predicted", "measured")
        pairs = {"rate": self.rate, "stored": self.stored, "kept": self.kept}
        return {
            "configuration": asdict(self.configuration), "good": self.good,
            **{name: dict(zip(names, pair, strict=True)) for name, pair in pairs.items()},
        }  # fmt: skip

    @property
    def errors(self) -> list[float]:
        """By how much each prediction is off, as a share of the measurement."""
        return [predicted / measured - 1 for predicted, measured in (self.rate, self.stored, self.kept)]

    @property
    def good(self) -> bool:
        """Whether all of them are within the bound."""
        return all(abs(error) <= BOUND for error in self.errors)


async def check(rig: Rig, known: Coefficients) -> list[Compared]:
    """Predict and measure all configurations. Says each when it is done.

    The machine's speed drifts, so a drain of jobs that do nothing is run before and after each, and the
    coefficients follow its rate. Nothing else of a run reaches the predictions.
    """
    compared = []
    for configuration in CONFIGURATIONS:
        one = await _steady(rig, known, configuration)
        rig.say(line(one))
        compared.append(one)
    return compared


async def _steady(rig: Rig, known: Coefficients, configuration: Configuration) -> Compared:
    """Of some tries the one during which the machine's speed changed least; the prediction has no say in it."""
    tries = list[tuple[float, Compared]]()
    before = await reference_rate(rig)
    while True:
        jobs = _jobs(_now(known, before), configuration)
        measured = await _run(rig, configuration, jobs)
        after = await reference_rate(rig)
        drift = abs(after - before) / min(before, after)
        now = _now(known, (before + after) / 2)
        tries.append((drift, _compare(now, configuration, jobs, measured)))
        if drift <= STEADY or len(tries) == TRIES:
            return min(tries, key=lambda one: one[0])[1]
        before = after


def _now(known: Coefficients, reference: float) -> Coefficients:
    """As they must be now for the prediction of the reference drain to be what was measured."""
    return known.slowed(highest_rate(known, Load(SMALL), slots=FULL, processes=1, cores=1) / reference)


def passed(compared: Sequence[Compared]) -> bool:
    """Whether nine in ten are good."""
    return sum(one.good for one in compared) >= MUST / 10 * len(compared)


def predicted_rate(known: Coefficients, configuration: Configuration) -> float:
    """Jobs a second; all workers share the one core that the server leaves them here."""
    payload = (configuration.least + configuration.most) / 2
    load = Load(payload, configuration.ms / 1000, delayed=configuration.delayed)
    return highest_rate(known, load, slots=configuration.slots, processes=configuration.processes, cores=1)


def _jobs(known: Coefficients, configuration: Configuration) -> int:
    """As many as run for some seconds, ten rounds of all slots at least."""
    rounds = 10 * configuration.slots * configuration.processes
    many = max(rounds, round(SECONDS * predicted_rate(known, configuration)))
    return min(many, 40_000, round(60e6 / configuration.most))


async def _run(rig: Rig, configuration: Configuration, jobs: int) -> Trial:
    sizes = spread(configuration.least, configuration.most, jobs)
    return await trial(
        rig, payloads(sizes, configuration.ms), slots=configuration.slots, processes=configuration.processes,
        delayed=configuration.delayed, keep=round(configuration.keep * jobs),
    )  # fmt: skip


def _compare(known: Coefficients, configuration: Configuration, jobs: int, measured: Trial) -> Compared:
    sizes = spread(configuration.least, configuration.most)
    later = round(jobs * configuration.delayed)
    stored = later * memory.delayed(known.memory, sizes)
    stored += (jobs - later) * memory.waiting(known.memory, sizes, TASK)
    kept = round(configuration.keep * jobs) * memory.completed(
        known.memory, sizes, share=configuration.delayed
    )
    return Compared(
        configuration, (predicted_rate(known, configuration), measured.rate), (stored, measured.stored),
        (kept, measured.kept),
    )  # fmt: skip


HEAD: Final = (
    f"{'payload':>10} {'handler':>8} {'slots':>8} {'delayed':>7} {'kept':>5}"
    f"  {'rate':>7} {'measured':>8} {'':>5}  {'stored':>8} {'measured':>8} {'':>5}  {'records':>8} {'measured':>8}"
)


def line(one: Compared) -> str:
    """One line of the table, below ``HEAD``."""
    c, (rate, stored, kept) = one.configuration, one.errors
    size = f"{c.least} B" if c.least == c.most else f"{c.least}..{c.most}"
    return (
        f"{size:>10} {c.ms:>5g} ms {c.processes:>3} x{c.slots:>4} {c.delayed:>7.0%} {c.keep:>5.0%}"
        f"  {one.rate[0]:>7,.0f} {one.rate[1]:>8,.0f} {rate:>+5.0%}"
        f"  {one.stored[0] / 1e6:>5.1f} MB {one.stored[1] / 1e6:>5.1f} MB {stored:>+5.0%}"
        f"  {one.kept[0] / 1e6:>5.1f} MB {one.kept[1] / 1e6:>5.1f} MB {kept:>+5.0%}"
        f"{'' if one.good else '  OFF'}"
    )
