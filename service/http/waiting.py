"""Waiting for somebody who may not be there any more."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from aiohttp import web

T = TypeVar("T")

LOOK: Final = 1.0
"""Seconds between two looks whether the client is still there: aiohttp tells a handler only when it writes."""


class HungUp(Exception):
    """The client has gone: nobody reads the answer."""


def has_gone(request: web.Request) -> bool:
    """Whether the client is there no more."""
    return request.transport is None or request.transport.is_closing()


async def while_connected(request: web.Request, wait: Coroutine[Any, Any, T]) -> T:
    """What ``wait`` gives. Raises ``HungUp`` soon after the client has gone, and ends the wait then."""
    waiting = asyncio.ensure_future(wait)
    try:
        while not (await asyncio.wait({waiting}, timeout=LOOK))[0]:
            if has_gone(request):
                raise HungUp
        return waiting.result()
    finally:
        waiting.cancel()
        await asyncio.wait({waiting})
