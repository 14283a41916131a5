"""The highest rate of some workers, and what a job costs at a rate: the more there is to do, the larger the batches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from .coefficients import Coefficients
from .queueing import closed_rate

TICK: Final = 0.001
"""Seconds: the grain of an event loop's timers. Handlers that end within one of them go on together."""


@dataclass(frozen=True, slots=True)
class Load:
    """What there is to do, by the job: bytes, and seconds that the handler awaits and computes."""

    payload: float
    awaits: float = 0.0
    computes: float = 0.0
    delayed: float = 0.0
    """The share (0 to 1) of jobs that were delayed."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Seconds of CPU that a job takes, enqueueing left out, and the jobs that share a batch."""

    worker: float
    redis: float
    batch: float


def demand(known: Coefficients, load: Load, rate: float, slots: int, *, on_core: float = 1.0) -> Demand:
    """At ``rate`` jobs a second in one process of so many slots, of ``on_core`` processes that share a core.

    Group commit: what arrives while one batch is under way makes the next (Gray and Reuter, "Transaction
    Processing", 1992), so a batch has 1 + λ t jobs. The time of a turn, t, grows with the use U of the
    core, as D / (1 - U) does in an M/M/1 queue, and larger batches cost less: they settle after some rounds.
    """
    redis, worker, most = known.redis, known.worker, min(slots, known.limits.read)
    own = worker.run.of(load.payload) + load.delayed * worker.promoted + load.computes * 1e6
    own += worker.awaiting if load.awaits else 0.0
    batch = min(most, 1 + rate * known.delays.turn)
    for _ in range(30):
        each = (own + worker.turn / batch) / 1e6
        used = min(0.98, rate * on_core * each)  # past it, the rate will be less
        turn = known.delays.turn + each / (1 - used)
        batch = (batch + min(most, 1 + rate * turn)) / 2
    server = redis.run.of(load.payload) + load.delayed * redis.promote
    return Demand((own + worker.turn / batch) / 1e6, (server + redis.turn / batch) / 1e6, batch)


def highest_rate(known: Coefficients, load: Load, *, slots: int, processes: int, cores: int) -> float:
    """Jobs a second of ``processes`` of ``slots`` each on ``cores`` of their own, and a server on one more.

    Jobs of handlers that await go round one by one: a closed network. Jobs that need no waiting move in step,
    a batch being read, run and settled before the next, until there are slots for a second one. Between the
    two it is a matter of how long a handler awaits beside the grain of the loop's timers.
    """
    used = min(cores, processes)
    step = _in_step(known, load, slots, processes, used)
    share = max(0.0, 1 - load.awaits / TICK) * min(1.0, max(0.0, 2 - slots / known.limits.read))
    rate = step
    for _ in range(50):  # the cost depends on the batch, the batch on the rate: it settles
        cost = demand(known, load, rate / processes, slots, on_core=processes / used)
        alone = _one_by_one(known, load, cost, slots * processes, used)
        rate = (rate + 1 / (share / step + (1 - share) / alone)) / 2
    return rate


def _one_by_one(known: Coefficients, load: Load, cost: Demand, slots: int, cores: int) -> float:
    away = load.awaits + known.delays.slot if load.awaits else 0.0
    return closed_rate(slots, away, [cost.worker / cores] * cores + [cost.redis])


def _in_step(known: Coefficients, load: Load, slots: int, processes: int, cores: int) -> float:
    cost = demand(known, load, math.inf, slots)
    extra = load.delayed * known.delays.promoted + (known.worker.awaiting if load.awaits else 0.0)
    each = (known.delays.step.of(load.payload) + extra) / 1e6 + load.computes
    together = load.awaits + known.delays.turn + slots * each
    return min(processes * slots / together, cores / cost.worker, 1 / cost.redis)
