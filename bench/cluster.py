"""A Redis Cluster of the bench's own: primaries on loopback with equal ranges of the slots, and no replicas."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from streamq import slot_of_partition

from .cores import SERVER_CORE, pin
from .process import Gone, free_port, program
from .rig import until
from .server import Server

SLOTS: Final = 16_384
"""Of every cluster."""
PROGRAMS: Final = "redis-server", "valkey-server"
PRIMARIES: Final = 3
"""Nodes of a cluster, by default: a cluster has no fewer."""


REST: Final = 1.0
"""Seconds for which the nodes are looked at while there is nothing to do."""


class NoProgram(Gone):
    """There is no server program here. The message is one sentence for the user."""


class Cluster(Server):
    """The nodes as if they were one server: what is told of it is told of all of them together."""

    def __init__(self, nodes: list[Server]) -> None:
        super().__init__(nodes[0].url, nodes[0].pid)
        self.nodes = nodes
        self.url = "redis+cluster://" + ",".join(node.url.removeprefix("redis://") for node in nodes)

    def queues(self, name: str) -> list[str]:
        """Names of queues that begin so, one on each node."""
        share = SLOTS / len(self.nodes)
        names = (f"{name}-{number}" for number in count())
        found: dict[int, str] = {}
        while len(found) < len(self.nodes):
            one = next(names)
            found.setdefault(int(slot_of_partition(one) / share), one)
        return [found[at] for at in range(len(self.nodes))]

    async def clear(self) -> None:
        """Remove all keys: the nodes are ours, and have none but those of the bench."""
        for node in self.nodes:
            await node.empty()

    async def cpu(self) -> float:
        """CPU seconds that all have used."""
        return sum(await self.cpu_of_each())

    async def cpu_of_each(self) -> list[float]:
        """CPU seconds that each has used."""
        return [await node.cpu() for node in self.nodes]

    async def at_rest(self) -> list[float]:
        """Of a core, what each uses while there is nothing to do: nodes look after each other."""
        before = await self.cpu_of_each()
        await asyncio.sleep(REST)
        return [(after - used) / REST for used, after in zip(before, await self.cpu_of_each(), strict=True)]

    async def commands(self) -> int:
        """Commands that all have run, those inside scripts included."""
        return sum([await node.commands() for node in self.nodes])

    async def calls(self, command: str) -> int:
        """How often a command was called on all."""
        return sum([await node.calls(command) for node in self.nodes])

    @property
    def clients(self) -> list[Redis]:
        """One of each node."""
        return [node.client for node in self.nodes]

    async def memory(self) -> int:
        """Bytes that all have allocated."""
        return sum([await node.memory() for node in self.nodes])

    async def connections(self) -> int:
        """Clients of all, but for those by which the other nodes are looked at."""
        return sum([await node.connections() for node in self.nodes]) - len(self.nodes) + 1


@asynccontextmanager
async def open_cluster(primaries: int = PRIMARIES) -> AsyncIterator[Cluster]:
    """A cluster that serves all slots, on the server's core; it ends with the block. Raises ``NoProgram``."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        raise NoProgram("a cluster needs redis-server or valkey-server on the PATH")
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="streamq-bench-", ignore_cleanup_errors=True))
        nodes = [await stack.enter_async_context(_node(found, Path(folder))) for _ in range(primaries)]
        for at, node in enumerate(nodes):
            first, last = (round(each * SLOTS / primaries) for each in (at, at + 1))
            await node.client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last - 1)  # type: ignore[no-untyped-call]
            await node.client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", at + 1)  # type: ignore[no-untyped-call]
        for node in nodes[1:]:
            await nodes[0].client.execute_command("CLUSTER", "MEET", *_place(node), await _bus(node))  # type: ignore[no-untyped-call]
        for node in nodes:
            await until(lambda node=node: _knows(node, primaries))  # type: ignore[misc]
        yield Cluster(nodes)


@asynccontextmanager
async def _node(binary: str, folder: Path) -> AsyncIterator[Server]:
    port, bus = free_port(), free_port()
    words = {
        "port": port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "latency-tracking": "no",
        "cluster-enabled": "yes", "cluster-port": bus, "cluster-config-file": f"{port}.conf",
    }  # fmt: skip
    options = [word for name, value in words.items() for word in (f"--{name}", str(value))]
    async with program(binary, *options, cwd=folder, log=folder / f"{port}.log") as process:
        pin(process.pid, SERVER_CORE)
        node = Server(f"redis://127.0.0.1:{port}", process.pid)
        try:
            await until(lambda: _answers(node))
            yield node
        finally:
            await node.client.aclose()


async def _answers(node: Server) -> bool:
    with contextlib.suppress(RedisError, OSError):
        return bool(await node.client.ping())
    return False


def _place(node: Server) -> list[str]:
    return node.url.removeprefix("redis://").split(":")


async def _bus(node: Server) -> Any:
    return (await node.client.config_get("cluster-port"))["cluster-port"]


async def _knows(node: Server, others: int) -> bool:
    """Whether it has met all, and takes the cluster for one that serves."""
    said: Any = await node.client.execute_command("CLUSTER", "INFO")  # type: ignore[no-untyped-call]
    return {b"cluster_state:ok", b"cluster_known_nodes:%d" % others} <= set(said.split())
