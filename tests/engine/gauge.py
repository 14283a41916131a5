"""How many jobs of each group run at once, and in which order they start."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from streamq import App

from ..rig import until


class Gauge:
    """How many jobs run at once, by group, and which have started."""

    def __init__(self) -> None:
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.started: list[Any] = []
        self.ended = 0

    async def run(self, name: str, what: Any = None, seconds: float = 0.005) -> None:
        self.started.append(what)
        for each in (name, "all"):
            self.running[each] += 1
            self.most[each] = max(self.most[each], self.running[each])
        await asyncio.sleep(seconds)
        self.running.subtract((name, "all"))
        self.ended += 1

    async def drained(self, count: int) -> Counter[str]:
        """Once so many have ended, how many of each ran at once."""
        await until(lambda: self.ended >= count)
        most, self.most, self.ended = self.most, Counter(), 0
        self.started.clear()
        return most


@pytest.fixture
def gauge(app: App) -> Gauge:
    gauge = Gauge()

    @app.task(queue="q", group="{tenant}")
    async def send(message: dict[str, Any]) -> None:
        await gauge.run(message["tenant"], message)

    @app.task(queue="q")
    async def plain(name: str) -> None:
        await gauge.run(name)

    return gauge


async def sent(app: App, tenant: str, count: int) -> None:
    await app.enqueue_many("q", "send", [{"tenant": tenant, "n": n} for n in range(count)])
