"""Whatever goes wrong between us and a server is one of our errors, and bounded in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import hiredis
import pytest
import redis

from streamq import App, OutcomeUnknown, Rejected, StreamqError, Unavailable, UsageError
from streamq.redis.answers import translate
from streamq.redis.link import Link
from streamq.redis.pool import Pool
from streamq.redis.thread_link import ThreadLink

from ..rig import ON_ONE_SERVER
from ..servers import Server


@ON_ONE_SERVER
async def test_what_cannot_be_written_is_an_error_of_the_caller_and_keeps_the_connection(app: App) -> None:
    link, thread = (
        Link(app.client.store.servers.home),
        ThreadLink(app.client.store.servers.home, "thread"),
    )
    await link.call("PING")
    await asyncio.to_thread(thread.connect)
    for bad in ("lone \ud800 surrogate", object(), {"a": 1}):
        with pytest.raises(UsageError, match="nothing was sent"):
            await link.call("ECHO", bad)
        with pytest.raises(UsageError, match="nothing was sent"):
            thread.calls(("ECHO", bad))
    assert link.connected
    assert link.generation == 1
    assert await link.call("ECHO", "x") == b"x"
    assert await asyncio.to_thread(thread.calls, ("ECHO", "x")) == [b"x"]
    await link.close()
    thread.close()


def _classes(root: type[Exception]) -> Iterator[type[Exception]]:
    yield root
    for kind in root.__subclasses__():
        yield from _classes(kind)


HOMES = {"redis", "hiredis", "builtins", "ssl", "socket", "asyncio"}
ROOTS: tuple[type[Exception], ...] = (
    redis.RedisError, hiredis.HiredisError, OSError, ValueError, EOFError, RuntimeError, LookupError,
)  # fmt: skip
FOREIGN = sorted(
    {kind for root in ROOTS for kind in _classes(root) if kind.__module__.partition(".")[0] in HOMES},
    key=lambda kind: f"{kind.__module__}.{kind.__qualname__}",
)


@pytest.mark.parametrize("sent", [True, False])
def test_whatever_is_met_on_the_way_to_a_server_becomes_one_of_ours(sent: bool) -> None:
    assert len(FOREIGN) > 60
    for kind in FOREIGN:
        for text in ("", "READONLY no", "Protocol error", "timed out"):
            error = kind.__new__(kind)
            error.args = (text,)
            ours = translate(error, sent=sent)
            assert isinstance(ours, StreamqError), kind
            assert str(ours), kind
            assert sent or not isinstance(ours, OutcomeUnknown), kind


@pytest.mark.parametrize("fault", [RuntimeError("closed"), ValueError("I/O"), EOFError(), OSError("reset")])
@ON_ONE_SERVER
async def test_no_other_error_leaves_a_connection(
    app: App, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise fault

    link = Link(app.client.store.servers.home)
    await link.call("PING")
    with monkeypatch.context() as patch:
        patch.setattr(link._wire, "_transport", SimpleNamespace(write=broken))
        with pytest.raises(OutcomeUnknown):
            await link.call("PING")
    assert not link.connected
    with monkeypatch.context() as patch:
        for kind in ("UnixDomainSocketConnection", "Connection"):
            patch.setattr(f"redis.asyncio.connection.{kind}._connect", broken)
        with pytest.raises(Unavailable) as caught:
            await link.call("PING")
    assert not isinstance(caught.value, OutcomeUnknown)
    assert await link.call("PING") == b"PONG"
    await link.close()


async def test_a_host_name_that_is_none_is_unavailable() -> None:
    for host in ("a" * 70 + ".example", "a..b"):
        async with App(redis_url=f"redis://{host}:1", connect_timeout=1) as app:
            with pytest.raises(Unavailable):
                await app.ping()
            link = ThreadLink(app.client.store.servers.home, "thread")
            with pytest.raises(Unavailable):
                link.connect()


@ON_ONE_SERVER
async def test_a_caller_waits_for_a_free_connection_only_for_so_long(
    own_server: Callable[..., Server],
) -> None:
    server = own_server()
    async with App(redis_url=server.url, connections=1, command_timeout=0.5) as app:
        await app.ping()
        async with app.client.store.pool.links():
            start = time.monotonic()
            with pytest.raises(Unavailable, match="all 1 connections"):
                await app.ping()
            assert 0.4 < time.monotonic() - start < 5
        await app.ping()
        server.pause()
        ends: list[Any] = await asyncio.gather(*[app.ping() for _ in range(5)], return_exceptions=True)
        server.resume()
        assert all(isinstance(end, Unavailable) for end in ends), "each is told"
        await app.ping()


@ON_ONE_SERVER
async def test_a_connection_in_use_at_the_close_is_dropped_when_it_is_given_back(app: App) -> None:
    pool = Pool(app.client.store.servers)
    async with pool.links() as link:
        await link.home.call("PING")
        await pool.close()
        await link.home.call("PING")
    assert not link.connected


@ON_ONE_SERVER
async def test_a_refused_command_of_a_thread_has_its_place_among_the_replies(app: App) -> None:
    thread = ThreadLink(app.client.store.servers.home, "thread")
    await asyncio.to_thread(thread.connect)
    first, refused, last = await asyncio.to_thread(thread.batch, ("PING",), ("NO", "SUCH"), ("PING",))
    assert first == last == b"PONG"
    assert isinstance(refused, Rejected)
    with pytest.raises(Rejected):
        await asyncio.to_thread(thread.calls, ("PING",), ("NO", "SUCH"))
    assert not await asyncio.to_thread(thread.connect), "the connection stays"
    thread.close()
