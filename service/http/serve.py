"""Listening: a socket, and an aiohttp application behind its doors."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web

from streamq import ConfigurationError

from .access import AccessLog
from .connections import Doors

SHUTDOWN: Final = 5.0
"""Seconds that requests may still take when the application stops."""
BACKLOG: Final = 512
"""Connections that the system keeps until they are taken."""
_TRIES: Final = 50


def bind(host: str, port: int, *, or_next: bool = False) -> socket.socket:
    """A listening socket; with ``or_next`` a taken port is passed over for the next free one.

    Raises ``ConfigurationError`` when the port is taken or the address is not this machine's.
    """
    host = host.strip("[]")  # as it stands in an address
    last = min(port + _TRIES, 65_535) if or_next and port else port
    for candidate in range(port, last + 1):
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return socket.create_server((host, candidate), family=family, backlog=BACKLOG)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ConfigurationError(f"cannot listen on {host}:{candidate}: {error.strerror}") from None
    taken = f"port {port} is taken" if last == port else f"ports {port} to {last} are taken"
    raise ConfigurationError(f"{taken} on {host}: choose another with --port or STREAMQ_PORT")


def address(listener: socket.socket) -> str:
    """The listener's URL, without a path."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def serving(
    app: web.Application, listener: socket.socket, *, quiet: bool = False
) -> AsyncIterator[None]:
    """Serve ``app`` inside the block. ``quiet`` writes no access log."""
    log = logging.getLogger("streamq.access")
    options: dict[str, Any] = {
        "access_log_class": AccessLog,
        "access_log": None if quiet or not log.isEnabledFor(logging.INFO) else log,
    }
    runner = web.AppRunner(app, shutdown_timeout=SHUTDOWN / 2)  # aiohttp waits that long twice
    await runner.setup()
    try:
        async with _open(runner, listener, options):
            yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _open(
    runner: web.AppRunner, listener: socket.socket, options: dict[str, Any]
) -> AsyncIterator[None]:
    """The doors before the application: aiohttp's own would let anyone keep it waiting."""
    assert runner.server is not None  # noqa: S101 - after setup
    doors = Doors(runner.server, **options)
    loop = asyncio.get_running_loop()
    accepting = await loop.create_server(doors, sock=listener, backlog=BACKLOG)
    sweep = loop.create_task(doors.sweep(), name="doors")
    try:
        yield
    finally:
        accepting.close()
        sweep.cancel()
        await asyncio.wait([sweep])
