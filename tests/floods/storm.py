"""Jobs at a steady rate into queues on all nodes while something happens to these, and what became of each."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Self

from streamq import App, Unavailable
from streamq.model.clock import monotonic

from ..processes import Fleet
from ..programs.spread import QUEUES
from ..rig import QUICK, until

SETTINGS = {**QUICK, "enqueue_timeout": 15.0, "keep_completed": 100, "crash_limit": 1_000}


HANDS = 50
"""Jobs that a worker runs at once."""


class Row(NamedTuple):
    """What a storm came to."""

    scenario: str
    n: int
    """Jobs that were acknowledged."""
    lost: int
    repeated: int
    gap: float
    """The longest time, in seconds, in which a queue started no job."""
    elsewhere: str = ""
    """Queues that were not concerned: 99 of 100 of their jobs start within so many ms, before and meanwhile."""


class Storm:
    """A producer that sends whatever happens, and workers, in processes of their own."""

    def __init__(self, url: str, folder: Path, rate: float, **settings: Any) -> None:
        self.fleet = Fleet(url, folder, SETTINGS)
        self.app = App(redis_url=url, **{**SETTINGS, **settings})
        self.refused: Counter[str] = Counter()
        self._rate = rate
        self._sent: list[float] = []
        """When each was to be sent, by its number."""
        self._acknowledged: set[int] = set()
        self._started: dict[int, list[float]] = {}
        self._pids = set[int]()
        self._read = 0
        self._ends = asyncio.Event()
        self._began = 0.0
        self._sending = set[asyncio.Task[None]]()

    # -- sending --------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.app.__aenter__()
        self.work()
        self._producer = asyncio.create_task(self._produce(), name="storm")
        await until(
            lambda: self._looks() and len({queue_of(number) for number in self._started}) == len(QUEUES), 20
        )
        self._began = monotonic()
        return self

    async def __aexit__(self, kind: Any, *_: object) -> None:
        try:
            self._ends.set()
            await self._producer
            if kind is None:
                await until(self._is_over, 40)
        finally:
            for task in self._sending:
                task.cancel()
            self.fleet.close()
            await self.app.__aexit__(None, None, None)

    def work(self) -> Any:
        """Another worker."""
        return self.fleet.run("streamq", "worker", "tests.programs.spread:app", "--concurrency", str(HANDS))

    async def _produce(self) -> None:
        began = monotonic()
        while not self._ends.is_set():
            while (at := began + len(self._sent) / self._rate) <= monotonic():
                self._sent.append(at)
                task = asyncio.create_task(self._send(len(self._sent) - 1))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
            await asyncio.sleep(0.005)
        while self._sending:
            await asyncio.wait(self._sending)

    async def _send(self, number: int) -> None:
        queue = queue_of(number)
        try:
            await self.app.enqueue(queue, f"work-{queue}", number)
        except Unavailable as error:
            self.refused[str(error)] += 1
        else:
            self._acknowledged.add(number)

    async def _is_over(self) -> bool:
        """Whether all is done that was acknowledged, or nothing is left to do."""
        if self._looks() and not self.lost:
            return True
        for queue in QUEUES:
            counts = await self.app.queue(queue).counts()
            if counts.waiting or counts.active or counts.delayed:
                return False
        return self._looks()

    # -- looking --------------------------------------------------------------------------------------------

    def _looks(self) -> bool:
        """Take in what was started since the last look."""
        file = self.fleet.folder / "started"
        if not file.exists():
            return False
        with file.open() as lines:
            lines.seek(self._read)
            for line in lines:
                number, pid, at = line.split()
                self._pids.add(int(pid))
                self._started.setdefault(int(number), []).append(float(at))
            self._read = lines.tell()
        return True

    async def goes_on(self, queues: Collection[str] = QUEUES) -> None:
        """Each of the queues starts a job that is sent from now on."""
        first = len(self._sent)

        def met() -> bool:
            self._looks()
            return {queue_of(n) for n in self._started if n >= first} >= set(queues)

        await until(met, 20)

    async def is_worked_by(self, pid: int) -> None:
        """This process has started jobs."""
        await until(lambda: self._looks() and pid in self._pids, 20)

    @property
    def lost(self) -> set[int]:
        """What was acknowledged and did not start (yet)."""
        return self._acknowledged - self._started.keys()

    def gap(self, queues: Collection[str] = QUEUES) -> float:
        """The longest time in which one of the queues started no job, from the beginning on."""
        longest = 0.0
        for queue in queues:
            starts = sorted(at for n, ats in self._started.items() if queue_of(n) == queue for at in ats)
            starts = [self._began, *(at for at in starts if at > self._began)]
            longest = max(longest, *(after - before for before, after in pairwise(starts)))
        return longest

    def latencies(self, queues: Collection[str], since: float, until: float) -> list[float]:
        """Seconds in which the jobs of the queues started that were to be sent in that time."""
        return [
            min(self._started[number]) - at
            for number, at in enumerate(self._sent)
            if since <= at < until and queue_of(number) in queues and number in self._started
        ]

    def row(self, scenario: str, elsewhere: str = "") -> Row:
        """What it came to, once it is over."""
        self._looks()
        repeated = sum(len(ats) - 1 for ats in self._started.values())
        return Row(
            scenario, len(self._acknowledged), len(self.lost), repeated, round(self.gap(), 2), elsewhere
        )


def queue_of(number: int) -> str:
    """The queue of a job, in turn."""
    return QUEUES[number % len(QUEUES)]
