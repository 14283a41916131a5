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
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter, deque
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import orjson
from aiohttp import web
from pydantic import Field

from .answers import json
from .clock import now, rfc3339
from .requests import MAX_BODY, read_model, read_query
from .schemas import Request, Whole

KEEP: Final = 100_000
"""Calls kept in memory."""
LARGEST: Final = 1_048_576
"""Bytes of a call."""

_STATUS: Final = {"ok": 200, "slow": 200, "fail": 500, "busy": 429, "reject": 400}


class Behaviour(Request):
    """How calls are answered; see the table above."""

    mode: Literal["ok", "slow", "fail", "busy", "reject"] = "ok"
    status: int | None = Field(default=None, ge=200, le=599)
    delay_ms: int | None = Field(default=None, ge=0, le=600_000)
    retry_after: int | str | None = None
    count: int | None = Field(default=None, ge=1)
    match: str | None = None


class LedgerQuery(Request):
    """A page of the ledger."""

    offset: Annotated[Whole, Field(ge=0)] = 0
    limit: Annotated[Whole, Field(ge=1, le=10_000)] = 1_000


class Call(NamedTuple):
    """One call as it came. ``body`` is exactly what was received."""

    id: str
    key: str | None
    repeat: int
    status: int
    received_at: str
    body: bytes

    def asdict(self) -> dict[str, Any]:
        """The call for JSON, its body untouched."""
        return {
            "id": self.id,
            "idempotency_key": self.key,
            "repeat": self.repeat,
            "status": self.status,
            "received_at": self.received_at,
            "body": orjson.Fragment(self.body)
            if _parsed(self.body) is not None
            else self.body.decode("latin-1"),
        }


class Ledger:
    """The latest ``keep`` calls, and totals of all. With a ``file``, each call is also a line there."""

    def __init__(self, *, keep: int = KEEP, file: Path | None = None) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) if file else None
        self._keep = keep
        self.clear()

    def clear(self) -> None:
        """Forget every call; the file stays as it is."""
        self._calls: deque[Call] = deque()
        self._seen: Counter[str] = Counter()
        self._total = self._repeats = 0
        self._by_status: Counter[int] = Counter()

    def add(self, key: str | None, body: bytes, status: int) -> Call:
        """Record one call."""
        self._total += 1
        repeat = self._seen[key] if key is not None else 0
        received_at = rfc3339(now(), "microseconds")
        call = Call(f"msg-{self._total}", key, repeat, status, received_at, body)
        self._count(call)
        if self._file is not None:
            line = orjson.dumps(call.asdict()).replace(
                b"\n", b" "
            )  # between the tokens of a body, if anywhere
            os.write(self._file, line + b"\n")
        return call

    def page(self, offset: int, limit: int) -> dict[str, Any]:
        """Calls from ``offset``, oldest first, with the totals."""
        calls = [call.asdict() for call in islice(self._calls, offset, offset + limit)]
        following = offset + len(calls)
        return {
            "totals": {
                "calls": self._total,
                "kept": len(self._calls),
                "keys": len(self._seen),
                "repeats": self._repeats,
                "by_status": {str(status): count for status, count in sorted(self._by_status.items())},
            },
            "calls": calls,
            "next": following if following < len(self._calls) else None,
        }

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)

    def _count(self, call: Call) -> None:
        self._calls.append(call)
        self._by_status[call.status] += 1
        self._repeats += call.repeat > 0
        if call.key is not None:
            self._seen[call.key] += 1
        if len(self._calls) > self._keep:
            self._forget(self._calls.popleft().key)

    def _forget(self, key: str | None) -> None:
        if key is not None:
            self._seen[key] -= 1
            if not self._seen[key]:
                del self._seen[key]


LEDGER: Final = web.AppKey("ledger", Ledger)
BEHAVIOUR: Final = web.AppKey("behaviour", list[Behaviour])
CLOSING: Final = web.AppKey("closing", asyncio.Event)


def build_sandbox(*, keep: int = KEEP, file: Path | None = None) -> web.Application:
    """The provider as an application; ``file`` is appended to, one JSON line for each call."""
    app = web.Application(client_max_size=LARGEST)
    app[LEDGER], app[BEHAVIOUR], app[MAX_BODY] = Ledger(keep=keep, file=file), [Behaviour()], LARGEST
    app[CLOSING] = asyncio.Event()
    app.router.add_post("/send-sms", _send)
    app.router.add_get("/ledger", _show)
    app.router.add_delete("/ledger", _clear)
    app.router.add_get("/behaviour", _behaviour)
    app.router.add_put("/behaviour", _behave)
    app.on_shutdown.append(_hurry)
    app.on_cleanup.append(_close)
    return app


async def _send(request: web.Request) -> web.Response:
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
    message = _parsed(body)
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
    return json(request.app[LEDGER].page(query.offset, query.limit))


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


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
