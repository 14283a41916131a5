"""All of them, a module for each part of the code."""

from __future__ import annotations

from typing import Final

from . import attempts, fetching, life, liveness, producers, scripts, serving, values, waiting
from .fault import Fault

FAULTS: tuple[Fault, ...] = (
    *scripts.FAULTS,
    *attempts.FAULTS,
    *fetching.FAULTS,
    *producers.FAULTS,
    *liveness.FAULTS,
    *waiting.FAULTS,
    *values.FAULTS,
    *life.FAULTS,
    *serving.FAULTS,
)

PARTS: Final = {
    "scripts": ("streamq/lua/", "streamq/scripts", "streamq/store"),
    "duties": (
        "streamq/host",
        *(
            f"streamq/worker/{name}"
            for name in ("auditor", "duty", "heartbeat", "identity", "promoter", "pruner", "reclaimer")
        ),
        *(f"streamq/worker/{name}" for name in ("seats", "upkeep", "voucher")),
    ),
    "worker": ("streamq/worker/", "streamq/retry", "streamq/envelope"),
    "outbox": ("streamq/outbox", "streamq/transfer", "streamq/batches"),
    "connections": ("streamq/connection", "streamq/addresses", "streamq/location", "streamq/answers"),
    "waiting": ("streamq/results", "streamq/signals", "streamq/views", "streamq/cursors"),
    "values": tuple(
        f"streamq/{name}" for name in ("values", "shapes", "codec", "options", "handlers", "task")
    ),
    "service": ("service/",),
    "life": ("streamq/",),
}


def part_of(fault: Fault) -> str:
    """The part of the code in which it is planted."""
    return next(part for part, starts in PARTS.items() if fault.file.startswith(starts))
