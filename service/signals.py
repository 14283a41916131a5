"""Running until told to stop: the first SIGTERM or SIGINT asks for an orderly end, the second for an end at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterable
from typing import Any, Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


async def until_stopped(roles: Iterable[Coroutine[Any, Any, None]] = ()) -> None:
    """Run the roles until a signal, or until one of them ends; then cancel the rest and wait for them.

    Raises what a role raised.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    tasks = [asyncio.create_task(role) for role in roles]
    told = 0

    def tell() -> None:
        nonlocal told
        told += 1
        stop.set()
        if told > 1:
            for task in tasks:
                task.cancel()

    for number in SIGNALS:
        loop.add_signal_handler(number, tell)
    waiting = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (waiting, *tasks):
            task.cancel()
        ended = await asyncio.gather(waiting, *tasks, return_exceptions=True)
        for number in SIGNALS:
            loop.remove_signal_handler(number)
    for error in ended:
        if isinstance(error, Exception):
            raise error
