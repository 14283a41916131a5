"""Servers that Sentinels watch: the primary is asked for, and its successor is found while there is work."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable

import pytest

from streamq import App, Rejected, Unavailable
from streamq.redis.link import Link
from streamq.redis.server import Search
from streamq.redis.thread_link import ThreadLink

from ..rig import ON_ONE_SERVER, QUICK, refused, until, working
from ..sentinels import NAME, Watched
from ..servers import Server, binary_of


@pytest.fixture
async def start(server_kind: str) -> AsyncIterator[Callable[..., Watched]]:
    """``start(replicas=2, password=None)``: servers that Sentinels watch, ready for a switch."""
    binary = binary_of(server_kind)
    assert binary is not None
    started: list[Watched] = []

    async def ready(**options: object) -> Watched:
        watched = Watched(binary, **options)  # type: ignore[arg-type]
        started.append(watched)
        watched.__enter__()
        await until(lambda: watched.ready)
        return watched

    yield ready
    for watched in started:
        watched.__exit__()


async def test_a_primary_that_dies_under_load_costs_no_job_that_a_replica_had(
    start: Callable[..., Watched],
) -> None:
    watched = await start()
    app = App(redis_url=watched.url, durability="replica", **{**QUICK, "enqueue_timeout": 15.0})
    done: dict[int, int] = {}

    @app.task(queue="q")
    async def work(x: int) -> None:
        done[x] = done.get(x, 0) + 1

    acknowledged = []
    async with app, working(app):

        async def produce(first: int) -> None:
            for x in range(first, 300, 10):
                await work.enqueue(x)
                acknowledged.append(x)

        producers = [asyncio.create_task(produce(first)) for first in range(10)]
        await until(lambda: len(done) > 50)
        watched.primary.kill()
        await asyncio.gather(*producers)
        await until(lambda: len(done) == 300, 30)
    assert sorted(acknowledged) == list(range(300))


@ON_ONE_SERVER
async def test_whoever_is_connected_leaves_a_former_primary_that_comes_back(
    start: Callable[..., Watched],
) -> None:
    watched = await start(replicas=1)
    former = watched.primary
    async with App(redis_url=watched.url, **QUICK) as app:
        home = app.client.store.servers.home
        resting, waiting, thread = Link(home), Link(home), ThreadLink(home, "thread")
        await resting.call("PING")
        await asyncio.to_thread(thread.connect)
        blocked = asyncio.create_task(waiting.call("BLPOP", "nothing", "60", timeout=60))
        await until(lambda: blocked_clients(former) > 0)
        former.pause()
        await until(lambda: watched.sentinels[0].primary() != former.port)
        former.resume()
        with pytest.raises(Unavailable):
            async with asyncio.timeout(5):
                await blocked
        assert not resting.connected, "what rests connects anew before its next command"
        assert await asyncio.to_thread(thread.connect), "and so does a thread"
        for link in (resting, waiting):
            assert (await link.call("ROLE"))[0] == b"master"
            await link.close()
        await app.enqueue("q", "t", 1)
        thread.close()
    with watched.primary.client() as client:
        assert client.xlen("sq:{q}:ready") == 1


def blocked_clients(server: Server) -> int:
    with server.client() as client:
        return int(client.info("clients")["blocked_clients"])


@ON_ONE_SERVER
async def test_a_sentinel_that_has_not_heard_of_the_switch_is_passed_over(
    start: Callable[..., Watched],
) -> None:
    watched = await start(replicas=1)
    former, cut_off = watched.primary, watched.sentinels[-1]
    async with App(redis_url=watched.url, **QUICK) as app:
        await app.ping()
        home = app.client.store.servers.home
        cut_off.pause()
        former.kill()
        await until(lambda: watched.sentinels[0].primary() != former.port)
        await until(lambda: home.era == 1)
        assert home.places[-1].port == cut_off.port, "the one that answers is asked first"
        cut_off.resume()
        (stale,) = [place for place in home.places if place.port == cut_off.port]
        search = Search()
        if cut_off.primary() == former.port:
            assert await home.where(stale, search) is None
            assert "has not heard of the last switch" in str(search.unsuccessful())


@ON_ONE_SERVER
async def test_sentinels_have_a_login_of_their_own(start: Callable[..., Watched]) -> None:
    watched = await start(replicas=1, password="sentinels-own")
    async with App(redis_url=watched.url, sentinel_password="sentinels-own") as app:
        await app.ping()
        thread = ThreadLink(app.client.store.servers.home, "thread")
        assert await asyncio.to_thread(thread.connect)
        thread.close()
    async with App(redis_url=watched.url) as app:
        with pytest.raises(Rejected, match="Authentication required"):
            await app.ping()


@ON_ONE_SERVER
async def test_a_wrong_address_is_told_in_one_sentence(start: Callable[..., Watched]) -> None:
    watched = await start(replicas=1)
    for url, said in [
        (watched.url.replace(f"/{NAME}", "/other"), "it watches no server of the name 'other'"),
        (f"redis+sentinel://127.0.0.1:{watched.primary.port}/{NAME}", "neither a Sentinel nor"),
        (f"redis://{watched.hosts.split(',')[0]}", "it is a Sentinel"),
    ]:
        await refused(url, said)


@ON_ONE_SERVER
async def test_the_doctor_looks_at_every_sentinel(start: Callable[..., Watched]) -> None:
    watched = await start(replicas=1)
    watched.sentinels[1].kill()
    told = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "streamq", "doctor"],
        env={**os.environ, "STREAMQ_REDIS_URL": watched.url}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.stdout.count(f"(named by redis://127.0.0.1:{watched.sentinels[0].port})") == 1
    assert f"redis://127.0.0.1:{watched.sentinels[1].port}: cannot reach the server" in told.stdout
    assert "Traceback" not in told.stdout + told.stderr
