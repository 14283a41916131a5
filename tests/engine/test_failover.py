"""A list of addresses: the primary is found, also after another server became it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from streamq import App, Job, OutcomeUnknown, Rejected, Unavailable
from streamq.redis.link import Link
from streamq.redis.thread_link import ThreadLink

from ..rig import ON_ONE_SERVER, QUICK, until, working
from ..servers import Server

NOWHERE = "unix:///nonexistent/s"


@pytest.fixture
def two(own_server: Callable[..., Server]) -> tuple[Server, Server]:
    """Two servers that can be made each other's replica."""
    quick = ["--repl-diskless-sync-delay", "0"]
    return own_server(tcp=True, options=quick), own_server(tcp=True, options=quick)


def follow(replica: Server, primary: Server) -> None:
    """What a fail-over does to the one that is not chosen."""
    with replica.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", primary.port)


def lead(server: Server) -> None:
    """What it does to the one that is."""
    with server.client() as client:
        client.execute_command("REPLICAOF", "NO", "ONE")


def has_all(replica: Server, primary: Server) -> bool:
    with replica.client() as one, primary.client() as other:
        have, has = one.info("replication"), other.info("replication")
        return bool(
            have["master_link_status"] == "up" and have["slave_repl_offset"] == has["master_repl_offset"]
        )


async def test_a_replica_in_the_list_is_passed_over(two: tuple[Server, Server]) -> None:
    first, second = two
    follow(first, second)
    async with App(redis_url=f"{first.url},{second.url}") as app:
        job = await app.enqueue("q", "t", 1)
        assert (await job.status()).payload == 1
        link = ThreadLink(app.client.store.servers.home, "thread")
        assert await asyncio.to_thread(link.connect)
        assert (await asyncio.to_thread(link.calls, ("SET", "k", "v"))) == [b"OK"]
        link.close()
    with second.client() as client:
        assert client.xlen("sq:{q}:ready") == 1


async def test_when_all_are_replicas_the_error_says_so_of_each(two: tuple[Server, Server]) -> None:
    first, second = two
    follow(first, second)
    follow(second, first)
    async with App(redis_url=f"{first.url},{second.url}") as app:
        with pytest.raises(Unavailable) as caught:
            await app.enqueue("q", "t", 1)
        link = ThreadLink(app.client.store.servers.home, "thread")
        with pytest.raises(Unavailable) as in_thread:
            await asyncio.to_thread(link.connect)
    for error in (caught.value, in_thread.value):
        assert not isinstance(error, Rejected | OutcomeUnknown)
        assert str(error).count("it is a replica, which takes no jobs; passed over") == 2


@ON_ONE_SERVER
async def test_a_single_address_is_used_as_it_is(two: tuple[Server, Server]) -> None:
    first, second = two
    follow(first, second)
    async with App(redis_url=first.url) as app:
        assert await app.ping() < 5, "one may look at a replica"
        with pytest.raises(Unavailable, match=r"READONLY|MASTERDOWN"):
            await app.enqueue("q", "t", 1)


async def test_every_connection_leaves_a_server_that_became_a_replica(two: tuple[Server, Server]) -> None:
    first, second = two
    follow(second, first)
    async with App(redis_url=f"{first.url},{second.url}") as app:
        await app.enqueue("q", "t", 1)
        reading, blocked = Link(app.client.store.servers.home), Link(app.client.store.servers.home)
        thread = ThreadLink(app.client.store.servers.home, "thread")
        await reading.call("PING")
        await asyncio.to_thread(thread.connect)
        async with app.client.store.pool.links() as links:
            await app.client.store.delivery.join(links, ["q"])
        read = ("XREADGROUP", "GROUP", "workers", "w", "BLOCK", "30000", "STREAMS", "sq:{q}:alone", ">")
        waiting = asyncio.create_task(blocked.call(*read, timeout=30))
        await until(lambda: has_blocked(first) and has_all(second, first))
        lead(second)
        follow(first, second)
        with pytest.raises(Unavailable, match="UNBLOCKED"):
            await waiting
        assert not blocked.connected
        assert not reading.connected, "what only reads hears of it from the others"
        await until(lambda: written(thread))
        await until(lambda: enqueued(app, 2))
        for link in (reading, blocked):
            assert (await link.call("SET", "k", "v")) == b"OK"
            await link.close()
        thread.close()
    with second.client() as client:
        assert client.xlen("sq:{q}:ready") == 2


async def test_a_write_that_a_replica_refuses_sends_all_connections_to_the_new_primary(
    two: tuple[Server, Server],
) -> None:
    first, second = two
    follow(second, first)
    async with App(redis_url=f"{first.url},{second.url}") as app:
        await app.enqueue("q", "t", 1)
        thread = ThreadLink(app.client.store.servers.home, "thread")
        await asyncio.to_thread(thread.connect)
        await until(lambda: has_all(second, first))
        lead(second)
        follow(first, second)
        with pytest.raises(Unavailable, match="READONLY"):
            await asyncio.to_thread(thread.calls, ("SET", "k", "v"))
        await until(lambda: enqueued(app, 2), 5)
        await until(lambda: written(thread), 5)
        thread.close()


@ON_ONE_SERVER
async def test_an_enqueue_that_meets_a_fail_over_is_added_once_by_the_new_primary(
    two: tuple[Server, Server],
) -> None:
    first, second = two
    follow(second, first)
    url = f"{first.url},{second.url}"
    async with App(redis_url=url) as app, App(redis_url=url, enqueue_timeout=0.3) as hasty:
        await app.enqueue("q", "t", 1)
        await hasty.enqueue("q", "t", 2)
        await until(lambda: has_all(second, first))
        follow(first, second)  # and for a moment nobody is the primary
        with pytest.raises(Unavailable) as caught:
            await hasty.enqueue("q", "t", 3)
        assert not isinstance(caught.value, OutcomeUnknown), "nothing was added"
        sending = asyncio.create_task(app.enqueue("q", "t", 4))
        await asyncio.sleep(0.3)
        assert not sending.done()
        lead(second)
        job = await sending
        assert (await job.status()).payload == 4
        assert (await app.queue("q").counts()).waiting == 3


def has_blocked(server: Server) -> bool:
    with server.client() as client:
        return int(client.info("clients")["blocked_clients"]) > 0


async def written(thread: ThreadLink) -> bool:
    try:
        await asyncio.to_thread(thread.connect)
        return (await asyncio.to_thread(thread.calls, ("SET", "k", "v"))) == [b"OK"]
    except Unavailable:
        return False


async def enqueued(app: App, payload: int) -> Job[int] | None:
    try:
        return await app.enqueue("q", "work", payload)
    except Unavailable:
        return None


@ON_ONE_SERVER
async def test_work_goes_on_over_a_fail_over(two: tuple[Server, Server]) -> None:
    first, second = two
    follow(second, first)
    app = App(redis_url=f"{first.url},{second.url}", **QUICK)

    over = asyncio.Event()

    @app.task(queue="q")
    async def work(x: int) -> int:
        if x == 0:
            await over.wait()
        return x

    async with app, working(app):
        running = await work.enqueue(0)
        assert await (await work.enqueue(1)).result(10) == 1
        await until(lambda: has_all(second, first))
        lead(second)
        follow(first, second)
        over.set()
        job = await until(lambda: enqueued(app, 2))
        assert await job.result(20) == 2
        assert await running.result(20) == 0, "what ran meanwhile is written to the new primary"
        assert (await running.status()).attempt == 1


@ON_ONE_SERVER
async def test_a_server_that_does_not_know_hello_is_taken_as_it_is(own_server: Callable[..., Server]) -> None:
    server = own_server(options=["--rename-command", "HELLO", ""])
    async with App(redis_url=f"{NOWHERE},{server.url}") as app:
        await app.enqueue("q", "t", 1)
        link = ThreadLink(app.client.store.servers.home, "thread")
        assert await asyncio.to_thread(link.connect)
        link.close()
