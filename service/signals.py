"""What SIGTERM and SIGINT do: the first asks for an orderly end, the second for one at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def on_signal(tell: Callable[[], object]) -> Iterator[None]:
    """Call ``tell`` for each signal that arrives inside the block."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, tell)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


async def until_signal() -> None:
    """Wait for a signal."""
    stop = asyncio.Event()
    with on_signal(stop.set):
        await stop.wait()
