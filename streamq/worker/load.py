"""What a worker does now, read from what it has at hand: no job pays for it."""

from __future__ import annotations

import heapq
import os
from datetime import timedelta
from pathlib import Path
from typing import Final

from streamq.model.clock import host_now, monotonic
from streamq.model.worker_load import QUIET, WORKING, RunningJob, WorkerLoad
from streamq.worker.attempt import Attempt
from streamq.worker.slots import Slots

NAMED: Final = 20
"""Running jobs that are named, those that run the longest: all are sent with each beat."""
_STATM: Final = Path("/proc/self/statm")


def load_of(slots: Slots, loop_lag: float, round_trip: float) -> WorkerLoad:
    """Called in the thread of the heartbeat: what runs is copied in one step of the interpreter."""
    running = tuple(slots.running)
    begun = [attempt for attempt in running if attempt.begun]
    longest = heapq.nsmallest(NAMED, begun, key=lambda attempt: attempt.begun)
    state = "stopping" if slots.stopping else QUIET if slots.quiet else WORKING
    return WorkerLoad(
        host_now(), state, len(running), tuple(map(_running, longest)), memory(), round(loop_lag, 4),
        round(round_trip, 6),
    )  # fmt: skip


def _running(attempt: Attempt) -> RunningJob:
    delivery = attempt.delivery
    since = host_now() - timedelta(seconds=monotonic() - attempt.begun)
    return RunningJob(delivery.job_id, delivery.queue, delivery.task[:200], since)


def memory() -> int:
    """Bytes of memory that this process has; 0 where the system does not say."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
