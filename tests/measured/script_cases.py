"""What cases of scripts are made of: a queue that is filled quickly, and what is called then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from bench.rig import Rig
from bench.tasks import QUEUE
from streamq import App

GROUP: Final = "workers"
WORKER: Final = "w"
FEW_BYTES: Final = 100
MANY_BYTES: Final = 5_000
LARGE: Final = 1_000_000
KEPT_LONG: Final = {"keep_completed": 1_000_000, "keep_failed": 1_000_000}


class Outcome(NamedTuple):
    """What the engine takes for an outcome."""

    kind: str
    lane: int
    entry: bytes
    job_id: str
    body: bytes
    due: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One script at its worst: ``prepare`` fills the queue, ``act`` is measured."""

    script: str
    size: str
    """Elements and their bytes."""
    prepare: Callable[[Bench], Awaitable[Any]]
    act: Callable[[Bench, Any], Awaitable[Any]]
    settings: dict[str, Any]


def at_once_of(size: int) -> int:
    """Elements of that many bytes to send together."""
    return max(1, min(1_000, 10_000_000 // (size + 1)))


class Bench:
    """A queue, its keys, and a way to fill it quickly."""

    def __init__(self, rig: Rig, app: App) -> None:
        self.rig, self.app, self.client = rig, app, rig.server.client
        self.store: Any = app.client.store
        self.keys = self.store.keys(QUEUE)

    async def fill(self, command: Callable[[Any, int], Any], count: int, at_once: int = 1_000) -> list[Any]:
        """``command(pipeline, number)`` so many times; the replies."""
        replies: list[Any] = []
        for start in range(0, count, at_once):
            async with self.client.pipeline(transaction=False) as pipe:
                for number in range(start, min(start + at_once, count)):
                    command(pipe, number)
                replies += await pipe.execute()
        return replies

    async def entries(self, count: int, size: int, headers: bytes = b"") -> list[bytes]:
        """Waiting jobs; the server's ids of them."""
        fields = {"task": "count", "payload": '"' + "x" * size + '"', "headers": headers}
        return await self.fill(
            lambda pipe, _: pipe.xadd(self.keys.ready, fields), count, at_once_of(size + len(headers))
        )

    async def active(self, count: int, size: int, headers: bytes = b"") -> list[bytes]:
        """The same in the hands of a worker."""
        async with self.store.pool.links() as links:
            await self.store.delivery.join(links, [QUEUE])
        ids = await self.entries(count, size, headers)
        while await self.client.xreadgroup(GROUP, WORKER, {self.keys.ready: ">"}, count=100):
            pass
        return ids

    async def finished(self, order: str, count: int, size: int, *, letter: str = "c", born: int = 0) -> None:
        """Finished records, born at ``born`` (ms since the epoch; 0 for now)."""
        born = born or (await self.client.time())[0] * 1000
        record = f"{letter}5 1 w\ncount\n\n" + '"' + "x" * size + '"\n1'

        def write(pipe: Any, number: int) -> None:
            pipe.hset(self.keys.finished, f"{born}-{number}", record)
            if order == self.keys.failures:
                pipe.zadd(order, {f"{born}-{number}": born + 5})
            else:
                pipe.rpush(order, f"{born}-{number}")

        await self.fill(write, count, at_once_of(size))

    async def parked(self, count: int, size: int) -> None:
        """Delayed jobs that are due."""

        def write(pipe: Any, number: int) -> None:
            pipe.hset(self.keys.parked, f"1-{number}", f'count\n{{"id":"1-{number}"}}\n' + "1" * size)
            pipe.zadd(self.keys.delayed, {f"1-{number}": 1})

        await self.fill(write, count, at_once=50)

    async def on_links(self, method: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """One method of the store that takes connections."""
        async with self.store.pool.links() as links:
            return await method(links, *arguments)
