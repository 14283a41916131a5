"""All of them, a module for each part of the code."""

from __future__ import annotations

from . import fetching, producers, scripts, values, waiting
from .fault import Fault

FAULTS: tuple[Fault, ...] = (
    *fetching.FAULTS,
    *values.FAULTS,
    *producers.FAULTS,
    *scripts.FAULTS,
    *waiting.FAULTS,
)
