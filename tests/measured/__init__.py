"""Promises that are measured: scenarios of the bench that need real programs, or the engine's insides."""

from __future__ import annotations

from bench.catalogue import SCENARIOS
from bench.commands import bench

MEASURED = {"messages": f"{__name__}.delivery", "scripts": f"{__name__}.scripts"}


def join() -> None:
    """Add them to the bench, and the command that runs a delivery alone: `python -m bench` in a checkout has both."""
    from .command import delivery

    SCENARIOS.update(MEASURED)
    bench.add_command(delivery)
