"""Durability: what an acknowledged job survives is what was asked for, or an error says that it may not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
import redis

from streamq import App, NotDurable, OutcomeUnknown, Rejected, State
from streamq.model.envelope import New
from streamq.store.store import Store

from ..rig import ON_ONE_SERVER, enqueue_batch
from ..servers import Server, binary_of


def confirms_fsync(server: Server) -> bool:
    """Ask the server itself: its name and version say nothing of what a fork or a host has taken out."""
    with server.client() as client:
        try:
            client.execute_command("WAITAOF", 0, 0, 1)
        except redis.ResponseError:
            return False
        return True


async def test_fsync_is_confirmed_by_a_server_that_can_and_refused_by_one_that_cannot(
    own_server: Callable[..., Server],
) -> None:
    server = own_server(aof=True)
    async with App(redis_url=server.url, durability="fsync") as app:
        if confirms_fsync(server):
            job = await app.enqueue("q", "t", 1)
            assert (await job.status()).state is State.WAITING
        else:
            with pytest.raises(Rejected, match="'fsync' is not available on this server"):
                await app.enqueue("q", "t", 1)


async def test_fsync_without_an_append_only_file_is_refused_and_the_jobs_can_be_asked_for_again(
    own_server: Callable[..., Server],
) -> None:
    server = own_server()
    async with App(redis_url=server.url, durability="fsync") as app:
        with pytest.raises(NotDurable) as caught:
            await app.enqueue("q", "t", 1)
        assert (await app.queue("q").counts()).waiting == 1
        if not confirms_fsync(server):
            return
        with server.client() as admin:
            admin.config_set("appendonly", "yes")
        assert caught.value.repeat is not None
        job = await caught.value.repeat()
        assert (await job.status()).state is State.WAITING
        assert (await app.queue("q").counts()).waiting == 1


async def test_a_job_with_fsync_survives_a_power_cut(own_server: Callable[..., Server]) -> None:
    server = own_server(aof=True, options=["--appendfsync", "everysec"])
    if not confirms_fsync(server):
        pytest.skip("this server has no WAITAOF")
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


async def test_what_no_replica_confirms_is_told_when_the_time_is_over_and_not_after_several(
    own_server: Callable[..., Server],
) -> None:
    server = own_server(tcp=True)
    url = f"{server.url},redis://127.0.0.1:1"
    async with App(redis_url=url, enqueue_timeout=2) as app:
        await app.enqueue("q", "t", 1)
        start = time.monotonic()
        waiting = asyncio.create_task(app.enqueue("q", "t", 2, durability="replica"))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.kill)  # and it is sent again, to one without a replica
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.start)
        with pytest.raises(OutcomeUnknown):
            await waiting
        assert time.monotonic() - start < 3


@ON_ONE_SERVER
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


async def test_each_caller_is_answered_by_the_durability_it_asked_for(
    own_server: Callable[..., Server],
) -> None:
    """Sent in the same moment: one in memory, one on disk and one on a replica that is not there."""
    server = own_server(aof=True)
    async with App(redis_url=server.url, enqueue_timeout=1) as app:
        await app.ping()
        start = time.monotonic()
        slow = asyncio.create_task(app.enqueue("q", "t", 3, durability="replica"))
        fsync = asyncio.create_task(app.enqueue("q", "t", 2, durability="fsync"))
        await app.enqueue("q", "t", 1)
        assert time.monotonic() - start < 0.9, "it did not wait for the replica of another"
        if confirms_fsync(server):
            await fsync
        else:
            with pytest.raises(NotDurable):
                await fsync
        with pytest.raises(OutcomeUnknown, match="'replica' was not confirmed"):
            await slow
        assert (await app.queue("q").counts()).waiting == 3


@ON_ONE_SERVER
async def test_callers_beside_one_that_is_refused_are_not(own_server: Callable[..., Server]) -> None:
    server = own_server(users=["a on nopass ~* &* +@all -wait"])
    async with App(redis_url=server.url, redis_username="a", redis_password="any") as app:
        ends = await asyncio.gather(
            *[
                app.enqueue("q", "t", n, durability=how)
                for n, how in enumerate(("memory", "fsync", "replica") * 3)
            ],
            return_exceptions=True,
        )
        assert [isinstance(end, NotDurable) for end in ends] == [False, True, True] * 3
        assert (await app.queue("q").counts()).waiting == 9


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
            hasty = Store(app.client.store.servers, app.settings.model_copy(update={"enqueue_timeout": 0.5}))
            for jobs in ([New("t", b"1")], [New("t", b"1"), New("t", b"2")]):
                first, second, producer = hasty.links(), hasty.links(), f"p{len(jobs)}"
                await enqueue_batch(
                    hasty, first, "q", producer, 1, jobs, "memory"
                )  # it announces the queue, too
                with pytest.raises(OutcomeUnknown):
                    await enqueue_batch(hasty, second, "q", producer, 1, jobs, "replica")
                for links in (first, second):
                    await links.close()
            replica.resume()
