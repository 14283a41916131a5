"""Measures what jobs, workers and connections take of the server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..rig import Rig
from ..tasks import QUEUE
from .coefficients import Connections, Memory
from .layout import Records, Streams, Weighed
from .trial import TASK, payloads

HELD: Final = 2000
"""Jobs that are active at once while they are weighed."""
SIZE: Final = 300


async def footprint(
    rig: Rig, empty: int, weighed: Mapping[str, Sequence[Weighed]]
) -> tuple[Memory, Connections]:
    """``weighed`` has jobs by state, ``empty`` is the memory of the server before all. Leaves the server clean."""
    streams = await _streams(rig, weighed["waiting"][0])
    worker, active, connections = await _held(rig, streams)
    records = {
        state: Records.fitted(weighed[state], streams.allocator) for state in weighed if state != "waiting"
    }
    return Memory(streams, **records, active=active, worker=worker, empty=empty), connections


async def _streams(rig: Rig, waiting: Weighed) -> Streams:
    """The server's settings, and what a block costs beside its bytes."""
    allocator = str((await rig.server.info("memory"))["mem_allocator"])
    limits: Any = await rig.server.client.config_get("stream-node-max-*")
    entries = int(limits["stream-node-max-entries"]) or 1 << 30
    streams = Streams(allocator, int(limits["stream-node-max-bytes"]) or 1 << 30, entries, 0.0)
    blocks, used = streams.blocks([waiting.size] * waiting.records, TASK)
    return Streams(streams.allocator, streams.node_bytes, entries, max(0.0, (waiting.used - used) / blocks))


async def _held(rig: Rig, streams: Streams) -> tuple[float, float, Connections]:
    """Memory of a worker that waits, memory of an active job beside its entry, and connections."""
    client = rig.server.client
    alone = await _connected(rig)
    async with rig.app() as app:
        await app.tasks[TASK].enqueue(payloads([SIZE])[0], delay=3600)
        producing, before = await _connected(rig), await rig.server.memory()
        async with rig.worker(app, concurrency=HELD):
            await asyncio.sleep(0.5)  # its duties have connected
            waits = await rig.server.memory()
            await app.tasks[TASK].enqueue_many(payloads([SIZE] * HELD, 60_000))
            async with asyncio.timeout(15):
                while (await app.queue(QUEUE).counts()).active < HELD:  # noqa: ASYNC110 - it tells only those who ask
                    await asyncio.sleep(0.05)
            used, working = await rig.server.memory(), await _connected(rig)
    await rig.server.clear()
    limits: Any = await client.config_get("maxclients")
    entry = streams.per_entry([SIZE] * HELD, TASK)
    connections = Connections(
        max(1, working - producing), max(1, producing - alone), int(limits["maxclients"])
    )
    return max(0.0, float(waits - before)), max(0.0, (used - waits) / HELD - entry), connections


async def _connected(rig: Rig) -> int:
    return int((await rig.server.info("clients"))["connected_clients"])
