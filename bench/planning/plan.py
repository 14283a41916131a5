"""From what is wanted to what it takes: pure arithmetic over the coefficients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from . import history, memory
from .coefficients import Coefficients
from .layout import spread
from .queueing import busy_slots, slots_for, wait
from .throughput import BATCH, Demand, Load, demand

P99: Final = 0.99
MOST_SLOTS: Final = 1000
"""Slots of one process, at most: more bring no larger batches."""
LEAST_SLOTS: Final = 100
"""Slots of one process, at least: the engine's default, as fewer save nothing."""
KEEP: Final = 1_000
KEEP_FAILED: Final = 10_000
KEEP_FAILED_FOR: Final = 604_800.0
"""Defaults of the engine's settings: completed jobs kept, failed jobs kept, and for how many seconds."""
WORKER_CPU: Final = 0.70
REDIS_CPU: Final = 0.60
SLOTS: Final = 0.85
MEMORY: Final = 0.70
CONNECTIONS: Final = 0.80
"""Shares of a worker's core, the server's core, the slots, a node's memory and its connections that may be in use."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is wanted. Times in seconds, sizes in bytes, rates a second."""

    rate: float
    payload: tuple[int, int] = (300, 300)
    handler: float = 0.0
    """Awaited by a handler, on average."""
    computes: float = 0.0
    """CPU of a handler."""
    p99: float = 1.0
    """From enqueueing to the start, for 99 of 100 jobs."""
    retention: float | None = None
    keep: int | None = None
    result: int = 0
    failing: float = 0.001
    attempts: int = history.ATTEMPTS
    """That a job spends before it fails."""
    delayed: int = 0
    delay: float = 86_400.0
    outage: float = 60.0
    """How long jobs pile up while no worker runs."""
    batch: int = 1
    """Jobs in one enqueue call."""
    producers: int = 2
    spare: int = 1
    """Processes that may be lost."""
    concurrency: int | None = None
    cores: int = 2
    """Of one machine that runs workers."""
    node_memory: int = 4 * 2**30


@dataclass(frozen=True, slots=True)
class Gauge:
    """How far something is from its limit, per node or process. ``used`` and ``limit`` are in ``unit``."""

    name: str
    used: float
    limit: float
    unit: str

    @property
    def share(self) -> float:
        """Of the limit."""
        return self.used / self.limit


@dataclass(frozen=True, slots=True)
class Plan:
    """What it takes."""

    machines: int
    processes: int
    """With the spare ones."""
    concurrency: int
    """Slots of a process."""
    partitions: int
    connections: int
    redis_cpu: float
    """Cores, of all partitions together."""
    worker_cpu: float
    """Cores, of all processes together."""
    memory: dict[str, float]
    """Bytes by state, of all partitions together."""
    p99: float
    gauges: tuple[Gauge, ...]
    notes: tuple[str, ...]

    @property
    def reachable(self) -> bool:
        """Whether nothing is past its limit."""
        return all(gauge.share <= 1 for gauge in self.gauges)


def plan(known: Coefficients, wishes: Wishes) -> Plan:
    """The smallest set-up whose shares stay below the limits, when ``spare`` processes are lost."""
    load = Load(sum(wishes.payload) / 2, wishes.handler, wishes.computes, _delayed_share(wishes))
    cost = demand(known, load, wishes.rate, MOST_SLOTS)
    needed = _processes(known, wishes, load, _slots(known, wishes, load, cost))
    cost = demand(known, load, wishes.rate / needed, wishes.concurrency or MOST_SLOTS)
    concurrency = wishes.concurrency or max(
        LEAST_SLOTS, math.ceil(_slots(known, wishes, load, cost) / needed)
    )
    processes = needed + wishes.spare
    parts = memory_parts(known, wishes, processes * concurrency, processes)
    redis = wishes.rate * _redis_seconds(known, wishes, load, cost)
    connections = processes * known.connections.worker + wishes.producers * known.connections.producer
    partitions = max(
        1, math.ceil(redis / REDIS_CPU), math.ceil(sum(parts.values()) / (MEMORY * wishes.node_memory))
    )
    p99 = _floor(known) + wait(wishes.rate, _service(known, load, cost), needed * concurrency, P99)
    busy = busy_slots(wishes.rate, _service(known, load, cost)) / (needed * concurrency)
    gauges = (
        Gauge("worker CPU", wishes.rate * cost.worker / needed, WORKER_CPU, "cores"),
        Gauge("slots in use", busy, SLOTS, "slots"),
        Gauge("wait, p99", p99, wishes.p99, "s"),
        Gauge("Redis CPU", redis / partitions, REDIS_CPU, "cores"),
        Gauge("Redis memory", sum(parts.values()) / partitions, MEMORY * wishes.node_memory, "bytes"),
        Gauge("connections", connections, CONNECTIONS * known.connections.most, "connections"),
    )
    return Plan(
        math.ceil(processes / wishes.cores), processes, concurrency, partitions, connections * partitions,
        redis, wishes.rate * cost.worker, parts, p99, gauges, _notes(wishes, parts, partitions, redis, p99),
    )  # fmt: skip


def capacity_of_a_partition(known: Coefficients, payload: int = 300) -> float:
    """Jobs a second that one server can do, from enqueueing to their records, in full batches."""
    wishes = Wishes(rate=1.0, batch=BATCH)
    load = Load(payload)
    return 1 / _redis_seconds(known, wishes, load, demand(known, load, math.inf, BATCH))


def records(wishes: Wishes) -> int:
    """Completed records that are kept: a rate's worth of the retention, and no more than the count (Little 1961)."""
    if wishes.retention is None:
        return KEEP if wishes.keep is None else wishes.keep
    aged = math.ceil(busy_slots(wishes.rate * (1 - wishes.failing), wishes.retention))
    return aged if wishes.keep is None else min(aged, wishes.keep)


def memory_parts(known: Coefficients, wishes: Wishes, slots: int, processes: int) -> dict[str, float]:
    """Bytes by state. The delayed, kept and waiting jobs by their number; the active ones fill all slots."""
    sizes, of = spread(*wishes.payload), known.memory
    lost = min(KEEP_FAILED, math.ceil(wishes.rate * wishes.failing * KEEP_FAILED_FOR))
    return {
        "waiting": wishes.rate * wishes.outage * memory.waiting(of, sizes),
        "active": slots * memory.active(of, sizes),
        "delayed": wishes.delayed * memory.delayed(of, sizes),
        "completed": records(wishes) * memory.completed(of, sizes, wishes.result, _delayed_share(wishes)),
        "failed": lost * memory.failed(of, sizes, wishes.attempts),
        "server, workers": of.empty + processes * of.worker,
    }


def _delayed_share(wishes: Wishes) -> float:
    """Of all jobs: those that come due a second, by Little's law for the ones at rest."""
    return min(1.0, wishes.delayed / wishes.delay / wishes.rate)


def _service(known: Coefficients, load: Load, cost: Demand) -> float:
    """How long a job has its slot."""
    return load.awaits + cost.worker + known.delays.slot


def _floor(known: Coefficients) -> float:
    """From enqueueing to the start when every slot is free."""
    return known.delays.round_trip + known.delays.turn


def _slots(known: Coefficients, wishes: Wishes, load: Load, cost: Demand) -> int:
    """Slots in all, by the wait. Raises ``ValueError`` when no number of them is enough."""
    room = wishes.p99 - _floor(known)
    if room <= 0:
        raise ValueError(
            f"a p99 of {wishes.p99 * 1000:g} ms cannot be had: with every slot free a job starts after "
            f"{_floor(known) * 1000:.2g} ms here; ask for more than that"
        )
    return slots_for(wishes.rate, _service(known, load, cost), P99, room, most=SLOTS)


def _processes(known: Coefficients, wishes: Wishes, load: Load, total: int) -> int:
    """As many as the slots need, and the CPU: a process that has less to do has smaller batches, which cost more."""
    each = wishes.concurrency or MOST_SLOTS
    cheapest = demand(known, load, math.inf, each).worker
    needed = max(math.ceil(total / each), math.ceil(wishes.rate * cheapest / WORKER_CPU), 1)
    while wishes.rate / needed * demand(known, load, wishes.rate / needed, each).worker > WORKER_CPU:
        needed += max(1, needed // 50)
    return needed


def _redis_seconds(known: Coefficients, wishes: Wishes, load: Load, cost: Demand) -> float:
    """The server's CPU of one job, from enqueueing to its record."""
    redis, later = known.redis, load.delayed
    enqueue = (1 - later) * redis.enqueue.of(load.payload) + later * redis.delay.of(load.payload)
    return (enqueue + redis.call / wishes.batch) / 1e6 + cost.redis


def _notes(
    wishes: Wishes, parts: dict[str, float], partitions: int, redis: float, p99: float
) -> tuple[str, ...]:
    notes, kept = [], records(wishes)
    if kept > KEEP:
        seconds = f" and STREAMQ_KEEP_COMPLETED_FOR={wishes.retention:.0f}" if wishes.retention else ""
        notes.append(f"set STREAMQ_KEEP_COMPLETED={kept}{seconds}: by default only {KEEP:,} records are kept")
    if wishes.retention and wishes.keep is not None and kept == wishes.keep:
        held = kept / wishes.rate
        notes.append(f"the count of {kept:,} records is reached after {held:,.0f} s, before their age")
    if parts["completed"] > 0.5 * sum(parts.values()):
        notes.append(
            "most of the memory is completed records: keep fewer, with --keep or a shorter --retention"
        )
    if partitions > 1:
        notes.append(
            f"{partitions} partitions mean {partitions} queues, each on a server of its own: "
            "one queue cannot be split yet"
        )
    if p99 > wishes.p99:
        notes.append("the concurrency that was asked for is too small for the p99")
    if redis > REDIS_CPU and wishes.batch == 1:
        notes.append("a call for each job is dear for the server: see what --batch 100 would change")
    return tuple(notes)
