"""On a cluster a worker lives for a queue as long as it has connections to the node of that queue."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest
import redis

from streamq import App
from streamq.duties.reclaimer import Reclaimer
from streamq.liveness.identity import describe
from streamq.model.lanes import READY
from streamq.model.worker_info import WorkerInfo

from ..clusters import Cluster, Node
from ..rig import ON_ONE_SERVER, QUICK, until, working
from ..servers import binary_of

QUEUES = ("a", "b", "c", "d", "e", "f")


@pytest.fixture
async def cluster(server_kind: str) -> AsyncIterator[Cluster]:
    binary = binary_of(server_kind)
    assert binary is not None
    with Cluster(binary) as cluster:
        yield cluster


def connected(node: Node, name: str, stack: contextlib.ExitStack) -> int:
    """The number of a connection of that name, open as long as the stack is."""
    client: redis.Redis = stack.enter_context(contextlib.closing(node.client()))
    connection = client.connection_pool.get_connection()
    stack.callback(connection.disconnect)
    connection.send_command("CLIENT", "SETNAME", name)
    connection.read_response()
    connection.send_command("CLIENT", "ID")
    return int(connection.read_response())


async def has_jobs(app: App, info: WorkerInfo, queues: Sequence[str]) -> None:
    """Let a worker that is none be listed, beat, and take a job of each queue."""
    store = app.client.store
    links, threaded = store.links(info.name), store.thread_links(info.name)
    await store.workers.introduce(links, info)
    await asyncio.to_thread(threaded.connect)
    await asyncio.to_thread(store.workers.beat, threaded, info.name, queues)
    threaded.close()
    reader = store.delivery.reader(links, info.name)
    for queue in queues:
        await store.delivery.join(links, [queue])
        await app.enqueue(queue, "t", 1)
        taken = await reader.read({(queue, READY): 1})
        assert len(taken[queue, READY]) == 1
    await links.close()


@ON_ONE_SERVER
async def test_a_worker_is_lost_to_the_queues_of_the_node_to_which_its_connections_are_gone(
    cluster: Cluster,
) -> None:
    there = {queue: cluster.owner(f"{{{queue}}}") for queue in QUEUES}
    kept = cluster.owner("{all queues}")
    on_kept = next(queue for queue in QUEUES if there[queue] is kept)
    away = next(queue for queue in QUEUES if there[queue] is not kept)
    with contextlib.ExitStack() as stack, contextlib.ExitStack() as closing:
        async with App(redis_url=cluster.url, **QUICK) as app:
            await app.wait_ready()
            home = connected(kept, "ada", stack)
            gone = connected(there[away], "ada", closing)
            clients = {
                f"redis://127.0.0.1:{kept.port}": home,
                f"redis://127.0.0.1:{there[away].port}": gone,
            }
            info = describe("ada", (on_kept, away), 1, app.settings)
            info = WorkerInfo(**{**{f: getattr(info, f) for f in info.__slots__},
                                 "client_id": home, "clients": clients, "lease": 60.0})  # fmt: skip
            await has_jobs(app, info, (on_kept, away))
            reclaimer = Reclaimer(app.client.store, lambda: (on_kept, away))
            assert await reclaimer.once() == 0
            closing.close()
            await until(reclaimer.once, 5)
            await reclaimer.close()
            waiting = {queue: (await app.queue(queue).counts()).waiting for queue in (on_kept, away)}
            assert waiting == {on_kept: 0, away: 1}


@ON_ONE_SERVER
async def test_a_worker_says_how_each_node_knows_it(cluster: Cluster) -> None:
    app = App(redis_url=cluster.url, **QUICK)

    @app.task(queue="a")
    async def work() -> None: ...

    async with app, working(app) as worker:
        await worker.is_ready.wait()
        (info,) = await app.client.store.workers.listed()
        assert info.name == worker.name
        assert set(info.clients or {}) == {f"redis://127.0.0.1:{node.port}" for node in cluster.primaries}
        for node in cluster.primaries:
            listed = node.ask("CLIENT", "LIST", "ID", (info.clients or {})[f"redis://127.0.0.1:{node.port}"])
            assert f"name={worker.name} " in str(listed) or worker.name in str(listed)


@ON_ONE_SERVER
async def test_who_watches_many_queues_asks_one_node_after_the_other_until_somebody_is_missing(
    cluster: Cluster,
) -> None:
    queues = [f"q{at}" for at in range(30)]
    async with App(redis_url=cluster.url, **QUICK) as app:
        await app.wait_ready()
        watch = Reclaimer(app.client.store, lambda: queues).watch
        asked = [watch._looked_at(queues) for _ in range(3)]
        assert [len(each) for each in asked] == [1, 1, 1]
        assert {server for each in asked for server in each} == set(app.client.store.servers.all)
        watch._missing[app.client.store.servers.home, "ada"] = 0.0
        assert set(watch._looked_at(queues)) == set(app.client.store.servers.all)
        assert set(watch._looked_at(queues[:3])) >= {app.client.store.servers.home}
