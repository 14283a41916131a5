"""Which process runs on which core: the server on one, what is measured against it on another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SERVER_CORE: Final = 0
WORKER_CORE: Final = 1


def pin(pid: int, core: int) -> None:
    """Keep a process on the core of that number among ours; nothing where the system cannot."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(pid, {cores[core % len(cores)]})


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Keep this process on a core for the block."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    pin(0, core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
