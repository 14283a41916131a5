"""An answer in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from ..clock import http_date
from ..json_text import told
from .marks import ADDED, JSON, REQUEST_ID, marked
from .packed import PACKED_FROM, headers_of, packed, takes_gzip

_NONE: Final[Mapping[str, str]] = {}


class Answer(NamedTuple):
    """What a handler returns that says more than a value: its status and headers of its own."""

    value: Any
    status: int
    headers: Mapping[str, str] = {}


class JSONAnswer(web.Response):
    """A value as JSON. What no JSON can hold is told as text, so that one such record does not hide the others.

    Most of its head is text beforehand, as aiohttp's own way takes a tenth of the time of a small request. Its own
    ``headers`` are none of those that every answer has.
    """

    def __init__(self, value: Any, status: int = 200, headers: Mapping[str, str] = _NONE) -> None:
        self._told, self._own = told(value), headers
        super().__init__(status=status, body=self._told)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Called by aiohttp. Its own way is for a connection that closes, and for an application with more to add."""
        if len(self._told) >= PACKED_FROM and takes_gzip(request):
            self._told, self._own = packed(self._told), headers_of(self._own)
            self.body = self._told
        if self._keep_alive is None and _is_ordinary(request):
            self._body = self._head(request) + self._told
            self._keep_alive, self._req, self._payload_writer = True, request, request.writer
            return self._payload_writer
        self.headers.update(marked(request, self._own, JSON))
        return await super().prepare(request)

    def _head(self, request: web.BaseRequest) -> bytes:
        own = "".join([f"{name}: {value}\r\n" for name, value in self._own.items()])
        return (
            f"{_begin(self.status)}X-Request-Id: {request[REQUEST_ID]}\r\n{own}"
            f"Content-Length: {len(self._told)}\r\nDate: {http_date()}\r\n\r\n"
        ).encode()


def _is_ordinary(request: web.BaseRequest) -> bool:
    return (
        isinstance(request, web.Request)
        and request.keep_alive
        and request.version == HttpVersion11
        and request.method != "HEAD"
        and not request.app.on_response_prepare
        and ADDED not in request
    )


@lru_cache(16)
def _begin(status: int) -> str:
    """What all answers of this status begin with."""
    marks = "".join([f"{name}: {value}\r\n" for name, value in JSON.items()])
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{marks}"
