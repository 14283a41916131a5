"""A Redis Cluster: each queue is on the node of its slot, and goes on when the slot or its primary moves."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from streamq import App, Unavailable
from streamq.doctor import examine
from streamq.model.keys import TOGETHER
from streamq.model.slots import slot_of

from ..clusters import Cluster
from ..rig import ON_ONE_SERVER, QUICK, refused, until, working
from ..servers import Server, binary_of

QUEUES = "abcdef"


@pytest.fixture
async def start(server_kind: str) -> AsyncIterator[Callable[..., Cluster]]:
    """``start(primaries=3, replicas=0)``: a cluster that serves all slots."""
    binary = binary_of(server_kind)
    assert binary is not None
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(Cluster(binary, **options))


class Load:
    """Queues with a task each that counts what it did, and a producer for each."""

    def __init__(self, url: str, **settings: object) -> None:
        self.app = App(redis_url=url, **{**QUICK, "enqueue_timeout": 15.0, **settings})  # type: ignore[arg-type]
        self.done: Counter[int] = Counter()
        self.taken: list[int] = []
        self._ends = False
        self._producers: list[asyncio.Task[None]] = []
        for queue in QUEUES:
            self.app.task(self._work, queue=queue, name=f"work-{queue}")

    async def _work(self, number: int) -> None:
        self.done[number] += 1

    async def _produce(self, at: int) -> None:
        number = at
        while not self._ends:
            with contextlib.suppress(Unavailable):
                await self.app.enqueue(QUEUES[at], f"work-{QUEUES[at]}", number)
                self.taken.append(number)
            number += len(QUEUES)
            await asyncio.sleep(0.005)

    def begin(self) -> None:
        self._producers = [asyncio.create_task(self._produce(at)) for at in range(len(QUEUES))]

    async def end(self) -> None:
        """Produce no more, and wait until all is done that was taken."""
        self._ends = True
        await asyncio.gather(*self._producers)
        await until(lambda: not self.missing, 20)

    @property
    def missing(self) -> set[int]:
        return set(self.taken) - set(self.done)

    @property
    def repeated(self) -> Sequence[int]:
        return [number for number, times in self.done.items() if times > 1]

    async def goes_on(self) -> None:
        """Every queue does another job."""
        before, each = len(self.taken), len(QUEUES)
        await until(lambda: {number % each for number in self.taken[before:]} == set(range(each)), 20)


def nodes_of_queues(cluster: Cluster) -> set[int]:
    return {cluster.owner(f"{{{queue}}}").port for queue in QUEUES}


async def test_queues_are_spread_over_the_nodes_and_do_all_they_do_elsewhere(
    start: Callable[..., Cluster],
) -> None:
    cluster = start()
    load = Load(cluster.url)
    async with load.app as app, working(app):
        load.begin()
        await load.goes_on()
        assert len(nodes_of_queues(cluster)) == 3
        delayed = await app.enqueue("b", "work-b", -1, delay=0.3)
        unique = [await app.enqueue("c", "work-c", -2, key="k", delay=0.2) for _ in range(2)]
        grouped = [await app.enqueue("d", "work-d", -10 - n, group="g") for n in range(3)]
        assert unique[0].id == unique[1].id
        for job in (delayed, *unique, *grouped):
            await job.result(10)
        assert {each.name for each in await app.workers()}
        await load.end()
    assert load.repeated == []


@ON_ONE_SERVER
async def test_a_slot_that_moves_under_load_loses_and_repeats_no_job(start: Callable[..., Cluster]) -> None:
    cluster = start()
    load = Load(cluster.url)
    async with load.app, working(load.app):
        load.begin()
        await load.goes_on()
        for tag in (*QUEUES[:3], TOGETHER):
            owner = cluster.owner(f"{{{tag}}}")
            other = next(node for node in cluster.primaries if node is not owner)
            await asyncio.to_thread(cluster.move, slot_of(tag), other)
        await load.goes_on()
        await load.end()
    assert load.repeated == []


@ON_ONE_SERVER
async def test_a_primary_that_dies_is_followed_by_its_replica_and_costs_no_job_that_it_had(
    start: Callable[..., Cluster],
) -> None:
    cluster = start(replicas=3)
    load = Load(cluster.url)
    async with load.app as app, working(app):
        held = [await app.enqueue(queue, f"work-{queue}", -1 - at, delay=4, durability="replica")
                for at, queue in enumerate(QUEUES)]  # fmt: skip
        load.begin()
        await load.goes_on()
        cluster.owner("{a}").kill()
        await load.goes_on()
        await load.end()
        for job in held:
            await job.result(10)


@ON_ONE_SERVER
async def test_a_node_joins_and_another_leaves_while_there_is_work(start: Callable[..., Cluster]) -> None:
    cluster = start(primaries=3)
    load = Load(cluster.url)
    async with load.app, working(load.app):
        load.begin()
        await load.goes_on()
        new = await asyncio.to_thread(cluster.add)
        for queue in QUEUES:
            await asyncio.to_thread(cluster.move, slot_of(queue), new)
        await load.goes_on()
        assert nodes_of_queues(cluster) == {new.port}
        await load.end()
    assert load.repeated == []


@ON_ONE_SERVER
async def test_a_job_in_an_empty_queue_starts_at_once_and_one_by_foreign_hand_within_a_minute(
    start: Callable[..., Cluster],
) -> None:
    cluster = start()
    load = Load(cluster.url)
    async with load.app as app, working(app):
        for at, queue in enumerate(QUEUES * 3):
            await (await app.enqueue(queue, f"work-{queue}", at)).result(5)
        foreign = ["XADD", "sq:{a}:ready", "*", "task", "work-a", "payload", "-7", "headers", "{}"]
        cluster.owner("{a}").ask(*foreign)
        await until(lambda: load.done[-7] == 1, 5)


@ON_ONE_SERVER
async def test_the_wrong_kind_of_address_is_told_in_one_sentence(
    start: Callable[..., Cluster], own_server: Callable[..., Server]
) -> None:
    cluster, alone = start(primaries=1), own_server(tcp=True)
    for url, said in [
        (f"redis+cluster://127.0.0.1:{alone.port}", "it is a server of its own"),
        (f"redis://127.0.0.1:{cluster.nodes[0].port}", "it is a node of a cluster"),
    ]:
        await refused(url, said)


@ON_ONE_SERVER
async def test_the_doctor_looks_at_every_node(start: Callable[..., Cluster]) -> None:
    cluster = start()
    async with App(redis_url=cluster.url) as app:
        await app.enqueue("q", "t", 1)
        findings = await examine(app)
    reached = {finding.said.split()[0] for finding in findings if finding.code == "reachable"}
    assert reached == {f"redis://127.0.0.1:{node.port}" for node in cluster.nodes}
    assert {finding.code for finding in findings if finding.verdict == "fail"} == {"queue-unserved"}


@ON_ONE_SERVER
async def test_a_cluster_that_does_not_serve_all_slots_says_so(start: Callable[..., Cluster]) -> None:
    cluster = start(primaries=2)
    first, second = cluster.nodes
    for node in cluster.nodes:
        node.ask("CONFIG", "SET", "cluster-require-full-coverage", "yes")
    second.ask("CLUSTER", "DELSLOTSRANGE", 8192, 16383)
    first.ask("CLUSTER", "DELSLOTSRANGE", 8192, 16383)
    await until(lambda: first.info()["cluster_state"] == "fail")
    async with App(redis_url=cluster.url, enqueue_timeout=0.5) as app:
        with pytest.raises(Unavailable, match="CLUSTERDOWN"):
            await app.enqueue("q", "t", 1)
        with pytest.raises(Unavailable, match="8192 of 16384 slots"):
            await app.wait_ready(1)
