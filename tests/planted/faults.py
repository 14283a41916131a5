"""All of them, a module for each part of the code."""

from __future__ import annotations

from . import liveness, producers, scripts, values
from .fault import Fault

FAULTS: tuple[Fault, ...] = (*values.FAULTS, *producers.FAULTS, *scripts.FAULTS, *liveness.FAULTS)
