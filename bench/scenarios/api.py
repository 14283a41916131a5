"""Jobs made through the HTTP API by 1, 10 and 100 clients, against a bare handler that does one XADD."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from typing import Final

from .. import bare_api
from ..cores import SERVER_CORE, WORKER_CORE, pin
from ..figures import Curve, Figure, Measured, compared
from ..process import free_port
from ..rig import Rig
from ..services import api
from ..tasks import QUEUE, message

CLIENTS: Final = (1, 10, 100)
"""How many send at once, each after the answer to its last."""


MEASURES: Final = {"rate": "req/s", "median": "µs", "p99": "µs"}

Answers = dict[str, float]
"""What clients report: ``MEASURES`` by name."""


async def measure(rig: Rig) -> Measured:
    """Both servers run, each in a process of its own on the worker's core, and are asked in turns."""
    found: dict[int, list[tuple[Answers, Answers]]] = {clients: [] for clients in CLIENTS}
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="streamq-bench-", ignore_cleanup_errors=True) as folder:
        async with (
            api(Path(folder), rig.server.url) as (process, url),
            rig.child("bare-api", pinned=True, port=port) as loop,
        ):
            pin(process.pid, WORKER_CORE)
            await loop.told()
            for _ in range(rig.of(rig.repeat, 1)):
                await _round(rig, url, f"http://127.0.0.1:{port}{bare_api.PATH}", found)
    figures = [_figure(clients, name, found[clients]) for clients in CLIENTS for name in MEASURES]
    return [*figures, _curve(found)]


async def _round(
    rig: Rig, url: str, bare_url: str, found: dict[int, list[tuple[Answers, Answers]]]
) -> None:  # fmt: skip
    """The clients share a core with the server of the data, which has little to do."""
    payload = message(1).model_dump()
    sides = {f"{url}/api/v1/queues/{QUEUE}/jobs": {"task": "book", "payload": payload}, bare_url: payload}
    loads = [
        {"url": target, "body": body, "clients": clients, "seconds": rig.of(2.0, 0.4)}
        for clients in CLIENTS
        for target, body in sides.items()
    ]
    async with rig.child("clients", loads=loads) as child:
        pin(child.pid, SERVER_CORE)
        for clients in CLIENTS:
            ours, theirs = await child.told(), await child.told()
            found[clients].append((ours, theirs))
            rig.say(f"{clients} clients: {ours['rate']:,.0f} against {theirs['rate']:,.0f} requests/s")
    await rig.server.clear()


def _figure(clients: int, name: str, rounds: list[tuple[Answers, Answers]]) -> Figure:
    label = f"HTTP API, {clients} client{'s' * (clients > 1)}" + ("" if name == "rate" else f", {name}")
    return compared(
        label, MEASURES[name], [ours[name] for ours, _ in rounds], [bare[name] for _, bare in rounds]
    )


def _curve(found: dict[int, list[tuple[Answers, Answers]]]) -> Curve:
    series = {
        side: [
            (float(clients), median(pair[nth]["rate"] for pair in rounds))
            for clients, rounds in found.items()
        ]
        for nth, side in enumerate(("streamq api", "bare handler"))
    }
    return Curve("HTTP API by clients", "clients", "requests/s", series, log_x=True)
