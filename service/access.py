"""One line for each request that changes something or goes wrong; health checks and looking are silent."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

_QUIET: Final = frozenset({"GET", "HEAD"})


class AccessLog(AbstractAccessLogger):
    """``201 POST /api/schedule-sms 3 ms``"""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Called by aiohttp after each answer; ``time`` is in seconds."""
        if response.status < 400 and request.method in _QUIET:
            return
        self.logger.info("%d %s %s %.0f ms", response.status, request.method, request.path, time * 1000)
