"""Durability: what an acknowledged job survives is what was asked for, or an error says that it may not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from streamq import App, OutcomeUnknown, Rejected, State
from streamq.connection import Link
from streamq.envelope import New
from streamq.store import Store

from ..servers import Server, binary_of


async def test_fsync_is_confirmed_by_valkey_and_refused_on_a_server_without_it(
    own_server: Callable[..., Server], server_kind: str
) -> None:
    async with App(redis_url=own_server(aof=True).url, durability="fsync") as app:
        if server_kind == "valkey":
            job = await app.enqueue("q", "t", 1)
            assert (await job.status()).state is State.WAITING
        else:
            with pytest.raises(Rejected, match="'fsync' is not to be had on this server"):
                await app.enqueue("q", "t", 1)


async def test_a_job_with_fsync_survives_a_power_cut(
    own_server: Callable[..., Server], server_kind: str
) -> None:
    if server_kind == "redis":
        pytest.skip("Redis 7.0 has no WAITAOF")
    server = own_server(aof=True, options=["--appendfsync", "everysec"])
    async with App(redis_url=server.url) as app:
        job = await app.enqueue("q", "t", 1, durability="fsync")
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        assert (await job.status()).state is State.WAITING


async def test_without_a_replica_a_replicated_job_is_of_unknown_outcome(
    own_server: Callable[..., Server],
) -> None:
    async with App(redis_url=own_server().url, enqueue_timeout=0.2) as app:
        with pytest.raises(OutcomeUnknown, match="'replica' was not confirmed"):
            await app.enqueue("q", "t", 1, durability="replica")
        assert (await app.queue("q").counts()).waiting == 1, "it was sent again, and added once"


async def test_with_a_replica_a_replicated_job_is_on_both(
    own_server: Callable[..., Server], server_kind: str
) -> None:
    primary = own_server(tcp=True, options=["--repl-diskless-sync-delay", "0"])
    binary = binary_of(server_kind)
    assert binary is not None
    with Server(binary, options=["--replicaof", "127.0.0.1", str(primary.port)]) as replica:
        async with App(redis_url=primary.url, enqueue_timeout=10) as app:
            job = await app.enqueue("q", "t", 1, durability="replica")
        with replica.client() as client:
            assert client.xrange("sq:{q}:ready")[0][0] == job.id


async def test_jobs_of_a_batch_share_the_highest_level_asked_for(own_server: Callable[..., Server]) -> None:
    async with App(redis_url=own_server().url, enqueue_timeout=0.2) as app:
        await app.ping()
        ends = await asyncio.gather(
            app.enqueue("q", "t", 1),
            app.enqueue("q", "t", 2),
            app.enqueue("q", "t", 3, durability="replica"),
            return_exceptions=True,
        )
        assert isinstance(ends[2], OutcomeUnknown)
        assert (await app.queue("q").counts()).waiting == 3


async def test_a_batch_sent_again_on_a_new_connection_is_confirmed_anew(
    own_server: Callable[..., Server], server_kind: str
) -> None:
    """WAIT answers at once on a connection that has written nothing: it would confirm what no replica has."""
    primary, binary = (
        own_server(tcp=True, options=["--repl-diskless-sync-delay", "0"]),
        binary_of(server_kind),
    )
    assert binary is not None
    with Server(binary, options=["--replicaof", "127.0.0.1", str(primary.port)]) as replica:
        async with App(redis_url=primary.url, enqueue_timeout=10) as app:
            await app.enqueue("q", "t", 0, durability="replica")
            replica.pause()
            first, second = Link(app.store.servers), Link(app.store.servers)
            await app.store.enqueue(first, "q", "p", 1, [New("t", b"1")], "memory")
            hasty = Store(app.store.servers, app.settings.model_copy(update={"enqueue_timeout": 0.2}))
            with pytest.raises(OutcomeUnknown):
                await hasty.enqueue(second, "q", "p", 1, [New("t", b"1")], "replica")
            replica.resume()
            for link in (first, second):
                await link.close()
