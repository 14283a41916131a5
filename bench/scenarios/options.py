"""What a unique key and a priority add to the price of a job: Redis CPU from enqueue to finished record, and keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any, Final

from streamq import Unique

from ..draining import Sending, ours
from ..figures import Figure, Measured, alone, compared
from ..rig import Rig
from ..tasks import messages

if TYPE_CHECKING:
    from streamq import App

PRIORITIES: Final = ("critical", "high", "normal", "low")
"""All of them have work at once."""
UNIQUE: Final = Unique(fields=["contact"])
"""Each message has a contact of its own."""


async def measure(rig: Rig) -> Measured:
    """A worker of 500 slots; each kind beside plain jobs in every round."""
    payloads = messages(rig.of(20_000, 10_000))
    plain, others = list[float](), {name: list[float]() for name in _KINDS}
    for _ in range(rig.rounds(5)):
        plain.append((await ours(rig, payloads, concurrency=500)).redis)
        for name, sending in _KINDS.items():
            others[name].append((await ours(rig, payloads, concurrency=500, sending=sending)).redis)
        rig.say(
            f"plain {plain[-1]:.1f}, " + ", ".join(f"{n} {took[-1]:.1f} µs" for n, took in others.items())
        )
    note = "ratio to a plain job; enqueue to finished record"
    figures: list[Figure] = [
        compared(f"Redis CPU per {name} job", "µs", took, plain, note=note) for name, took in others.items()
    ]
    return [*figures, alone("keys of 1,000 unique jobs beside those of plain ones", "", [await _keys(rig)])]


async def _keys(rig: Rig) -> float:
    """One: the hash in which all of them lie."""
    payloads, client = messages(1000), rig.server.client
    async with rig.app() as app:
        await app.tasks["count"].enqueue_many(payloads)
        before = await client.dbsize()
        await app.tasks["count"].options(unique=UNIQUE).enqueue_many(messages(1000, 1000))
        grown = await client.dbsize() - before
    await rig.server.clear()
    return float(grown - 1)  # the record of the producer's last batch of this kind


def _unique(app: App) -> Any:
    return app.tasks["count"].options(unique=UNIQUE).enqueue_many


def _prioritised(app: App) -> Any:
    async def send(payloads: Sequence[Any]) -> None:
        task = app.tasks["count"]
        calls: list[Awaitable[Any]] = [
            task.options(priority=priority).enqueue_many(payloads[at::4])  # type: ignore[arg-type]
            for at, priority in enumerate(PRIORITIES)
        ]
        await asyncio.gather(*calls)

    return send


_KINDS: Final[dict[str, Sending]] = {"unique": _unique, "prioritised": _prioritised}
