"""All of them, a module for each part of the code."""

from __future__ import annotations

from . import attempts, fetching, life, producers, scripts, values, waiting
from .fault import Fault

FAULTS: tuple[Fault, ...] = (
    *attempts.FAULTS,
    *fetching.FAULTS,
    *life.FAULTS,
    *producers.FAULTS,
    *scripts.FAULTS,
    *values.FAULTS,
    *waiting.FAULTS,
)
