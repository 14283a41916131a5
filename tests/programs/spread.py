"""A worker program of many queues, whose handlers write down when they begin, outside Redis: to a file that outlives a
kill.

The name of the file is ``data_dir``/started; a line is ``number pid at``, in the order of writing; ``at`` is monotonic.
Run by ``python -m streamq worker tests.programs.spread:app``.
"""

from __future__ import annotations

import asyncio
import functools
import os
import time
from typing import Final

from streamq import App

QUEUES: Final = tuple(f"q{number}" for number in range(12))
"""On a cluster of three equal nodes each has some of them."""
app = App()


@functools.cache
def ledger() -> int:
    """The file, open as long as the process lives."""
    app.settings.data_dir.mkdir(parents=True, exist_ok=True)
    return os.open(app.settings.data_dir / "started", os.O_WRONLY | os.O_APPEND | os.O_CREAT)


async def work(number: int) -> None:
    """One write of one line, whole or not at all; then it takes a moment, so that a kill finds jobs in hand."""
    os.write(ledger(), f"{number} {os.getpid()} {time.monotonic():.4f}\n".encode())
    await asyncio.sleep(0.01)


for queue in QUEUES:
    app.task(work, queue=queue, name=f"work-{queue}")
