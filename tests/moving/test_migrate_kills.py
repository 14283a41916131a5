"""A move that is killed with SIGKILL at any moment goes on: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from streamq import App, QueueMoved, Unavailable
from streamq.moving.copying import Copying
from streamq.moving.lead import leading
from streamq.moving.mover import Mover
from streamq.store import migrations

from ..proxy import Proxy
from ..rig import ON_ONE_SERVER, census, until, working
from ..servers import Server
from .killed import KILLS, Killed
from .rich import QUEUE, Anywhere, declared, fill, known


@ON_ONE_SERVER
async def test_a_move_that_is_killed_again_and_again_brings_all_there_is(
    own_server: Callable[..., Server], tmp_path: Path
) -> None:
    old, new = own_server(), own_server()
    (source, _), (target, _) = declared(old.url), declared(new.url)
    async with source, target, Proxy(old.socket) as first, Proxy(new.socket) as second:
        await fill(source)
        before, kills = await _known(source), 0
        way = [(first, source), (second, target)]
        while kills < KILLS:  # there and back
            killed = _killed(way[0][0], way[1][0], tmp_path)
            while await killed.run(250 if kills < KILLS else None):
                kills += 1
            assert await _known(way[1][1]) == before
            way.reverse()
    for server in (old, new):
        with server.client() as client:
            assert not [*client.scan_iter("*aside:*")]


@ON_ONE_SERVER
async def test_a_move_whose_connection_is_cut_says_so_in_a_sentence_and_goes_on(
    own_server: Callable[..., Server], tmp_path: Path
) -> None:
    old, new = own_server(), own_server()
    (source, _), (target, _) = declared(old.url), declared(new.url)
    async with source, target, Proxy(old.socket) as first, Proxy(new.socket) as second:
        await fill(source)
        before, cut = await _known(source), _killed(first, second, tmp_path, kills=False)
        for _ in range(KILLS // 2):
            if not await cut.run(200):
                break
            assert cut.said.splitlines()[-2].startswith("error: "), cut.said
        await cut.run(None)
        assert await _known(target) == before


@ON_ONE_SERVER
async def test_what_differs_is_copied_again_until_both_sides_are_equal(
    own_server: Callable[..., Server],
) -> None:
    """As after a switch to a replica that had not all of it."""
    (source, _), (target, _) = declared(own_server().url), declared(own_server().url)
    async with source, target:
        await fill(source)
        before, mover = await _known(source), Mover(source.client.store, target.client.store, QUEUE)
        here, there = mover._source, mover._target
        async with leading(here, there, QUEUE, mover._token):
            await mover._closed(await mover._begun())
            copying = Copying(here, there, QUEUE, mover._token, lambda _: None)
            await copying.run()
            names, before_all = there.aside(QUEUE), await there.ends(QUEUE)
            call = target.client.store.pool.call
            await call(QUEUE, "HDEL", names.parked, (await call(QUEUE, "HKEYS", names.parked))[0])
            await call(QUEUE, "LPUSH", names.completed, "strange")
            await call(QUEUE, "XTRIM", names.lanes[0], "MAXLEN", 3)
            await call(QUEUE, "SET", names.before + "strange", "x")
            assert len(await copying._differing()) == 4
            await copying.run()
            assert await there.ends(QUEUE) == before_all
        await mover.run()
        assert await _known(target) == before


@ON_ONE_SERVER
async def test_a_queue_opens_when_the_replicas_have_it_and_not_before(
    own_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a switch to one of them would lose it, and the old server has it no more."""
    monkeypatch.setattr(migrations, "CONFIRMED_IN", 0.5)
    quick = ["--repl-diskless-sync-delay", "0"]
    old, new, replica = own_server(), own_server(tcp=True, options=quick), own_server(tcp=True, options=quick)
    (source, _), (target, _) = declared(old.url), declared(new.url)
    async with source, target:
        with replica.client() as client:
            client.replicaof("127.0.0.1", str(new.port))
            await until(lambda: client.info("replication")["master_link_status"] == "up")
        await fill(source)
        before, mover = await _known(source), Mover(source.client.store, target.client.store, QUEUE)
        replica.pause()
        try:
            with pytest.raises(Unavailable, match="1 of 1 replicas have not confirmed"):
                await mover.run()
            with pytest.raises(QueueMoved, match="is not open yet"):
                await target.enqueue(QUEUE, "work", {"line": "", "number": 1})
        finally:
            replica.resume()
        await mover.run()
        assert await _known(target) == before


@ON_ONE_SERVER
async def test_a_move_that_is_killed_while_all_goes_on_runs_each_job_once(
    own_server: Callable[..., Server], tmp_path: Path
) -> None:
    old, new = own_server(), own_server()
    (source, here), (target, there) = declared(old.url), declared(new.url)
    async with source, target, Proxy(old.socket) as first, Proxy(new.socket) as second:
        async with working(source), working(target):
            producer, killed = Anywhere(source, target), _killed(first, second, tmp_path)
            producing = asyncio.create_task(producer.send(1_500))
            await until(lambda: len(producer.sent) > 100)
            for _ in range(KILLS // 3):
                if not await killed.run(150):
                    break
            await killed.run(None)
            await producing
            await until(lambda: len(here) + len(there) >= 1_500, 40)
        ran = Counter(number for _, number in here + there)
        assert (sorted(ran), set(ran.values())) == (list(range(1_500)), {1})
    with new.client() as client:
        census(client, "sq", QUEUE).check()


def _killed(source: Proxy, target: Proxy, folder: Path, *, kills: bool = True) -> Killed:
    words = ("migrate", "--redis-url", source.url, "--to", target.url, "--queue", QUEUE)
    return Killed((source, target), folder, *words, kills=kills)


async def _known(app: App) -> dict[str, object]:
    """What is known of the queue, without what is no part of it."""
    return {**await known(app), "records": None}
