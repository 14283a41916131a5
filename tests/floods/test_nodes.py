"""Nodes of a cluster are killed, frozen, cut off, added and removed under load: the table says what became of the jobs.

In the suite each happens once, at a low rate; ``make faults-cluster`` does it at 1,000 jobs a second, with 20 kills.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from streamq.model.clock import monotonic
from streamq.model.keys import TOGETHER
from streamq.model.slots import SLOTS, slot_of

from ..clusters import NODE_TIMEOUT, Cluster, Node
from ..programs.spread import QUEUES
from ..proxy import Proxy
from ..rig import ON_ONE_SERVER, until
from ..servers import binary_of
from .conftest import FAULTS, RATE, Show
from .storm import HANDS, Storm

BACK = NODE_TIMEOUT / 1000 + 3
"""Seconds within which the queues of a node that is lost must go on."""
FROZEN = 5.0
"""Seconds after which a command is given up that is not answered, beside that."""
SMALL = 0.5 if FAULTS == 1 else 0.0
"""Seconds within which 99 of 100 jobs may start whatever it was before: of a few hundred that figure says little."""
CUT = 1.0 if FAULTS == 1 else 2.0
"""Seconds for which a primary is cut off, and of the usual before a kill."""
pytestmark = [ON_ONE_SERVER, pytest.mark.slow, pytest.mark.timeout(900)]
Make = Callable[..., Storm]


@pytest.fixture
def cluster(server_kind: str) -> Iterator[Cluster]:
    """Three primaries, each with a replica."""
    binary = binary_of(server_kind)
    assert binary is not None
    with ExitStack() as stack:
        yield stack.enter_context(Cluster(binary, primaries=3, replicas=3))


@pytest.fixture
def storm(cluster: Cluster, tmp_path: Path) -> Make:
    """``storm(durability=…)``: a load on the cluster, as an asynchronous context."""
    return lambda **settings: Storm(cluster.url, tmp_path, RATE, **settings)


def of(cluster: Cluster, node: Node) -> set[str]:
    """The queues that a node has."""
    return {queue for queue in QUEUES if cluster.owner(f"{{{queue}}}") is node}


async def is_followed(cluster: Cluster, node: Node) -> None:
    """Wait until others have the slots of a node that is lost: started before, it would be their primary, and empty."""
    await until(lambda: not of(cluster, node), 20)


@pytest.mark.parametrize("durability", ["memory", "replica"])
async def test_a_primary_is_killed(cluster: Cluster, storm: Make, show: Show, durability: str) -> None:
    """Queues on other nodes see nothing of it, its own go on soon; what a replica had is not lost."""
    kills = FAULTS if durability == "replica" else 1 + FAULTS // 5
    before, meanwhile = list[float](), list[float]()
    async with storm(durability=durability) as load:
        for number in range(kills):
            node = cluster.owner(f"{{{QUEUES[number % 3]}}}")
            others = set(QUEUES) - of(cluster, node)
            began = monotonic()
            await asyncio.sleep(CUT)
            killed = monotonic()
            await asyncio.to_thread(node.kill)
            if durability == "memory":
                await load.goes_on()
            await is_followed(cluster, node)
            # with "replica" its replica is alone, and confirms nothing before another is there
            await asyncio.to_thread(node.start)
            await load.goes_on()
            ended = monotonic()
            await until(lambda node=node: is_replica(node), 20)
            before += load.latencies(others, began, killed)
            meanwhile += load.latencies(others, killed, ended)
    usual, then = p99(before), p99(meanwhile)
    row = load.row(f"a primary is killed ({kills}), {durability}", f"{usual * 1000:.0f} → {then * 1000:.0f}")
    show(row)
    assert row.lost == 0 or durability == "memory"
    assert row.gap <= BACK
    assert then <= max(2 * usual, SMALL)


def p99(seconds: list[float]) -> float:
    """Within which 99 of 100 are."""
    return sorted(seconds)[int(len(seconds) * 0.99)]


def is_replica(node: Node) -> bool:
    """Whether a node that came back has all that its primary has."""
    role = node.ask("ROLE")
    return bool(role[0] == "slave" and role[3] == "connected")


async def test_slots_move(cluster: Cluster, storm: Make, show: Show) -> None:
    """The slot of a queue, with its jobs, and then those of others, and the one that all share."""
    async with storm() as load:
        for tag in (*QUEUES[: 2 * FAULTS + 1], TOGETHER):
            owner = cluster.owner(f"{{{tag}}}")
            other = next(node for node in cluster.primaries if node is not owner)
            await asyncio.to_thread(cluster.move, slot_of(tag), other)
        await load.goes_on()
    show(row := load.row("slots move"))
    assert (row.lost, row.repeated) == (0, 0)


async def test_a_node_is_added_and_removed(cluster: Cluster, storm: Make, show: Show) -> None:
    """Some queues move to it; it gives them back and leaves."""
    async with storm() as load:
        new = await asyncio.to_thread(cluster.add)
        for queue in QUEUES[:4]:
            await asyncio.to_thread(cluster.move, slot_of(queue), new)
        await load.goes_on()
        assert of(cluster, new) == set(QUEUES[:4])
        for queue in QUEUES[:4]:
            await asyncio.to_thread(cluster.move, slot_of(queue), cluster.nodes[0])
        await asyncio.to_thread(cluster.remove, new)
        await load.goes_on()
    show(row := load.row("a node is added and removed"))
    assert (row.lost, row.repeated) == (0, 0)


async def test_a_worker_is_killed(storm: Make, show: Show) -> None:
    """Its jobs are run by the other, once more at most."""
    async with storm() as load:
        for _ in range(FAULTS):
            other = load.work()
            await load.is_worked_by(other.pid)
            other.kill()
            await load.goes_on()
    show(row := load.row(f"a worker is killed ({FAULTS})"))
    assert row.lost == 0
    assert row.repeated <= HANDS * FAULTS


async def test_a_primary_is_frozen_and_thaws_as_a_replica(cluster: Cluster, storm: Make, show: Show) -> None:
    """Connections stay open, and nothing is answered: what a replica had is not lost."""
    async with storm(durability="replica") as load:
        node = cluster.owner(f"{{{QUEUES[0]}}}")
        node.pause()
        await is_followed(cluster, node)
        node.resume()
        await until(lambda: is_replica(node), 20)
        await load.goes_on()
    show(row := load.row("a primary is frozen"))
    assert row.lost == 0
    assert row.gap <= BACK + FROZEN


async def test_a_primary_is_cut_off_from_all_but_the_cluster(
    cluster: Cluster, storm: Make, show: Show
) -> None:
    """The others see nothing of it, so nobody takes its place: its queues wait, and go on as soon as it is reached."""
    node = cluster.owner(f"{{{QUEUES[0]}}}")
    async with Proxy(node.port) as proxy:
        node.ask("CONFIG", "SET", "cluster-announce-port", proxy.port)
        await until(lambda: all(proxy.port in ports(other) for other in cluster.nodes))
        async with storm() as load:
            proxy.closed, began = True, monotonic()
            proxy.cut()
            await asyncio.sleep(CUT)
            proxy.closed, away = False, monotonic() - began
            await load.goes_on()
    show(row := load.row(f"a primary is cut off for {CUT:g} s"))
    assert (row.lost, row.repeated) == (0, 0)
    assert row.gap <= away + 3


def ports(node: Node) -> set[int]:
    """Where a node says that the primaries are reached."""
    return {port for _, _, (_, port, *_), *_ in node.ask("CLUSTER", "SLOTS")}


async def test_half_of_the_slots_have_no_primary(cluster: Cluster, storm: Make, show: Show) -> None:
    """Their queues wait, and the others go on; whoever enqueues there is told after his time."""
    without = range(SLOTS // 2)
    async with storm(enqueue_timeout=1.0) as load:
        parts = [(node, mine) for node in cluster.primaries if (mine := part(cluster, node, without))]
        for node in cluster.primaries:
            node.ask("CLUSTER", "DELSLOTSRANGE", *[end for _, mine in parts for end in mine])
        gone, began = {queue for queue in QUEUES if slot_of(queue) in without}, monotonic()
        await until(lambda: load.refused, 5)
        await load.goes_on(queues=set(QUEUES) - gone)
        for node, mine in parts:
            node.ask("CLUSTER", "ADDSLOTSRANGE", *mine)
        away = monotonic() - began
        await load.goes_on()
    show(row := load.row("half of the slots uncovered"))
    assert any("CLUSTERDOWN" in said for said in load.refused), load.refused
    assert row.lost == 0
    assert load.gap(set(QUEUES) - gone) < 1
    assert row.gap <= away + 3


def part(cluster: Cluster, node: Node, slots: range) -> tuple[int, int] | None:
    """What a node has of the slots: the first and the last."""
    for first, last in cluster.ranges(node):
        if first in slots:
            return first, min(last, slots[-1])
    return None
