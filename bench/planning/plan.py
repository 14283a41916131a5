"""From what is wanted to what it takes: pure arithmetic over the coefficients."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

from streamq import Settings

from .coefficients import Coefficients
from .memory import TASK
from .queueing import busy_slots, slots_for, wait
from .spreading import LEAST, MOST, fullest, of_cluster, parts_of_call, right
from .throughput import Demand, Load, demand
from .wishes import Wishes

P99: Final = 0.99
MOST_AT_ONCE: Final = 1_000_000
"""Running jobs of a plan: Erlang's recursion takes a step for each, and with as many some seconds."""
MOST_SLOTS: Final = 1000
"""Slots of one process, at most: more bring no larger batches."""
ATTEMPTS: Final = 5
"""That a job may spend, by the engine's default."""
SENT: Final = 500
"""Jobs of one enqueue call, at most: the engine makes several calls of more."""
WORKER_CPU: Final = 0.70
REDIS_CPU: Final = 0.60
SLOTS: Final = 0.85
MEMORY: Final = 0.70
CONNECTIONS: Final = 0.80
"""Shares of a worker's core, the server's core, the slots, a node's memory and its connections that may be in use."""
REDIS: Final = "Redis CPU"
STORED: Final = "Redis memory"
"""Gauges of the fullest node, by which the number of nodes is found."""


def default(setting: str) -> Any:
    """What the engine does when it is told nothing."""
    return Settings.model_fields[setting].default


def load_of(wishes: Wishes) -> Load:
    """What one job is."""
    return Load(sum(wishes.payload) / 2, wishes.handler, wishes.computes, wishes.late, wishes.partitions or 1)


def records(wishes: Wishes) -> int:
    """Completed records that are kept: a rate's worth of the retention, no more than the count (Little 1961)."""
    if wishes.retention is None:
        return int(default("keep_completed")) if wishes.keep is None else wishes.keep
    aged = math.ceil(busy_slots(wishes.rate * (1 - wishes.failing), wishes.retention))
    return aged if wishes.keep is None else min(aged, wishes.keep)


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
    nodes: int
    """Redis servers; more than one are the primaries of a cluster."""
    partitions: int
    """Of the queue, spread over the nodes."""
    fullest: float
    """How much of the work the fullest node has, as a multiple of the average."""
    connections: int
    redis_cpu: float
    """Cores, of all nodes together."""
    worker_cpu: float
    """Cores, of all processes together."""
    memory: dict[str, float]
    """Bytes by state, of all nodes together."""
    p99: float
    gauges: tuple[Gauge, ...]
    notes: tuple[str, ...]

    @property
    def excess(self) -> float:
        """How far the fullest node is from its limits: at most 1 where it is below them."""
        return max(gauge.share for gauge in self.gauges if gauge.name in (REDIS, STORED))

    @property
    def fits(self) -> bool:
        """Whether the nodes are enough."""
        return self.excess <= 1

    @property
    def reachable(self) -> bool:
        """Whether nothing is past its limit."""
        return all(gauge.share <= 1 for gauge in self.gauges)


def plan(known: Coefficients, wishes: Wishes) -> Plan:
    """The smallest set-up whose shares stay below the limits, when ``spare`` processes are lost.

    Nodes are tried from one, and then from as many as a cluster has at least, each with the partitions that are right
    for them: more of these make a job dearer.
    """
    found = _on(known, wishes, wishes.nodes or 1)
    while wishes.nodes is None and not found.fits and found.nodes < MOST:
        nodes = math.ceil(found.nodes * min(0.9 * found.excess, 4))
        found = _on(known, wishes, min(MOST, max(LEAST, found.nodes + 1, nodes)))
    if found.fits or found.nodes < MOST:
        return found
    return replace(
        found, notes=(*found.notes, f"one queue has {MOST} partitions at most: have several queues")
    )


def _on(known: Coefficients, wishes: Wishes, nodes: int) -> Plan:
    """The plan for so many nodes."""
    wishes = replace(wishes, partitions=wishes.partitions or right(nodes))
    partitions = wishes.partitions or 1
    cost = demand(known, load_of(wishes), wishes.rate, MOST_SLOTS)
    needed = _processes(known, wishes, _slots(known, wishes, cost))
    cost = demand(known, load_of(wishes), wishes.rate / needed, wishes.concurrency or MOST_SLOTS)
    each = math.ceil(_slots(known, wishes, cost) / needed)
    # Fewer than a worker has by default save nothing.
    concurrency = wishes.concurrency or max(int(default("concurrency")), each)
    processes = needed + wishes.spare
    parts = memory_parts(known, wishes, processes * concurrency, processes, nodes)
    redis = wishes.rate * _redis_seconds(known, wishes, cost) * of_cluster(nodes)
    connections = processes * known.connections.of_worker + wishes.producers * known.connections.of_producer
    service, share = _service(known, wishes, cost), fullest(nodes, partitions) / nodes
    p99 = _floor(known) + wait(wishes.rate, service, needed * concurrency, P99)
    gauges = (
        Gauge("worker CPU", wishes.rate * cost.worker / needed, WORKER_CPU, "cores"),
        Gauge("slots in use", busy_slots(wishes.rate, service) / (needed * concurrency), SLOTS, "slots"),
        Gauge("wait, p99", p99, wishes.p99, "s"),
        Gauge(REDIS, redis * share, REDIS_CPU, "cores"),
        Gauge(STORED, sum(parts.values()) * share, MEMORY * wishes.node_memory, "bytes"),
        Gauge("connections", connections, CONNECTIONS * known.connections.most, "connections"),
    )
    return Plan(
        math.ceil(processes / wishes.cores), processes, concurrency, nodes, partitions, share * nodes,
        connections * nodes, redis, wishes.rate * cost.worker, parts, p99, gauges,
        _notes(wishes, parts, nodes, redis, p99),
    )  # fmt: skip


def memory_parts(
    known: Coefficients, wishes: Wishes, slots: int, processes: int, nodes: int = 1
) -> dict[str, float]:
    """Bytes by state. The delayed, kept and waiting jobs by their number; the active ones fill all slots."""
    sizes, of = wishes.payload, known.memory
    waiting, delayed = of.waiting.mean(sizes, TASK), of.delayed.mean(sizes, TASK)
    lost = min(default("keep_failed"), math.ceil(wishes.rate * wishes.failing * default("keep_failed_for")))
    return {
        "waiting": wishes.rate * wishes.outage * waiting,
        "active": slots * (waiting + of.pending),
        "delayed": wishes.delayed * delayed,
        "completed": records(wishes) * of.of_completed(sizes, result=wishes.result, late=wishes.late),
        "failed": lost * of.of_failed(sizes, wishes.attempts or ATTEMPTS),
        "server, workers": nodes * (of.empty + processes * of.worker),
    }


def _service(known: Coefficients, wishes: Wishes, cost: Demand) -> float:
    """How long a job has its slot."""
    return wishes.handler + cost.worker + known.delays.slot


def _floor(known: Coefficients) -> float:
    """From enqueueing to the start when every slot is free."""
    return known.delays.enqueue + known.delays.turn


def _slots(known: Coefficients, wishes: Wishes, cost: Demand) -> int:
    """Slots in all, by the wait. Raises ``ValueError`` when no number of them is enough."""
    room = wishes.p99 - _floor(known)
    if room <= 0:
        raise ValueError(
            f"a p99 of {wishes.p99 * 1000:g} ms cannot be had: with every slot free a job starts after "
            f"{_floor(known) * 1000:.2g} ms here; ask for more than that"
        )
    at_once = busy_slots(wishes.rate, _service(known, wishes, cost))
    if at_once > MOST_AT_ONCE:
        raise ValueError(
            f"{at_once:,.0f} jobs would run at once: plan a part that has {MOST_AT_ONCE:,} at most"
        )
    return slots_for(wishes.rate, _service(known, wishes, cost), P99, room, most=SLOTS)


def _processes(known: Coefficients, wishes: Wishes, total: int) -> int:
    """As many as the slots need, and the CPU: a process that has less to do has smaller batches, which cost more."""
    each = wishes.concurrency or MOST_SLOTS
    cheapest = demand(known, load_of(wishes), math.inf, each).worker
    needed = max(math.ceil(total / each), math.ceil(wishes.rate * cheapest / WORKER_CPU), 1)
    while (
        wishes.rate / needed * demand(known, load_of(wishes), wishes.rate / needed, each).worker > WORKER_CPU
    ):
        needed += max(1, needed // 50)
    return needed


def _redis_seconds(known: Coefficients, wishes: Wishes, cost: Demand) -> float:
    """The server's CPU of one job, from enqueueing to its record."""
    redis, payload = known.redis, sum(wishes.payload) / 2
    at_once, delayed = redis.enqueue.of(payload), redis.delay.of(payload)
    enqueue = at_once + wishes.late * (delayed - at_once)
    jobs = min(wishes.batch, SENT)
    calls = parts_of_call(jobs, wishes.partitions or 1) / jobs
    return (enqueue + redis.call * calls) / 1e6 + cost.redis


def _notes(wishes: Wishes, parts: dict[str, float], nodes: int, redis: float, p99: float) -> tuple[str, ...]:
    kept, usual = records(wishes), default("keep_completed")
    age = f" and STREAMQ_KEEP_COMPLETED_FOR={wishes.retention:.0f}" if wishes.retention else ""
    count = wishes.partitions or 1
    above = fullest(nodes, count) - 1
    notes = {
        f"set STREAMQ_KEEP_COMPLETED={kept}{age}: by default only {usual:,} records are kept": kept > usual,
        f"the count of {kept:,} records is reached after {kept / wishes.rate:,.0f} s, before their age":
            bool(wishes.retention) and kept == wishes.keep,
        "most of the memory is completed records: keep fewer, with --keep or a shorter --retention":
            parts["completed"] > 0.5 * sum(parts.values()),
        f"{nodes} nodes are a cluster, over which `app.queue(NAME, partitions={count})` spreads the queue": nodes > 1,
        f"a group, or jobs with one unique key, stay in one partition, which is one node: no more than 1/{count} of "
        "the load should be of one group": nodes > 1,
        f"the fullest node has {above:.0%} more than the average: {right(nodes)} partitions are spread more evenly":
            above > fullest(nodes, right(nodes)) - 1 + 0.01,
        "one server has CPU enough for it: with a larger --node-memory no cluster is needed":
            nodes > 1 and redis <= REDIS_CPU,
        "a cluster has three nodes at least": 1 < nodes < LEAST,
        "the concurrency that was asked for is too small for the p99": p99 > wishes.p99,
        "a call for each job is dear for the server: see what --batch 100 would change":
            redis > REDIS_CPU and wishes.batch == 1,
    }  # fmt: skip
    return tuple(note for note, said in notes.items() if said)
