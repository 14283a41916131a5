"""A provider to try things with: it takes messages, remembers each call, and misbehaves when told to.

    POST   /send-sms    a message; recorded before it is answered
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
restricts it to recipients that contain it. It removes no duplicates: that none comes is for others to prove.

The ledger keeps the latest calls, in a few megabytes; ``calls``, ``repeats`` and ``by_status`` go on counting all. A
repeat is told by the keys of those that are kept. Only programs of this machine are answered, and what changes anything
must say that it is JSON: web pages, also those of other ports of this machine, and proxies are refused.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from .answers import encoded, json
from .ledger import KEEP, Ledger, as_seen, parsed
from .local import door
from .marks import MARKS, NOT_KEPT
from .requests import MAX_BODY, read_model, read_query, require_json
from .schemas import Request, Whole

LARGEST: Final = 1_048_576
"""Bytes of a call."""
_FAR: Final = 10**12

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


class LedgerQuery(Request):
    """A page of the ledger."""

    offset: Annotated[Whole, Field(ge=0)] = 0
    limit: Annotated[Whole, Field(ge=1, le=10_000)] = 1_000


LEDGER: Final = web.AppKey("ledger", Ledger)
BEHAVIOUR: Final = web.AppKey("behaviour", list[Behaviour])
CLOSING: Final = web.AppKey("closing", asyncio.Event)


def build_sandbox(*, keep: int = KEEP, file: Path | None = None) -> web.Application:
    """The provider as an application; ``file`` is appended to, one JSON line for each call.

    ``keep`` is in bytes. Raises ``ConfigurationError`` for a file that is not ours alone.
    """
    app = web.Application(middlewares=[door((), ())], client_max_size=LARGEST)
    app[LEDGER], app[BEHAVIOUR], app[MAX_BODY] = Ledger(keep=keep, file=file), [Behaviour()], LARGEST
    app[CLOSING] = asyncio.Event()
    app.router.add_post("/send-sms", _send)
    app.router.add_get("/ledger", _show)
    app.router.add_delete("/ledger", _clear)
    app.router.add_get("/behaviour", _behaviour)
    app.router.add_put("/behaviour", _behave)
    app.on_response_prepare.append(_mark)
    app.on_shutdown.append(_hurry)
    app.on_cleanup.append(_close)
    return app


async def _mark(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


async def _send(request: web.Request) -> web.Response:
    require_json(request)
    body = await request.read()
    behaviour = _next_behaviour(request.app[BEHAVIOUR], body)
    status = behaviour.status or _STATUS[behaviour.mode]
    call = request.app[LEDGER].add(request.headers.get("Idempotency-Key"), body, status)
    delay_ms = behaviour.delay_ms if behaviour.delay_ms is not None else 5_000 * (behaviour.mode == "slow")
    await _pause(request.app[CLOSING], delay_ms / 1000)
    retry_after = behaviour.retry_after if behaviour.retry_after is not None else 1
    headers = {"Retry-After": str(retry_after)} if behaviour.mode == "busy" else {}
    answer = {"id": call.id} if status < 300 else {"error": f"told to {behaviour.mode}", "id": call.id}
    return json(answer, status=status, headers=headers)


def _next_behaviour(holder: list[Behaviour], body: bytes) -> Behaviour:
    """How this call is answered; uses up one of a counted behaviour."""
    current = holder[0]
    message = parsed(body)
    to = str(message.get("to", "")) if isinstance(message, dict) else ""
    if current.match is not None and current.match not in to:
        return Behaviour()
    if current.count is not None:
        left = current.count - 1
        holder[0] = current.model_copy(update={"count": left}) if left else Behaviour()
    return current


async def _pause(closing: asyncio.Event, seconds: float) -> None:
    """Let time pass, but do not hold up the end."""
    if seconds:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await closing.wait()


async def _show(request: web.Request) -> web.Response:
    query = read_query(request, LedgerQuery)
    page = encoded(request.app[LEDGER].page(query.offset, query.limit))
    return web.Response(text=as_seen(page.decode()), content_type="application/json")


async def _clear(request: web.Request) -> web.Response:
    request.app[LEDGER].clear()
    return web.Response(status=204)


async def _behaviour(request: web.Request) -> web.Response:
    return json(request.app[BEHAVIOUR][0].model_dump())


async def _behave(request: web.Request) -> web.Response:
    request.app[BEHAVIOUR][0] = await read_model(request, Behaviour)
    return await _behaviour(request)


async def _hurry(app: web.Application) -> None:
    app[CLOSING].set()


async def _close(app: web.Application) -> None:
    app[LEDGER].close()
