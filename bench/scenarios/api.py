"""Jobs made through the HTTP API by 1, 10 and 100 clients, against a bare handler that does one XADD."""

from __future__ import annotations

from typing import Final

from .. import bare_api
from ..cores import SERVER_CORE, WORKER_CORE, pin
from ..figures import Measured, compared
from ..process import SERVED, free_port, serving
from ..rig import Rig
from ..server import PREFIX
from ..tasks import QUEUE, message

CLIENTS: Final = (1, 10, 100)
"""How many send at once, each after the answer to its last."""
MEASURES: Final = {"rate": "req/s", "median": "µs", "p99": "µs"}
SIDES: Final = ("streamq api", "bare handler")

Found = dict[tuple[str, int], dict[str, list[float]]]
"""By side and number of clients: each round's ``MEASURES`` by name."""


async def measure(rig: Rig) -> Measured:
    """Both servers run, each in a process of its own on the worker's core, and are asked in turns."""
    found: Found = {(side, n): {name: [] for name in MEASURES} for n in CLIENTS for side in SIDES}
    port = free_port()
    # An access log would be measured too.
    quiet = {"STREAMQ_REDIS_URL": rig.server.url, "STREAMQ_PREFIX": PREFIX, "STREAMQ_LOG_LEVEL": "warning"}
    async with (
        serving("api", SERVED, **quiet) as (process, url),
        rig.child("bare-api", pinned=True, port=port) as loop,
    ):
        pin(process.pid, WORKER_CORE)
        await loop.told()
        for _ in range(rig.rounds()):
            await _round(rig, url, f"http://127.0.0.1:{port}{bare_api.PATH}", found)
    return [
        compared(
            f"HTTP API, {n} client{'s' * (n > 1)}" + ("" if name == "rate" else f", {name}"), unit,
            *(found[side, n][name] for side in SIDES),
        )
        for n in CLIENTS
        for name, unit in MEASURES.items()
    ]  # fmt: skip


async def _round(rig: Rig, url: str, bare_url: str, found: Found) -> None:
    """The clients share a core with the server of the data, which has little to do."""
    payload = message(1).model_dump()
    asked = (f"{url}/api/v1/queues/{QUEUE}/jobs", {"task": "book", "payload": payload}), (bare_url, payload)
    loads = [
        {"url": target, "body": body, "clients": n, "seconds": rig.of(2.0, 0.4)}
        for n in CLIENTS
        for target, body in asked
    ]
    async with rig.child("clients", loads=loads) as child:
        pin(child.pid, SERVER_CORE)
        for side_and_clients, rounds in found.items():
            said = await child.told()
            for name in MEASURES:
                rounds[name].append(said[name])
            rig.say("{}, {} clients: {:,.0f} requests/s".format(*side_and_clients, said["rate"]))
    await rig.server.clear()
