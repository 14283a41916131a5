"""What is wanted of a plan: one table, from which the options of the command and what a plan assumes are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import click

from streamq.cli.options import DURATION

from . import units
from .spreading import MOST

ONE: Final = click.IntRange(1)
NODES: Final = click.IntRange(1, 1_000)
PARTITIONS: Final = click.IntRange(1, MOST)
ATTEMPTS: Final = click.IntRange(1, 1_000)
SLOTS: Final = click.IntRange(1, 100_000)


def _wish(kind: Any, default: Any, said: str, flag: str = "") -> Any:
    """The type that reads it, the default as one would type it, and the help; its flag, where that is another."""
    read = default if default is None else kind(default)
    return field(default=read, metadata={"type": kind, "default": default, "help": said, "flag": flag})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """Times in seconds, sizes in bytes, rates a second. None is what the engine does by default, or as needed."""

    rate: float = _wish(
        units.rate, None, "How many jobs come: 2000/s, 120k/min, 5M/d. Needed, but for --check."
    )
    payload: tuple[int, int] = _wish(units.sizes, "300", "Bytes of a payload: 300, or 240..360.")
    handler: float = _wish(units.milliseconds, "0", "Time a handler awaits: 80, 1.5s.", "handler-ms")
    computes: float = _wish(units.milliseconds, "0", "CPU time of a handler.", "cpu-ms")
    p99: float = _wish(DURATION, "1s", "In which 99 of 100 jobs shall start.")
    retention: float | None = _wish(
        DURATION, None, "How long completed jobs are kept: 24h.  [default: by count alone]"
    )
    keep: int | None = _wish(
        units.count, None, "How many completed jobs are kept: 1M.  [default: as the engine, or all of the retention]"
    )  # fmt: skip
    result: int = _wish(units.size, "0", "Bytes of a job's result.")
    failing: float = _wish(units.share, "0.1%", "Share of jobs that fail for good.")
    attempts: int | None = _wish(
        ATTEMPTS, None, "Attempts a job spends before it fails.  [default: the engine's]"
    )
    delayed: int = _wish(units.count, "0", "Delayed jobs at any time: 5M.")
    delay: float = _wish(DURATION, "24h", "How long they are delayed.")
    outage: float = _wish(DURATION, "1m", "For how long jobs may pile up without a worker.")
    batch: int = _wish(ONE, 1, "Jobs to an enqueue call.")
    producers: int = _wish(ONE, 2, "Processes that enqueue.")
    spare: int = _wish(click.IntRange(0), 1, "Worker processes that may be lost.")
    concurrency: int | None = _wish(SLOTS, None, "Slots of a process.  [default: as needed]")
    cores: int = _wish(ONE, 2, "Cores of a machine that runs workers.")
    nodes: int | None = _wish(NODES, None, "Redis servers: 1, or those of a cluster.  [default: as needed]")
    partitions: int | None = _wish(
        PARTITIONS, None, "Partitions of the queue.  [default: as many as are right for the nodes]"
    )
    node_memory: int = _wish(units.size, "4GiB", "Memory of a Redis server.")

    @property
    def late(self) -> float:
        """The share of jobs that were delayed: those that come due a second, by Little's law for the ones at rest."""
        return min(1.0, self.delayed / self.delay / self.rate)


def flag_of(wish: Any) -> str:
    """Of a field of ``Wishes``."""
    return f"--{wish.metadata['flag'] or wish.name.replace('_', '-')}"
