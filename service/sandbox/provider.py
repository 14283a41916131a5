"""A provider to try things with: it takes messages, remembers each call, and fails on request.

    POST   /send-sms    a message; recorded before it is answered; /send-email, and /callback for replies, likewise
    GET    /send-sms/K  (or /send-email/K) whether a message under the key K was taken: 200 with its id, or 404
    GET    /ledger      the calls, oldest first, ``?offset=&limit=``, with totals
    DELETE /ledger      forget them
    GET    /behaviour   how the next calls are answered
    PUT    /behaviour   change that: ``{"mode", "status", "delay_ms", "retry_after", "count", "match"}``

    mode     answers
    ------   -----------------------------------------------
    ok       200 and an id
    slow     200 after ``delay_ms`` (default 5,000)
    fail     ``status`` (default 500)
    busy     ``status`` (default 429) with ``retry_after`` (seconds or text, default 1) as Retry-After
    reject   ``status`` (default 400)

``delay_ms`` slows every mode; ``count`` is how many calls it is for (default: until changed); ``match``
restricts it to recipients that contain it. It removes no duplicates, so that a test sees them. ``report`` is what it
tells of the messages that it takes, where it was told to whom: delivered, failed, or none.

The ledger keeps the latest calls, in a few megabytes; ``calls``, ``repeats`` and ``by_status`` go on counting all. A
repeat is found by the keys of the calls that are kept. Only programs of this machine are answered, and a
request that changes anything must be JSON: web pages, also those of other local ports, and proxies are refused.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from ..http.answers import Answer
from ..http.failures import STRANGERS
from ..http.inputs import WHOLE, Request
from ..http.local import this_machine
from ..http.marks import MARKS, NOT_KEPT
from ..http.route import AnyRoute, Asked, Route, Success, register
from ..json_text import encoded
from .ledger import KEEP, Ledger, as_seen, parsed
from .reporting import Reporting

LARGEST: Final = 1_048_576
"""Bytes of a call: far above any text message."""
_FAR: Final = 10**12
"""Bound of a numeric Retry-After: far beyond what the provider's client accepts, to test that."""

_STATUS: Final = {"ok": 200, "slow": 200, "fail": 500, "busy": 429, "reject": 400}
_HEADERS: Final = {
    **MARKS,
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    **NOT_KEPT,
}


def _is_a_header(value: int | str | None) -> int | str | None:
    if isinstance(value, str) and not value.isprintable():
        raise PydanticCustomError("not_printable", "must not contain control characters")
    return value


class Behaviour(Request):
    """How calls are answered; see the table above."""

    mode: Literal["ok", "slow", "fail", "busy", "reject"] = "ok"
    status: int | None = Field(default=None, ge=200, le=599)
    delay_ms: int | None = Field(default=None, ge=0, le=600_000)
    retry_after: Annotated[
        Annotated[int, Field(ge=-_FAR, le=_FAR)] | Annotated[str, Field(max_length=256)] | None,
        AfterValidator(_is_a_header),
    ] = None
    count: int | None = Field(default=None, ge=1)
    match: str | None = Field(default=None, max_length=256)
    report: Literal["delivered", "failed", "none"] = "delivered"


class LedgerQuery(Request):
    """A page of the ledger."""

    offset: Annotated[int, Field(ge=0), WHOLE] = 0
    limit: Annotated[int, Field(ge=1, le=10_000), WHOLE] = 1_000


class Sandbox:
    """The ledger, and how the next calls are answered."""

    def __init__(self, ledger: Ledger, reporting: Reporting | None) -> None:
        self.ledger, self.behaviour, self.closing = ledger, Behaviour(), asyncio.Event()
        self.reporting = reporting

    def next_behaviour(self, body: bytes) -> Behaviour:
        """How this call is answered; uses up one of a counted behaviour."""
        current = self.behaviour
        message = parsed(body)
        to = str(message.get("to", "")) if isinstance(message, dict) else ""
        if current.match is not None and current.match not in to:
            return Behaviour()
        if current.count is not None:
            left = current.count - 1
            self.behaviour = current.model_copy(update={"count": left}) if left else Behaviour()
        return current

    async def pause(self, seconds: float) -> None:
        """Sleep, or return early when the sandbox shuts down."""
        if seconds:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.closing.wait()


async def send(sandbox: Sandbox, asked: Asked[None, None]) -> Answer:
    """Any body is accepted; the ledger shows what it was."""
    body = await asked.request.read()
    behaviour = sandbox.next_behaviour(body)
    status = behaviour.status or _STATUS[behaviour.mode]
    headers = asked.request.headers
    call = sandbox.ledger.add(headers.get("Idempotency-Key", headers.get("webhook-id")), body, status)
    delay_ms = behaviour.delay_ms if behaviour.delay_ms is not None else 5_000 * (behaviour.mode == "slow")
    await sandbox.pause(delay_ms / 1000)
    retry_after = behaviour.retry_after if behaviour.retry_after is not None else 1
    told = {"Retry-After": str(retry_after)} if behaviour.mode == "busy" else {}
    if sandbox.reporting is not None and status < 300 and asked.request.path == "/send-sms":
        sandbox.reporting.tell(call, behaviour.report)
    answer = {"id": call.id} if status < 300 else {"error": f"told to {behaviour.mode}", "id": call.id}
    return Answer(answer, status, told)


async def taken(sandbox: Sandbox, asked: Asked[None, None]) -> Answer:
    """As far as it is remembered."""
    call = sandbox.ledger.taken(asked.request.match_info["key"])
    if call is None:
        return Answer({"error": "no message under this key was taken"}, 404, {})
    return Answer({"id": call.id}, 200, {})


async def show(sandbox: Sandbox, asked: Asked[LedgerQuery, None]) -> web.Response:
    """Invisible and control characters are escaped."""
    page = encoded(sandbox.ledger.page(asked.query.offset, asked.query.limit))
    return web.Response(text=as_seen(page.decode()), content_type="application/json")


async def clear(sandbox: Sandbox, _asked: Asked[None, None]) -> web.Response:
    """The file, if there is one, stays as it is."""
    sandbox.ledger.clear()
    return web.Response(status=204)


async def behaviour(sandbox: Sandbox, _asked: Asked[None, None]) -> dict[str, Any]:
    """As it is now."""
    return sandbox.behaviour.model_dump()


async def behave(sandbox: Sandbox, asked: Asked[None, Behaviour]) -> dict[str, Any]:
    """From the next call on."""
    sandbox.behaviour = asked.body
    return sandbox.behaviour.model_dump()


ROUTES: Final[tuple[AnyRoute, ...]] = (
    *(
        Route(
            method="POST", path=path, handler=send, scope=None,
            summary="a message; recorded before it is answered", answers=(Success(200, "As it was told to"),),
        )
        for path in ("/send-sms", "/send-email", "/callback")
    ),
    *(
        Route(
            method="GET", path=path + "/{key}", handler=taken, scope=None,
            summary="whether a message under a key was taken",
            answers=(Success(200, "It was"), Success(404, "It was not")),
        )
        for path in ("/send-sms", "/send-email")
    ),
    Route(
        method="GET", path="/ledger", handler=show, scope=None, query=LedgerQuery,
        summary="the calls, oldest first, with totals", answers=(Success(200, "A page of calls"),),
    ),
    Route(
        method="DELETE", path="/ledger", handler=clear, scope=None, any_type=True,
        summary="forget them", answers=(Success(204, "It is empty"),),
    ),
    Route(
        method="GET", path="/behaviour", handler=behaviour, scope=None,
        summary="how the next calls are answered", answers=(Success(200, "The behaviour", Behaviour),),
    ),
    Route(
        method="PUT", path="/behaviour", handler=behave, scope=None, body=Behaviour,
        summary="change that", answers=(Success(200, "The behaviour", Behaviour),),
    ),
)  # fmt: skip


def build_sandbox(
    *,
    keep: int = KEEP,
    file: Path | None = None,
    ledger: Ledger | None = None,
    reporting: Reporting | None = None,
) -> web.Application:
    """The provider as an application; ``file`` is appended to, one JSON line for each call.

    ``keep`` is in bytes, or a ``ledger`` is given; ``reporting`` tells of messages. Raises ``ConfigurationError`` for a
    file that is not ours.
    """
    sandbox = Sandbox(ledger or Ledger(keep=keep, file=file), reporting)
    application = web.Application(client_max_size=LARGEST)
    application[STRANGERS] = this_machine
    register(application, ROUTES, sandbox, lambda _route: this_machine, max_body=LARGEST)

    async def hurry(_application: web.Application) -> None:
        sandbox.closing.set()

    async def close(_application: web.Application) -> None:
        sandbox.ledger.close()

    if reporting is not None:
        application.cleanup_ctx.append(reporting.running)
    application.on_response_prepare.append(_mark)
    application.on_shutdown.append(hurry)
    application.on_cleanup.append(close)
    return application


async def _mark(_request: web.Request, response: web.StreamResponse) -> None:
    """Headers that forbid a browser to render an answer as a page."""
    response.headers.update(_HEADERS)
