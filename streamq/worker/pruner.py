"""Duty: finished records past their age are forgotten. (Their number is bounded when they are written.)"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from streamq.store import Store
from streamq.worker.duty import Rounds

EVERY: Final = 60.0


class Pruner(Rounds):
    """Prunes the queues that ``queues()`` names, once a minute."""

    def __init__(self, store: Store, queues: Callable[[], Sequence[str]]) -> None:
        super().__init__("pruner", queues, store.prune, EVERY)
