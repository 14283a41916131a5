"""The doors: each client's connection with its deadlines and bounds, and how many there may be.

what a client may keep waiting       for
----------------------------------   --------------------------------------------------------
the whole header of a request        10 s from its first byte, or from the connection
a body                               30 s, and 1 s more for each 16 KiB that have come
an answer that it does not read      30 s without a byte taken
the next request                     75 s, so that a proxy's 60 s end first
a body that is answered unread       3 s and 1 MiB more; then the connection is closed

Where all places are taken, a new connection gets the place of the one that has asked for nothing the longest: a
crowd that sends nothing keeps nobody out. There is no bound for each address, as callers behind a proxy share one.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import secrets
from typing import Any, Final

from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong

from .failures import answered
from .problems import (
    HEADERS_TOO_LARGE,
    MALFORMED_REQUEST,
    REQUEST_TIMEOUT,
    TOO_MANY_CONNECTIONS,
    URI_TOO_LONG,
    Problem,
    ProblemType,
    internal,
    raw,
    response,
)

log = logging.getLogger("streamq.api")

HEADER: Final = 10.0
BODY: Final = 30.0
BODY_RATE: Final = 16_384
"""Bytes for each further second of a body."""
UNREAD: Final = 30.0
KEEP_ALIVE: Final = 75.0
LINGER: Final = 3.0
LEFTOVER: Final = 1_048_576
"""Bytes of a body that are still taken after its answer, so that a client that is sending gets to read it."""
LINE, FIELD, FIELDS, WHOLE_HEADER = 8_190, 8_191, 100, 65_536
"""Bytes of the first line, bytes of a header, how many headers, and bytes of them all."""
CONNECTIONS: Final = 1_000
SWEEP: Final = 1.0
"""Seconds between two looks at them all."""
_NOT_HTTP: Final = (
    "This is not a request of HTTP/1.1: a line of it cannot be read, or its headers contradict each other."
)


class Doors:
    """All connections to one application, and the sweep that ends those that keep it waiting."""

    def __init__(self, server: web.Server, **options: Any) -> None:
        self._server, self._options = server, options
        self._limit = min(CONNECTIONS, _files() // 2)  # the other half is for what else the process has open
        self._handler, self._factory = server.request_handler, server.request_factory
        server.request_handler, server.request_factory = self._answer, self._ask
        self._open: set[Connection] = set()
        self._idle: dict[Connection, None] = {}  # in the order in which they began to wait

    def __call__(self) -> Connection:
        """The protocol of one more connection."""
        return Connection(self, self._server, self._options)

    def enter(self, connection: Connection) -> bool:
        """Whether there is a place for it."""
        if len(self._open) >= self._limit:
            oldest = next(iter(self._idle), None)
            if oldest is None:
                return False
            oldest.abort()
            self.leave(oldest)
        self._open.add(connection)
        self._idle[connection] = None
        return True

    def leave(self, connection: Connection) -> None:
        """It is closed, or is being closed."""
        self._open.discard(connection)
        self._idle.pop(connection, None)

    async def sweep(self) -> None:
        """End what is overdue, once a second, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP)
            for connection in list(self._open):
                try:
                    connection.check(loop.time())
                except Exception:  # one must not end the watch over all
                    log.exception("a connection could not be looked after")

    def _ask(self, message: RawRequestMessage, payload: Any, protocol: Any, writer: Any, task: Any) -> Any:
        """The parser has a whole header: the request begins, before anything else can come."""
        request = self._factory(message, payload, protocol, writer, task)
        self._idle.pop(protocol, None)
        protocol.begin(request)
        return request

    async def _answer(self, request: Any) -> web.StreamResponse:
        try:
            answer = await answered(request, self._handler)
            if not request.content.is_eof():
                answer.force_close()
            return answer
        finally:
            self._end(request.protocol)

    def _end(self, connection: Connection) -> None:
        connection.end()
        if connection in self._open:
            self._idle[connection] = None


class Connection(web.RequestHandler):
    """One client's connection. What aiohttp does not bound is bounded here."""

    __slots__ = (
        "_begun",
        "_doors",
        "_heard",
        "_leftover",
        "_line",
        "_request",
        "_taken",
        "_unread",
        "_unsent",
    )

    def __init__(self, doors: Doors, server: web.Server, options: dict[str, Any]) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=KEEP_ALIVE,
            lingering_time=LINGER,
            max_line_size=LINE,
            max_field_size=FIELD,
            max_headers=FIELDS,
            auto_decompress=False,  # see bodies.py
            **options,
        )
        self._doors = doors
        self._line: asyncio.Transport | None = None
        self._request: web.BaseRequest | None = None
        self._begun: float | None = self._loop.time()  # of the header awaited, or the request answered
        self._heard = 0  # bytes since then
        self._unread: StreamReader | None = None  # the body that was answered before its end
        self._leftover: int | None = None  # bytes of an unread body that may still come
        self._unsent, self._taken = 0, 0.0  # bytes that the client has not taken, and when it last took some

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """From the event loop; so for the next two."""
        super().connection_made(transport)
        self._line = self.transport
        if not self._doors.enter(self):
            self._refuse(TOO_MANY_CONNECTIONS, "There are as many connections as can be.")

    def connection_lost(self, exc: BaseException | None) -> None:
        self._doors.leave(self)
        if self._unread is not None and not self._unread.is_eof():
            self._unread.feed_eof()  # no more of it comes, and aiohttp waits for it
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._heard += len(data)
        if self._leftover is not None:  # thrown away as it comes: reading it would cost more than the request
            if self._heard > self._leftover:
                self.abort()
            return
        if self._begun is None:
            self._begun = self._loop.time()
        super().data_received(data)
        if self._messages and not isinstance(self._messages[-1][0], RawRequestMessage):
            self._hear_no_more(*self._messages[-1])
        elif self._request is None and self._heard > WHOLE_HEADER and not self._messages:
            self._refuse(HEADERS_TOO_LARGE, "The headers are too large.")

    def begin(self, request: web.BaseRequest) -> None:
        """The header of this request is whole."""
        self._request, self._begun, self._heard = request, self._loop.time(), 0

    def end(self) -> None:
        """Its answer is made; what is left of its body is taken for a while."""
        request, self._request, self._begun, self._heard = self._request, None, None, 0
        if request is not None and not request.content.is_eof():
            self._leftover, self._unread = LEFTOVER, request.content

    def check(self, now: float) -> None:
        """End it when it is overdue. ``now`` by the clock of the loop."""
        if self._line is None or self._keeps_its_answer(self._line, now):
            self.abort()
        elif self._begun is None or self._leftover is not None or self._messages:
            return
        elif self._request is None:
            if now - self._begun > HEADER:
                self._refuse(REQUEST_TIMEOUT, f"The request's header took longer than {HEADER:g} s.")
        elif self._waits_for_its_body(self._request.content, now - self._begun):
            detail = f"The request's body took too long: {BODY:g} s, and 1 s for each {BODY_RATE:,} bytes."
            late = Problem(REQUEST_TIMEOUT, detail, headers={"Connection": "close"})
            self._request.content.set_exception(late)  # for whoever reads it

    def abort(self) -> None:
        """Drop it, whatever is still to be sent."""
        if self._line is not None:
            self._line.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,  # noqa: ARG002 - the problem has its own; so for the message
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """What no handler saw: a request that cannot be parsed. aiohttp's own words would repeat its text."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is on its way already")
        number = secrets.token_hex(8)
        if isinstance(exc, Problem):
            problem = exc
        else:
            log.error("request %s: %s failed", number, request.method, exc_info=exc)
            problem = internal()
        answer = response(problem, number)
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """All but what was said of a body already: after the answer, aiohttp reads it once more."""
        if not isinstance(kw.get("exc_info"), (Problem, web.RequestPayloadError, ConnectionError)):
            super().log_exception(*args, **kw)

    def _refuse(self, kind: ProblemType, detail: str) -> None:
        """Answer what is not a request yet, and close."""
        if self._line is not None and not self._line.is_closing():
            if self._heard or kind is not REQUEST_TIMEOUT:  # one that said nothing is not answered
                self._line.write(raw(Problem(kind, detail)))
            self.force_close()

    def _keeps_its_answer(self, line: asyncio.Transport, now: float) -> bool:
        unsent = line.get_write_buffer_size()
        if unsent == 0 or unsent < self._unsent or self._unsent == 0:
            self._taken = now
        self._unsent = unsent
        return unsent > 0 and now - self._taken > UNREAD

    def _waits_for_its_body(self, content: StreamReader, seconds: float) -> bool:
        late = seconds > BODY + content.total_bytes / BODY_RATE
        return late and not content.is_eof() and content.exception() is None

    def _hear_no_more(self, refusal: Any, payload: Any) -> None:
        """The parser refused what came. Its error has up to 256 KiB of the request in its words, and as much in its
        frames, in a circle that only the garbage collector ends: so the problem stands for it, and no log can show it.

        The refusal waits behind the request whose body it is about, and that one would wait for ever.
        """
        error, self._leftover = refusal.exc, LEFTOVER
        error.__traceback__ = None
        self._messages[-1] = (type(refusal)(refusal.status, _unparsed(error), ""), payload)
        content = self._request.content if self._request is not None else None
        if content is not None and not content.is_eof() and content.exception() is None:
            content.set_exception(web.RequestPayloadError("the body does not come as its headers say"))


def _unparsed(error: BaseException) -> Problem:
    """Nothing of the error's text: it has the request's."""
    close = {"Connection": "close"}
    if isinstance(error, LineTooLong) and error.args[1] == LINE:
        return Problem(URI_TOO_LONG, f"The address is longer than {LINE:,} bytes.", headers=close)
    too_many = isinstance(error, BadHttpMessage) and "Too many headers" in error.message[:FIELD]
    if isinstance(error, LineTooLong) or too_many:
        detail = f"A header is longer than {FIELD:,} bytes, or there are more than {FIELDS} of them."
        return Problem(HEADERS_TOO_LARGE, detail, headers=close)
    return Problem(MALFORMED_REQUEST, _NOT_HTTP, headers=close)


def _files() -> int:
    """Files that this process may have open."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 2 * CONNECTIONS if limit == resource.RLIM_INFINITY else limit
