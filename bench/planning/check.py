"""Checks the planner: configurations that no coefficient was measured with, predicted and measured."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ..cluster import open_cluster
from ..rig import Rig
from .coefficients import Coefficients
from .measure import AWAITED, FULL, SMALL, reference_rate
from .plan import SENT
from .spreading import fullest, of_cluster
from .throughput import Load, demand, highest_rate
from .trial import TASK, Trial, payloads, trial

BOUND: Final = 0.20
"""How far a prediction may be off, as a share of the measurement."""
MUST: Final = 0.9
"""The share of configurations whose predictions must all be within the bound."""
ON_ONE_CORE: Final = 1.15
"""By how much three nodes that share a core here, and its caches, use more CPU than on cores of their own: queues that
have one node each show that in the scenario `partitions`."""
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
    nodes: int = 1
    partitions: int = 1


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


CLUSTERS: Final = (
    Configuration(300, 300, 20, 400, nodes=3, partitions=12),
    Configuration(700, 1100, 10, 300, nodes=3, partitions=4),
)
"""On clusters, whose rate two cores cannot show: what is compared is the CPU of the busiest node."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Predicted and measured: jobs a second (``rate``), bytes before and after they ran (``stored``, ``kept``); on a
    cluster the seconds of CPU that a job takes of the busiest node (``cpu``)."""

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
    for configuration in (*CONFIGURATIONS, *CLUSTERS):
        compared.append(await _middle(rig, known, configuration))
        rig.say(
            f"{len(compared)} of {len(CONFIGURATIONS + CLUSTERS)}, {sum(one.good for one in compared)} are good"
        )
    return compared


def passed(compared: Sequence[Compared]) -> bool:
    """Whether nine in ten are good."""
    return sum(one.good for one in compared) >= MUST * len(compared)


async def _middle(rig: Rig, known: Coefficients, configuration: Configuration) -> Compared:
    """Of some tries the middle one, by its rate as a multiple of the reference's; the prediction has no say in it."""
    if configuration.nodes > 1:
        return await _middle_on_cluster(rig, known, configuration)
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


async def _middle_on_cluster(rig: Rig, known: Coefficients, configuration: Configuration) -> Compared:
    """The same by CPU: what nodes and partitions change is predicted, from what the jobs take of one server now."""
    tries, single = list[tuple[float, Compared]](), replace(configuration, nodes=1, partitions=1)
    jobs = _jobs(known, configuration)
    for _ in range(TRIES):
        one = await _run(rig, single, jobs)
        alone = (one.enqueue + one.run) / 1e6
        changed = cpu_of_busiest(known, configuration) / cpu_of_busiest(known, single)
        measured = await _on_cluster(rig, configuration, jobs)
        compared = Compared(configuration, {"cpu": (alone * changed * ON_ONE_CORE, measured)})
        tries.append((measured / alone, compared))
    return sorted(tries, key=lambda one: one[0])[TRIES // 2][1]


def _now(known: Coefficients, reference: float) -> Coefficients:
    """As they must be now for the prediction of the reference drain to be what was measured."""
    load = Load(SMALL, AWAITED / 1000)
    expected = highest_rate(known, load, slots=FULL, processes=1, cores=1)
    return replace(known, slowness=expected / reference)


def _rate(known: Coefficients, one: Configuration) -> float:
    """Jobs a second; all workers share the one core that the server leaves them here."""
    return highest_rate(known, _load(one), slots=one.slots, processes=one.processes, cores=1)


def _load(one: Configuration) -> Load:
    return Load((one.least + one.most) / 2, one.ms / 1000, delayed=one.delayed, partitions=one.partitions)


def _jobs(known: Coefficients, one: Configuration) -> int:
    """As many as run for some seconds, ten rounds of all slots at least."""
    many = max(10 * one.slots * one.processes, round(SECONDS * _rate(known, one)))
    return min(many, 40_000, round(60e6 / one.most))


async def _run(rig: Rig, one: Configuration, jobs: int) -> Trial:
    # From the least to the most, alike, in an order that has none: how blocks of a stream fill depends on it.
    sizes = [one.least + number * 7919 % (one.most - one.least + 1) for number in range(jobs)]
    return await trial(
        rig, payloads(sizes, one.ms), slots=one.slots, processes=one.processes,
        delayed=one.delayed, keep=round(one.keep * jobs), partitions=one.partitions,
    )  # fmt: skip


async def _on_cluster(rig: Rig, one: Configuration, jobs: int) -> float:
    """Seconds of CPU that a job takes of the busiest node, without what nodes use at rest."""
    async with open_cluster(one.nodes) as cluster:
        rest = await cluster.at_rest()
        loop = asyncio.get_running_loop()
        began, before = loop.time(), await cluster.cpu_of_each()
        await _run(replace(rig, server=cluster), one, jobs)
        passed, after = loop.time() - began, await cluster.cpu_of_each()
    spent = [new - old - idle * passed for old, new, idle in zip(before, after, rest, strict=True)]
    return max(spent) / jobs


def cpu_of_busiest(known: Coefficients, one: Configuration) -> float:
    """The same as the plan has it: all of a job, enqueued with many others, by the share of the fullest node."""
    size, rate = (one.least + one.most) / 2, _rate(known, one)
    cost = demand(known, _load(one), rate / one.processes, one.slots)
    enqueue = known.redis.enqueue.of(size) + known.redis.call / SENT
    whole = cost.redis + known.slowness * enqueue / 1e6
    return whole * of_cluster(one.nodes) * fullest(one.nodes, one.partitions) / one.nodes


def _compare(known: Coefficients, one: Configuration, jobs: int, measured: Trial) -> Compared:
    memory, sizes, later = known.memory, (one.least, one.most), round(jobs * one.delayed)
    stored = later * memory.delayed.mean(sizes, TASK) + (jobs - later) * memory.waiting.mean(sizes, TASK)
    kept = round(one.keep * jobs) * memory.of_completed(sizes, TASK, late=one.delayed)
    pairs = {
        "rate": (_rate(known, one), measured.rate), "stored": (stored, float(measured.stored)),
        "kept": (kept, float(measured.kept)),
    }  # fmt: skip
    return Compared(one, pairs)
