"""Nobody holds what others need: places of the live counts, and waits for a result."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import pytest
from streamq_service.api import events
from streamq_service.app import build_app
from streamq_service.http import waiting
from streamq_service.http.serve import bind, serving
from streamq_service.messaging import messaging_app
from streamq_service.settings import ServiceSettings
from streamq_service.site import SITE
from yarl import URL

from streamq import App

from ..rig import ON_ONE_SERVER, until
from .conftest import Service

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

Start = Callable[..., AbstractAsyncContextManager[Service]]
Make = Callable[..., ServiceSettings]
ONE, OTHER = "the-key-of-one-caller", "the-key-of-another"
GOOD = b'{"to": "+15550100", "message": "hello", "workspaceId": 66338}'


@asynccontextmanager
async def watching(service: Service, key: str) -> AsyncIterator[int]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with service.http.get(service.url + "/api/v1/events", headers=headers) as response:
        yield response.status


async def test_one_key_may_not_have_all_places(settings: Make, start: Start) -> None:
    async with (
        start(settings(api_keys=f"{ONE}=read,{OTHER}=read", max_watchers=8)) as service,
        AsyncExitStack() as held,
    ):
        assert [await held.enter_async_context(watching(service, ONE)) for _ in range(2)] == [200, 200]
        async with watching(service, ONE) as status:
            assert status == 429  # or its answer would have no end
        status, headers, problem = await service.get("/api/v1/events", Authorization=f"Bearer {ONE}")
        assert (status, problem["code"], headers["Retry-After"]) == (429, "too-many-watchers", "30")
        async with watching(service, OTHER) as status:
            assert status == 200
        await held.aclose()

        async def free_again() -> bool:
            async with watching(service, ONE) as status:
                return status == 200

        await until(free_again)


async def test_without_keys_all_callers_are_one(settings: Make, start: Start) -> None:
    async with (
        start(settings(max_watchers=4)) as service,
        watching(service, "") as first,
        watching(service, "") as second,
    ):
        assert (first, second) == (200, 429)


async def test_a_browser_that_reads_nothing_is_dropped_and_its_place_is_free(
    settings: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "STALL", 0.1)
    made = settings()
    with bind("127.0.0.1", 0) as listener, socket.socket() as stalled:
        async with messaging_app(made) as engine, _served(engine, made, listener) as feed:
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stalled.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(stalled, listener.getsockname())
            await loop.sock_sendall(stalled, b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(lambda: feed._watchers)
            (watcher,) = feed._watchers

            def dropped() -> bool:
                watcher.offer(b": %b\n\n" % (b"x" * 200_000), b": snapshot\n\n")
                return not feed._watchers

            await until(dropped)


@asynccontextmanager
async def _served(engine: App, made: ServiceSettings, listener: socket.socket) -> AsyncIterator[events.Feed]:
    app = build_app(engine, made)
    async with serving(app, listener):
        yield app[SITE].feed


async def test_a_client_that_hangs_up_frees_its_wait(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LOOK", 0.05)
    url = URL(service.url)
    _, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(
        b"POST /api/schedule-sms HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=60\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(GOOD), GOOD)
    )
    await until(_waits)
    writer.close()
    await writer.wait_closed()
    await until(lambda: not _waits())
    assert await service.jobs() == 1


def _waits() -> bool:
    return any("result" in getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks())
