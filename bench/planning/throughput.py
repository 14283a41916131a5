"""The highest rate of some workers, and what a job costs at a rate: the more there is to do, the larger the batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .coefficients import Coefficients
from .queueing import closed_rate

BATCH: Final = 500
"""Jobs that a worker reads at once, at most."""
TICK: Final = 0.001
"""Seconds: the grain of an event loop's timers. Handlers that end within one of them go on together."""


@dataclass(frozen=True, slots=True)
class Load:
    """What there is to do, by the job: bytes, and seconds that the handler awaits and computes."""

    payload: float
    awaits: float
    computes: float = 0.0
    delayed: float = 0.0
    """The share (0 to 1) of jobs that were delayed."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Seconds of CPU that a job takes, enqueueing left out, and the jobs that share a batch."""

    worker: float
    redis: float
    batch: float


def demand(known: Coefficients, load: Load, rate: float, slots: int) -> Demand:
    """At ``rate`` jobs a second in one process of so many slots.

    Group commit: what arrives while one batch is under way makes the next (Gray and Reuter, "Transaction
    Processing", 1992), so a batch has 1 + λ t jobs, t being the time of a turn.
    """
    batch = min(slots, BATCH, 1 + rate * known.delays.turn)
    redis, worker = known.redis, known.worker
    server = redis.fetch.of(load.payload) + redis.settle.of(load.payload) + load.delayed * redis.promote
    own = worker.run.of(load.payload) + load.delayed * worker.promoted
    if load.awaits:
        own += worker.awaiting
    return Demand(
        (own + worker.turn / batch) / 1e6 + load.computes, (server + redis.turn / batch) / 1e6, batch
    )


def highest_rate(known: Coefficients, load: Load, *, slots: int, processes: int, cores: int) -> float:
    """Jobs a second of ``processes`` of ``slots`` each on ``cores`` of their own, and a server on one more.

    Jobs of handlers that await go round one by one: a closed network. Jobs that need no waiting move in step,
    a batch being read, run and settled before the next, until there are slots for a second one. Between the
    two it is a matter of how long a handler awaits beside the grain of the loop's timers.
    """
    rate = processes * slots / (known.delays.slot + load.awaits + 1e-5)
    for _ in range(50):  # the cost depends on the batch, the batch on the rate: it settles
        cost = demand(known, load, rate / processes, slots)
        alone = _one_by_one(known, load, cost, slots * processes, min(cores, processes))
        step = _in_step(load, demand(known, load, 1e9, slots), slots, processes, min(cores, processes))
        share = TICK / (TICK + load.awaits) * min(1.0, BATCH / slots)
        rate = (rate + 1 / (share / step + (1 - share) / alone)) / 2
    return rate


def _one_by_one(known: Coefficients, load: Load, cost: Demand, slots: int, cores: int) -> float:
    away = load.awaits + known.delays.slot if load.awaits else 0.0
    return closed_rate(slots, away, [cost.worker / cores] * cores + [cost.redis])


def _in_step(load: Load, cost: Demand, slots: int, processes: int, cores: int) -> float:
    together = load.awaits + slots * (cost.worker + cost.redis)
    return min(processes * slots / together, cores / cost.worker, 1 / cost.redis)
