"""Listening: a socket, and an aiohttp application behind it."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from streamq import ConfigurationError

from .access import AccessLog

SHUTDOWN: Final = 5.0
"""Seconds that requests may still take when the application stops."""
_TRIES: Final = 50


def bind(host: str, port: int, *, or_next: bool = False) -> socket.socket:
    """A listening socket; with ``or_next`` a taken port is passed over for the next free one.

    Raises ``ConfigurationError`` when the port is taken or the address is not this machine's.
    """
    last = min(port + _TRIES, 65_535) if or_next and port else port
    for candidate in range(port, last + 1):
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return socket.create_server((host, candidate), family=family, backlog=512)
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
    runner = web.AppRunner(
        app,
        access_log_class=AccessLog,
        access_log=None if quiet or not log.isEnabledFor(logging.INFO) else log,
        shutdown_timeout=SHUTDOWN,
    )
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()
