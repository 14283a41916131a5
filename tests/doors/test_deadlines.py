"""Deadlines and places of connections, with short times: the clock is real, the constants are not."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from streamq_service.app import build_app
from streamq_service.http import connections
from streamq_service.http.serve import bind, serving
from streamq_service.messaging import messaging_app
from streamq_service.settings import ServiceSettings

from ..rig import ON_ONE_SERVER, until

pytestmark = [ON_ONE_SERVER, pytest.mark.keeps_keys]

HOST = b"Host: 127.0.0.1\r\n"
HALF = b"GET /health HTTP/1.1\r\n" + HOST
POST = b"POST /api/schedule-sms HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
def connect(server_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """``async with connect(HEADER=0.2, …) as line:`` opens connections to a service with these constants."""
    monkeypatch.setattr(connections, "SWEEP", 0.05)

    @asynccontextmanager
    async def start(**constants: float) -> AsyncIterator[Callable[[], Any]]:
        for name, value in constants.items():
            monkeypatch.setattr(connections, name, value)
        settings = ServiceSettings(redis_url=server_url, prefix=prefix)
        engine, opened = messaging_app(settings), list[Line]()
        app = build_app(engine, settings)
        app.router.add_get("/large", _large)
        with bind("127.0.0.1", 0) as listener:
            port = listener.getsockname()[1]

            async def line() -> Line:
                opened.append(await asyncio.open_connection("127.0.0.1", port))
                return opened[-1]

            async with engine, serving(app, listener, quiet=True):
                try:
                    yield line
                finally:
                    for _, writer in opened:
                        writer.transport.abort()

    return start


async def _large(_request: web.Request) -> web.Response:
    return web.Response(body=bytes(30_000_000))


async def rest(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the other side closes."""
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionError):
            return await reader.read()
    return b""


async def test_a_header_that_does_not_end_is_answered_at_its_deadline(connect: Callable[..., Any]) -> None:
    async with connect(HEADER=0.3) as line:
        reader, writer = await line()
        writer.write(HALF)
        answer = await rest(reader)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"application/problem+json" in answer
        assert await rest((await line())[0]) == b""  # one that says nothing is closed without a word


async def test_drops_of_a_header_move_no_deadline(connect: Callable[..., Any]) -> None:
    async with connect(HEADER=0.3) as line:
        reader, writer = await line()
        writer.write(HALF + b"X: ")
        ended = asyncio.create_task(rest(reader))
        async with asyncio.timeout(10):
            while not ended.done():
                writer.write(b"a")
                await asyncio.sleep(0.02)
        assert b" 408 " in await ended or not await ended  # gone, if a drop came after the end


async def test_a_body_that_stalls_is_answered_at_its_deadline_and_one_that_flows_is_not(
    connect: Callable[..., Any],
) -> None:
    async with connect(BODY=0.3, BODY_RATE=10) as line:
        reader, writer = await line()
        writer.write(POST + b"Content-Length: 99\r\n\r\n{")
        answer = await rest(reader)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"Connection: close" in answer
        reader, writer = await line()
        writer.write(POST + b"Content-Length: 22\r\n\r\n" + b" " * 20)  # 20 bytes: two seconds more
        await asyncio.sleep(0.6)
        writer.write(b"{}")
        assert (await reader.readline()).startswith(b"HTTP/1.1 422 ")


async def test_an_answer_that_nobody_reads_is_dropped_at_its_deadline(connect: Callable[..., Any]) -> None:
    async with connect(UNREAD=0.3) as line:
        reader, writer = await line()
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n")
        await until(lambda: _served(writer))
        await asyncio.sleep(0.8)
        reader._transport.resume_reading()  # type: ignore[attr-defined]
        assert len(await rest(reader)) < 30_000_000


def _served(writer: asyncio.StreamWriter) -> bool:
    return writer.transport.get_write_buffer_size() == 0


async def test_an_idle_connection_is_closed_and_a_stream_of_events_is_not(
    connect: Callable[..., Any],
) -> None:
    async with connect(KEEP_ALIVE=0.3, HEADER=0.3, BODY=0.3, UNREAD=0.3) as line:
        idle, writer = await line()
        stream, events = await line()
        writer.write(HALF + b"\r\n")
        events.write(b"GET /api/v1/events HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (await rest(idle)).startswith(b"HTTP/1.1 200 ")
        await asyncio.sleep(1.0)
        async with asyncio.timeout(10):
            await stream.readuntil(b"event: snapshot")
            await stream.readuntil(b"event: change")
            await stream.readuntil(b"event: change")


async def test_when_all_places_are_taken_the_longest_silent_one_makes_room(
    connect: Callable[..., Any],
) -> None:
    async with connect(CONNECTIONS=10) as line:
        crowd = [await line() for _ in range(30)]
        for _, writer in crowd:
            with contextlib.suppress(ConnectionError):
                writer.write(HALF)
        reader, writer = await line()
        writer.write(HALF + b"\r\n")
        async with asyncio.timeout(10):
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")


async def test_where_nobody_is_silent_one_more_is_told_so(connect: Callable[..., Any]) -> None:
    async with connect(CONNECTIONS=2) as line:
        for _ in range(2):
            reader, writer = await line()
            writer.write(b"GET /api/v1/events HTTP/1.1\r\n" + HOST + b"\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        reader, _ = await line()
        assert (await rest(reader)).startswith(b"HTTP/1.1 503 ")


async def test_it_ends_in_time_whatever_is_open(connect: Callable[..., Any]) -> None:
    async with connect() as line:
        for request in (
            b"",
            HALF,
            HALF + b"\r\n",
            POST + b"Content-Length: 9\r\n\r\n{",
            b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n",
        ):
            _, writer = await line()
            writer.write(request)
        await asyncio.sleep(0.1)
        began = time.monotonic()
    assert time.monotonic() - began < 8  # 5 s, and a noisy machine's share
