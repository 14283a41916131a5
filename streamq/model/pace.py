"""How often a process that serves many queues turns to each: what it sends in a second does not grow with their number.

Whatever must be prompt is signalled. What is asked besides is a net for signals that were lost, and may be wide.
"""

from __future__ import annotations

from typing import Final

FEW: Final = 10
"""Queues of a process up to which it turns to each as often as to one alone."""
VISIT: Final = 59.0
"""Seconds from one visit of a worker to the next in each of more queues: within a minute it sees what nobody told."""
EACH: Final = 20.0
"""Seconds between two looks of one duty at any of them: a look is for one queue."""
COSTLY: Final = 50.0
"""The same of a duty that asks ten things in a look."""


def is_many(queues: int) -> bool:
    """Whether a process has so many queues that it turns to each of them less often."""
    return queues > FEW


def paced(seconds: float, queues: int, each: float = EACH) -> float:
    """Seconds between two looks of a duty at one queue: ``seconds``, or longer where there are many queues."""
    return max(seconds, (queues - FEW) * each)
