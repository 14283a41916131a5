"""All of them, a module for each part of the code."""

from __future__ import annotations

from . import fetching, liveness, producers, scripts, values
from .fault import Fault

FAULTS: tuple[Fault, ...] = (
    *fetching.FAULTS,
    *values.FAULTS,
    *producers.FAULTS,
    *scripts.FAULTS,
    *liveness.FAULTS,
)
