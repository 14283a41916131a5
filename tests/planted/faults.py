"""All of them, a module for each part of the code."""

from __future__ import annotations

from . import attempts, fetching, life, liveness, producers, scripts, values
from .fault import Fault

FAULTS: tuple[Fault, ...] = (
    *attempts.FAULTS,
    *fetching.FAULTS,
    *life.FAULTS,
    *values.FAULTS,
    *producers.FAULTS,
    *scripts.FAULTS,
    *liveness.FAULTS,
)
