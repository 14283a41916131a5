"""Primaries of a Redis Cluster of the bench's own, on loopback: each a process that ends with the block."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from shutil import which
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from .process import free_port, program
from .rig import until
from .server import Refused, Server

SLOTS: Final = 16384


@asynccontextmanager
async def open_cluster(primaries: int = 3) -> AsyncIterator[tuple[str, list[Server]]]:
    """Its address, and its nodes, which share the slots. Raises ``Refused`` where there is no ``redis-server``."""
    if not (binary := which("redis-server")):
        raise Refused("no redis-server is on the PATH: a cluster cannot be started")
    async with AsyncExitStack() as stack:
        folders = [
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamq-bench-")))
            for _ in range(primaries)
        ]
        nodes = [await stack.enter_async_context(_node(binary, folder)) for folder in folders]
        await _joined(nodes)
        hosts = ",".join(node.url.removeprefix("redis://") for node in nodes)
        yield f"redis+cluster://{hosts}", nodes


@asynccontextmanager
async def _node(binary: str, folder: Path) -> AsyncIterator[Server]:
    port, bus = free_port(), free_port()
    words = (
        "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--cluster-enabled", "yes",
        "--cluster-port", str(bus),
    )  # fmt: skip
    async with program(binary, *words, cwd=folder, log=folder / "log") as process:
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


async def _joined(nodes: list[Server]) -> None:
    """Give each an equal range of the slots, and wait until all serve."""
    first, share = nodes[0].client, SLOTS / len(nodes)
    for at, node in enumerate(nodes):
        await _ask(node.client, "CLUSTER", "ADDSLOTSRANGE", round(at * share), round((at + 1) * share) - 1)
        await _ask(node.client, "CLUSTER", "SET-CONFIG-EPOCH", at + 1)
    for node in nodes[1:]:
        port = int(node.url.rpartition(":")[2])
        bus = (await node.client.config_get("cluster-port"))["cluster-port"]
        await _ask(first, "CLUSTER", "MEET", "127.0.0.1", port, str(bus))

    async def serve() -> bool:
        told = await asyncio.gather(*[_state(node.client, len(nodes)) for node in nodes])
        return all(told)

    await until(serve)


async def _state(client: Redis, nodes: int) -> bool:
    said = await _ask(client, "CLUSTER", "INFO")
    told = said if isinstance(said, dict) else dict(line.split(":") for line in said.decode().splitlines())
    return (told["cluster_state"], told["cluster_known_nodes"]) == ("ok", str(nodes))


async def _ask(client: Redis, *command: Any) -> Any:
    return await client.execute_command(*command)  # type: ignore[no-untyped-call]
