"""Which scenarios there are, in the order of a full run: modules whose first line says what ``measure`` measures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .figures import Measured
    from .rig import Rig

ROOT: Final = Path(__file__).resolve().parents[1]
"""Where this package lies; a child started here finds it under the same name."""
SCENARIOS: Final = {
    name: f"{__package__}.scenarios.{name}"
    for name in (
        "enqueue", "drain", "handlers", "memory", "latency", "delayed", "promotion", "schedules", "growth", "recovery",
        "cancel", "reports", "groups", "fairness", "purge", "bulk", "idle", "cost", "partitions", "options",
        "statistics", "queues", "footprint", "api", "batch", "looks", "sms", "tuning", "peers",
    )
}  # fmt: skip
"""The module of each by its name. A checkout adds the promises that its tests measure."""


def summary(name: str) -> str:
    """The first line of its module; nothing when this version has it no more."""
    return (import_module(SCENARIOS[name]).__doc__ or "").partition("\n")[0] if name in SCENARIOS else ""


def measure(name: str) -> Callable[[Rig], Awaitable[Measured]]:
    """What runs it."""
    found: Callable[[Rig], Awaitable[Measured]] = import_module(SCENARIOS[name]).measure
    return found
