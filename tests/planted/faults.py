"""All of them, a module for each part of the code."""

from __future__ import annotations

from typing import Final

from . import (
    attempts,
    control,
    fetching,
    floods,
    gates,
    keeping,
    life,
    liveness,
    messaging,
    moving,
    observing,
    producers,
    reports,
    schedules,
    scripts,
    serving,
    steering,
    unique,
    values,
    waiting,
)
from .fault import Fault

FAULTS: tuple[Fault, ...] = (
    *scripts.FAULTS,
    *attempts.FAULTS,
    *control.FAULTS,
    *steering.FAULTS,
    *keeping.FAULTS,
    *floods.FAULTS,
    *gates.FAULTS,
    *moving.FAULTS,
    *fetching.FAULTS,
    *producers.FAULTS,
    *liveness.FAULTS,
    *waiting.FAULTS,
    *unique.FAULTS,
    *reports.FAULTS,
    *values.FAULTS,
    *life.FAULTS,
    *messaging.FAULTS,
    *serving.FAULTS,
    *schedules.FAULTS,
    *observing.FAULTS,
)

PARTS: Final = (
    "streamq/model", "streamq/redis/lua", "streamq/redis", "streamq/store", "streamq/client", "streamq/duties",
    "streamq/worker", "streamq", "service",
)  # fmt: skip
"""Folders, the inner ones first."""


def part_of(fault: Fault) -> str:
    """The part of the code in which it is planted."""
    return next(part for part in PARTS if fault.file.startswith(f"{part}/"))
