"""Two queues on two servers: each command goes to the server of its queue, and a loss is that queue's alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from streamq import App, Settings, StreamqError, Unavailable
from streamq.client.outbox import Outbox
from streamq.model.envelope import New
from streamq.model.keys import Keys
from streamq.model.lanes import READY
from streamq.model.outcomes import COMPLETED
from streamq.model.states import State
from streamq.redis.server import Server as OneServer
from streamq.redis.servers import Servers
from streamq.settings.location import locations
from streamq.store.outcomes import Settlement
from streamq.store.store import Store

from ..rig import ON_ONE_SERVER, QUICK, until, working
from ..servers import Server

A, B = Keys("sq", "a"), Keys("sq", "b")


class Ruled(Servers):
    """The queue ``b`` lives on the second server, every other on the first."""

    second_url = ""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, OneServer(settings, locations(settings.secret("redis_url"))))
        self.second = OneServer(settings, locations(self.second_url))

    @property
    def all(self) -> tuple[OneServer, ...]:
        return (self.home, self.second)

    @property
    def is_one(self) -> bool:
        return False

    def of(self, queue: str) -> OneServer:
        return self.second if queue == "b" else self.home


@pytest.fixture
def two(own_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> tuple[Server, Server]:
    first, second = own_server(), own_server()
    monkeypatch.setattr(Ruled, "second_url", second.url)
    return first, second


@pytest.fixture
async def store(two: tuple[Server, Server]) -> AsyncIterator[Store]:
    settings = Settings.load(redis_url=two[0].url, **QUICK)
    store = Store(Ruled(settings), settings)
    yield store
    await store.close()


@contextlib.asynccontextmanager
async def enqueuing(store: Store) -> AsyncIterator[Outbox]:
    outbox = Outbox(store)
    yield outbox
    await outbox.close()


async def settled(store: Store, links: Any, worker: str) -> dict[str, object]:
    """What comes of one job of each queue that is taken and completed; of each queue alone."""
    entries: dict[str, list[Settlement]] = {}
    for queue in ("a", "b"):
        try:
            lane, (raw, *_) = await store.delivery.fetch(links, queue, worker, 1)
        except StreamqError:
            raw, lane = [b"1-1"], 1
        entries[queue] = [Settlement(COMPLETED, lane, raw[0], raw[0].decode(), b"c1 1 w\nt\n\n1\n1")]
    return {queue: said for queue, _, said in await store.outcomes.settle_each(links, entries)}


@ON_ONE_SERVER
async def test_each_queue_is_on_its_own_server_and_goes_on_without_the_other(
    two: tuple[Server, Server], store: Store
) -> None:
    links = store.links("w")
    await store.delivery.join(links, ["a", "b"])
    async with enqueuing(store) as outbox:
        for queue in ("a", "b"):
            await outbox.put(queue, [New("t", b"1"), New("t", b"1"), New("t", b"1")], "memory")
            await outbox.put(queue, [New("t", b"1", due="0")], "memory")
        with two[0].client() as first, two[1].client() as second:
            assert (first.xlen(A.ready), first.exists(B.ready)) == (3, 0)
            assert (second.xlen(B.ready), second.exists(A.ready)) == (3, 0)
            assert first.smembers("sq:{all queues}:queues") == {"a", "b"}, (
                "the list of queues is on one of them"
            )
        assert await settled(store, links, "w") == {"a": [], "b": []}
        promoted = await store.delayed.promote(links, ["a", "b"], 10)
        assert [said.jobs for said in promoted.values() if not isinstance(said, StreamqError)] == [1, 1]
        two[1].stop()
        assert await outbox.put("a", [New("t", b"1")], "memory")
        with pytest.raises(Unavailable):
            await outbox.put("b", [New("t", b"1")], "memory")
    assert (await store.queues.counts("a")).waiting == 4
    assert len((await store.jobs.jobs("a", State.WAITING, 50, None)).items) == 4
    said = await settled(store, links, "w")
    assert said["a"] == []
    assert isinstance(said["b"], Unavailable)
    promoted = await store.delayed.promote(links, ["a", "b"], 10)
    assert not isinstance(promoted["a"], StreamqError)
    assert isinstance(promoted["b"], Unavailable)
    await store.delivery.fetch(links, "a", "w", 1)
    assert (await store.recovery.reclaim(links, "a", "w", None)).again == 1
    with pytest.raises(Unavailable):
        await store.recovery.reclaim(links, "b", "w", None)
    await links.close()


@ON_ONE_SERVER
async def test_a_read_waits_on_both_servers_and_ends_with_the_first_that_has_a_job(
    two: tuple[Server, Server], store: Store
) -> None:
    links = store.links("w")
    await store.delivery.join(links, ["a", "b"])
    reader = store.delivery.reader(links, "w")
    async with enqueuing(store) as outbox:
        for queue in ("a", "b"):
            reading = asyncio.create_task(reader.wait([("a", READY), ("b", READY)], 1, 20_000))
            await asyncio.sleep(0.1)
            await outbox.put(queue, [New("t", b"1")], "memory")
            async with asyncio.timeout(5):
                found = await reading
            assert [(name, len(entries)) for name, entries in found.entries] == [((queue, READY), 1)]
            assert found.refused == []
    await reader.close()
    await links.close()


@ON_ONE_SERVER
async def test_a_worker_of_both_goes_on_with_the_queue_whose_server_is_there(
    two: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamq.client.opening.servers_at", lambda settings, _: Ruled(settings))
    app = App(redis_url=two[0].url, **QUICK)

    @app.task(queue="a")
    async def here(x: int) -> int:
        return x

    gone = asyncio.Event()

    @app.task(queue="b")
    async def there(x: int) -> int:
        if x == 3:
            await gone.wait()
        return x

    async with app, working(app) as worker:
        assert await (await there.enqueue(1)).result(10) == 1
        assert await (await here.enqueue(2, delay=0.1)).result(10) == 2
        await there.enqueue(3)
        await until(lambda: len(worker.slots.running))
        two[1].stop()
        gone.set()  # its outcome has nowhere to go, and keeps no other waiting
        for n in range(5):
            assert await (await here.enqueue(n)).result(10) == n
        two[1].start()
        job = await until(lambda: sent(there), 10)
        assert await job.result(40) == 7


async def sent(task: Any) -> Any:
    try:
        return await task.enqueue(7)
    except Unavailable:
        return None
