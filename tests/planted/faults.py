"""All of them, a module for each part of the code."""

from __future__ import annotations

from . import attempts, producers, scripts, values
from .fault import Fault

FAULTS: tuple[Fault, ...] = (*attempts.FAULTS, *values.FAULTS, *producers.FAULTS, *scripts.FAULTS)
