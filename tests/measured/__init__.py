"""Promises that are measured: scenarios of the bench that need real programs, or the engine's insides."""

from __future__ import annotations

from bench.catalogue import SCENARIOS
from bench.commands import bench

MEASURED = {
    "mixed": f"{__name__}.mixed",
    "messages": f"{__name__}.delivery",
    "scripts": f"{__name__}.scripts",
}


def join() -> None:
    """Add them to the bench, and the command that runs a delivery alone: `python -m bench` in a checkout has both."""
    from .command import delivery

    last = {
        name: SCENARIOS.pop(name) for name in ("tuning", "peers")
    }  # a run whose time is over leaves these out
    SCENARIOS.update(MEASURED | last)
    bench.add_command(delivery)
