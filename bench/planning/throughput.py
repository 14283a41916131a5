"""The highest rate of some workers, and what a job costs at a rate: the more there is to do, the larger the batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .coefficients import Coefficients
from .queueing import closed_rate
from .spreading import parts_of_batch

READ: Final = 500
"""Jobs that a worker reads at once, at most."""


@dataclass(frozen=True, slots=True)
class Load:
    """What there is to do, by the job: bytes, and seconds that the handler awaits and computes."""

    payload: float
    awaits: float = 0.0
    computes: float = 0.0
    delayed: float = 0.0
    """The share (0 to 1) of jobs that were delayed."""
    partitions: int = 1
    """Of the queue."""


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
    redis, worker, most = known.redis, known.worker, min(slots, READ)
    own = worker.run.of(load.payload) + load.delayed * worker.promoted + load.computes * 1e6
    second, away = known.slowness / 1e6, known.slowness * known.delays.turn
    batch = min(most, 1 + rate * away)
    for _ in range(30):
        each = (own + worker.turn / batch) * second
        used = min(0.98, rate * on_core * each)  # past it, the rate will be less
        batch = (batch + min(most, 1 + rate * (away + each / (1 - used)))) / 2
    server = redis.run.of(load.payload) + load.delayed * redis.promote
    # half of a turn is to read, the other half to settle, which is done for each partition by itself
    turns = (1 + parts_of_batch(batch, load.awaits, load.partitions)) / 2 / batch
    return Demand((own + worker.turn * turns) * second, (server + redis.turn * turns) * second, batch)


def highest_rate(known: Coefficients, load: Load, *, slots: int, processes: int, cores: int) -> float:
    """Jobs a second of ``processes`` of ``slots`` each on ``cores`` of their own, and a server on one more.

    Their handlers await, so jobs go round one by one: a closed network. Jobs of handlers that never await move in
    step, a batch being read, run and settled before the next: with few slots this model has them too fast.
    """
    used, rate, away = min(cores, processes), 1.0, load.awaits + known.delays.slot if load.awaits else 0.0
    for _ in range(50):  # the cost depends on the batch, the batch on the rate: it settles
        cost = demand(known, load, rate / processes, slots, on_core=processes / used)
        stations = [cost.worker / used] * used + [cost.redis]
        rate = (rate + closed_rate(slots * processes, away, stations)) / 2
    return rate
