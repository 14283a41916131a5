"""One app, many event loops and many tasks: each loop has its own connections, and who opens late waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis

from streamq import App, ConfigurationError, NotOpen, OpenElsewhere, UsageError, run

from ..rig import ON_ONE_SERVER, census, working
from ..servers import Server

pytestmark = [ON_ONE_SERVER, pytest.mark.keeps_keys]


def declared(app: App) -> Any:
    @app.task(queue="q")
    async def double(number: int) -> int:
        return 2 * number

    return double


def test_threads_with_a_loop_each_may_open_one_app_at_once(
    make_app: Callable[..., App], client: redis.Redis, prefix: str
) -> None:
    app = make_app()
    double, together = declared(app), threading.Barrier(4)

    async def some(thread: int) -> list[str]:
        ids = []
        for number in range(5):  # opened and closed while others are in the middle of it
            async with app:
                ids += [(await double.enqueue(thread)).id, (await double.enqueue(number)).id]
        return ids

    def work(thread: int) -> list[str]:
        together.wait()
        return asyncio.run(some(thread))

    with ThreadPoolExecutor(4) as threads:
        found = [job_id for ids in threads.map(work, range(4)) for job_id in ids]
    assert len(set(found)) == 40
    counted = census(client, prefix, "q")
    counted.check()
    assert set(counted.places) == set(found)
    assert not app.client.openings


async def test_a_loop_in_a_thread_works_beside_the_main_one(app: App) -> None:
    double = declared(app)

    async def from_there() -> int:
        async with app:
            return int(await (await double.enqueue(4)).result(10))

    async with working(app):
        assert await asyncio.to_thread(asyncio.run, from_there()) == 8
        assert await asyncio.to_thread(run, from_there()) == 8  # uvloop, where it is
        assert await (await double.enqueue(5)).result(10) == 10


async def test_a_loop_that_has_not_opened_the_app_is_told_how_to(app: App) -> None:
    double = declared(app)
    job = await double.enqueue(1)

    async def elsewhere() -> None:
        for act in (lambda: double.enqueue(1), lambda: job.result(1), job.status, app.queues, app.ping):
            with pytest.raises(OpenElsewhere, match=r"async with app.*app\.sync\.enqueue"):
                await act()
        with pytest.raises(OpenElsewhere):
            app.queue("q")

    await asyncio.to_thread(asyncio.run, elsewhere())
    assert (await job.status()).payload == 1


async def test_tasks_that_open_an_app_at_once_all_find_it_open(make_app: Callable[..., App]) -> None:
    app = make_app()
    double = declared(app)

    async def use(number: int) -> str:
        async with app:
            return (await double.enqueue(number)).id

    ids = await asyncio.gather(*[use(number) for number in range(20)])
    assert len(set(ids)) == 20
    with pytest.raises(NotOpen):
        await app.ping()


async def test_an_open_that_failed_is_not_for_good(tmp_path: Path, make_app: Callable[..., App]) -> None:
    app = App(data_dir=tmp_path / "nothing", redis_url="")
    tries = await asyncio.gather(*[app.__aenter__() for _ in range(3)], return_exceptions=True)
    assert [type(tried) for tried in tries] == [ConfigurationError] * 3
    assert not app.client.openings
    app.with_settings(make_app().settings)
    async with app:
        assert await app.ping() < 5
    with pytest.raises(NotOpen):
        await app.ping()


async def test_who_is_cancelled_while_opening_spoils_nothing_for_who_waits(
    make_app: Callable[..., App],
) -> None:
    app, slow = make_app(), asyncio.Event()
    make = app.client.openings._make

    async def slowly() -> Any:
        await slow.wait()
        return await make()

    app.client.openings._make = slowly
    first, second = asyncio.create_task(app.__aenter__()), asyncio.create_task(app.__aenter__())
    await asyncio.sleep(0)
    with pytest.raises(NotOpen):
        await app.ping()
    first.cancel()
    slow.set()
    await second
    assert first.cancelled() or ((await asyncio.wait([first])) and first.cancelled())
    assert await app.ping() < 5
    await app.__aexit__()
    assert not app.client.openings


def test_a_loop_that_ended_inside_its_block_is_forgotten(make_app: Callable[..., App]) -> None:
    app = make_app()

    async def leave_open() -> None:
        await app.__aenter__()
        await app.client.store.pool.close()  # the test's server must not see a connection that nobody closes

    asyncio.run(leave_open())

    async def again() -> None:
        async with app:
            await app.ping()

    asyncio.run(again())
    assert not app.client.openings
    app.configure(type(app.settings), {})


async def test_what_is_closed_is_closed_whatever_becomes_of_the_rest(
    app: App, monkeypatch: pytest.MonkeyPatch, make_app: Callable[..., App]
) -> None:
    other = make_app()
    await other.__aenter__()
    await other.enqueue("q", "t")
    store, closed = other.client.store, []

    close_outbox, close = other.client.openings.here().outbox("q").close, store.close

    async def fails() -> None:
        await close_outbox()
        raise RuntimeError("cannot close")

    async def noted() -> None:
        closed.append(1)
        await close()

    monkeypatch.setattr(other.client.openings.here().outbox("q"), "close", fails)
    monkeypatch.setattr(store, "close", noted)
    with pytest.raises(RuntimeError, match="cannot close"):
        await other.__aexit__()
    assert closed
    with pytest.raises(NotOpen):
        await other.ping()


async def test_an_open_app_keeps_its_settings(app: App) -> None:
    with pytest.raises(UsageError, match="the app is open"):
        app.configure(type(app.settings), {"prefix": "other"})


def test_two_apps_in_one_loop_have_their_own_servers(
    own_server: Callable[..., Server], prefix: str, server_url: str
) -> None:
    first, second = App(redis_url=own_server().url), App(redis_url=server_url, prefix=prefix)

    async def both() -> tuple[list[str], list[str]]:
        async with first, second:
            await first.enqueue("one", "t")
            return await first.queues(), await second.queues()

    assert asyncio.run(both()) == (["one"], [])
