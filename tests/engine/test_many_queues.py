"""A process with many queues: what it sends while it is idle, and its connections, do not grow with their number."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import pytest

from streamq import App
from streamq.duties.reclaimer import Reclaimer
from streamq.liveness.identity import describe
from streamq.model.lanes import READY
from streamq.model.pace import EACH, FEW, VISIT, paced
from streamq.worker.load import load_of
from streamq.worker.slots import Slots
from streamq.worker.visits import Visits

from ..clusters import Cluster
from ..rig import ON_ONE_SERVER, QUICK, until, working
from ..servers import Server, binary_of

QUEUES = 1_000
SCRIPTS = {"eval", "evalsha"}
INSIDE = {"zincrby", "exists", "get", "pexpire", "xlen", "hget", "hset", "hexists", "hlen"}
"""What the scripts of an idle worker run, which nobody sends."""


@pytest.fixture(params=["one server", "cluster"])
def nodes(server_kind: str, request: pytest.FixtureRequest) -> Iterator[tuple[str, Sequence[Server]]]:
    """An address, and the servers behind it."""
    binary = binary_of(server_kind)
    assert binary is not None
    with contextlib.ExitStack() as stack:
        if request.param == "cluster":
            cluster = stack.enter_context(Cluster(binary))
            yield cluster.url, cluster.nodes
        else:
            server = stack.enter_context(Server(binary, tcp=True))
            yield server.url, [server]


def sent(nodes: Sequence[Server]) -> int:
    """Commands that clients have sent."""
    count = 0
    for node in nodes:
        with node.client() as client:
            stats = client.info("commandstats")
        calls = {name.removeprefix("cmdstat_"): told["calls"] for name, told in stats.items()}
        count += sum(calls.get(name, 0) for name in calls.keys() - INSIDE)
    return count


def connections(node: Server) -> int:
    """Those of others than us."""
    with node.client() as client:
        return len(client.client_list()) - 1


async def is_quiet(servers: Sequence[Server]) -> bool:
    """Whether others send no more than twenty commands a second; our own questions are not counted."""
    began, seconds = sent(servers), 8.0
    await asyncio.sleep(seconds)
    return (sent(servers) - began - 3 * len(servers)) / seconds <= 20


@ON_ONE_SERVER
async def test_an_idle_worker_of_a_thousand_queues_sends_twenty_commands_a_second_and_has_few_connections(
    nodes: tuple[str, Sequence[Server]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamq.redis.cluster.IDLE", 2.0)
    monkeypatch.setattr("streamq.redis.pool.IDLE", 2.0)
    url, servers = nodes
    before = [connections(server) for server in servers]
    app = App(redis_url=url)

    async def work() -> None: ...

    for at in range(QUEUES):
        app.task(queue=f"q{at}", name=f"work{at}")(work)
    async with app, working(app) as worker:
        await worker.is_ready.wait()
        most = 3 if len(servers) > 1 else 4  # one more where a read blocks
        await until(lambda: max(map(connections, servers)) - max(before) <= most, 40)
        await until(lambda: is_quiet(servers), 60)  # it turns to all queues as it begins


def test_each_of_many_queues_is_visited_once_in_a_minute_and_those_with_work_at_each_beat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("streamq.worker.visits.monotonic", lambda: now[0])
    queues, busy = [f"q{at}" for at in range(QUEUES)], {"q7"}
    visits, last = Visits(queues, lambda: busy), dict.fromkeys(queues, 0.0)
    longest = 0.0
    for tick in range(1, 800):
        now[0] = tick * 0.25
        for queue in visits.in_turn():
            longest = max(longest, now[0] - last[queue])
            last[queue] = now[0]
    assert VISIT - 1 < longest < VISIT + 1 <= 60
    assert visits.of_beat() == ("q7",)
    assert Visits(queues[:FEW]).of_beat() == queues[:FEW]
    assert Visits(queues[:FEW]).in_turn() == ()


def test_few_queues_are_looked_at_as_often_as_one() -> None:
    assert [paced(10, number) for number in (1, FEW)] == [10, 10]
    assert paced(10, 1_000) == (1_000 - FEW) * EACH


@ON_ONE_SERVER
async def test_a_worker_of_many_queues_lives_as_long_as_it_tells_what_it_does_and_is_lost_when_it_does_not(
    own_server: Callable[..., Server],
) -> None:
    server, queues = own_server(tcp=True), [f"q{at}" for at in range(2 * FEW)]
    async with App(redis_url=server.url, **{**QUICK, "lease": 1.0}) as app:
        store, ticks = app.client.store, Ticks()
        links, threaded = store.links("ada"), store.thread_links("ada")
        await asyncio.to_thread(threaded.connect)
        info = replace(describe("ada", tuple(queues), 1, app.settings), client_id=threaded.home.client_id)
        await store.workers.introduce(links, info)
        await asyncio.to_thread(store.workers.beat, threaded, "ada", queues)
        await store.delivery.join(links, queues)
        await app.enqueue("q7", "t", 1)
        await store.delivery.reader(links, "ada").read({("q7", READY): 1})
        reclaimer = Reclaimer(store, lambda: queues)
        while ticks.until(2.5):  # two leases and a half without a beat in any queue
            await asyncio.to_thread(
                partial(store.workers.beat, threaded, "ada", (), load=load_of(Slots(1), 0, 0))
            )
            assert await reclaimer.once() == 0
            await asyncio.sleep(0.1)
        assert await until(reclaimer.once, 5) == 1
        await reclaimer.close()
        await links.close()
        threaded.close()


@ON_ONE_SERVER
async def test_the_seat_of_a_worker_of_many_queues_is_renewed_by_its_visits_and_a_free_one_is_taken(
    own_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamq.worker.visits.VISIT", 0.5)
    monkeypatch.setattr("streamq.worker.heartbeat.SEAT_LASTS", 1.5)
    monkeypatch.setattr("streamq.duties.seats.LASTS", 1.5)
    server = own_server(tcp=True)
    app = App(redis_url=server.url, **QUICK)

    async def work() -> None: ...

    for at in range(2 * FEW):
        app.task(queue=f"q{at}", name=f"work{at}")(work)
    key = "sq:{q3}:upkeep:1"
    with server.client() as client:
        async with app, working(app) as worker:
            await until(lambda: client.get(key) == worker.name)
            await asyncio.sleep(2.5)
            assert client.get(key) == worker.name
            client.set(key, "another", px=300)
            await until(lambda: client.get(key) == worker.name)


class Ticks:
    """How long it has lasted."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def until(self, seconds: float) -> bool:
        return time.monotonic() - self._began < seconds
