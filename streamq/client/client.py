"""The client: what a program talks to the server with. It sends jobs that are encoded, and waits for their results.

It knows no handler: tasks, contexts, workers and the app stand on it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from typing import Any

from streamq.client.opening import Opening, Openings
from streamq.client.tailing import Tail
from streamq.model import codec
from streamq.model.envelope import New
from streamq.model.events import Event, Told
from streamq.model.job_record import JobRecord
from streamq.model.limit import Limit
from streamq.model.partitions import Partitions
from streamq.model.places import place_of
from streamq.settings import Durability, Settings
from streamq.store.batch import Placed, Stale
from streamq.store.store import Store

Put = Callable[[str, Sequence[New], Durability], Awaitable[list[str]]]
Sending = AbstractContextManager[tuple[list[New], Callable[[list[str]], None]]]
"""The jobs to send, and whom to tell what they were answered."""


class Client:
    """The connections of one program, in each of its event loops.

    ``known`` adds to a job's record what the program knows of its task: a job says itself only what differs from that.
    ``encode`` makes the payload of a task by its name, and checks it where the task is known: then with it
    comes what the headers of the job are to say of it.
    """

    def __init__(
        self,
        settings: Settings,
        known: Callable[[JobRecord], JobRecord] = lambda job: job,
        encode: Callable[[str, Any], tuple[bytes, bytes | None]] = lambda _, payload: (
            codec.dumps(payload),
            None,
        ),
    ) -> None:
        self.settings, self.encode = settings, encode
        self.limits: dict[str, dict[str, Limit]] = {}
        """The limits that code declares, by queue and scope (``model.limit``)."""
        self.shared_limits: dict[str, Limit] = {}
        """The shared limits that code declares, by name."""
        self.around_sends: Callable[[str, Sequence[New]], Sending] | None = None
        """What each sending is within, where the program is traced: it may change the headers of the jobs."""
        self.partitions: dict[str, int] = {}
        """The numbers of partitions that code declares, by queue."""
        self.openings = Openings(lambda: Opening.of(self.settings, known, self.partitions))

    @property
    def is_open(self) -> bool:
        """Whether any event loop has it open."""
        return bool(self.openings)

    @property
    def store(self) -> Store:
        """What is written to the servers and read. Raises ``NotOpen`` where the running loop has not opened it."""
        return self.openings.here().store

    def send(self, queue: str, jobs: Sequence[New], durability: Durability | None) -> Awaitable[list[str]]:
        """Send jobs, no more than one call takes, and return their ids. Raises what ``Outbox.put`` does."""
        opening = self.openings.here()
        outbox = opening.outbox(queue)
        put = opening.spread.send if opening.spread.has(queue) else outbox.put
        if self.around_sends is not None:
            return self._sent(self.around_sends(queue, jobs), put, queue, durability)
        return put(queue, jobs, durability or self.settings.durability)

    async def _sent(self, around: Sending, put: Put, queue: str, durability: Durability | None) -> list[str]:
        with around as (jobs, tell):
            ids = await put(queue, jobs, durability or self.settings.durability)
            tell(ids)
            return ids

    async def send_once(self, queue: str, request: str, job: New, durability: Durability | None) -> str:
        """Send the job of a request, or answer how it was added before."""
        opening, durable = self.openings.here(), durability or self.settings.durability
        spread = opening.spread
        if not spread.has(queue):
            try:
                (job_id,) = await opening.outbox(queue).put(queue, (job,), durable, Placed(request=request))
                return job_id
            except Stale:
                await self.store.partition.settled_or_moving(queue)
        return await spread.send_once(queue, request, job, durable)

    def sending(self, queue: str, jobs: Sequence[New]) -> Sending:
        """What stands around the sending of these jobs, for who sends them another way."""
        if self.around_sends is None:
            return nullcontext((list(jobs), lambda _: None))
        return self.around_sends(queue, jobs)

    async def send_many(self, queue: str, jobs: list[New], durability: Durability | None) -> list[str]:
        """Send any number of jobs, which are taken out of the list as they are sent, and return their ids."""
        if not jobs:
            return []
        if self.around_sends is None:
            return await self._send_many(queue, jobs, durability)
        with self.around_sends(queue, jobs) as (changed, tell):
            jobs.clear()
            ids = await self._send_many(queue, changed, durability)
            tell(ids)
            return ids

    async def _send_many(self, queue: str, jobs: list[New], durability: Durability | None) -> list[str]:
        opening, count = self.openings.here(), len(jobs)
        outbox, spread = opening.outbox(queue), opening.spread
        put_many = spread.send_many if spread.has(queue) else outbox.put_many
        sent = put_many(queue, _emptied(jobs), durability or self.settings.durability)
        if 2 * count <= self.settings.keep_completed:
            return await sent
        # so many that the first results may be gone before anybody asks for them: they are listened for from now on
        async with AsyncExitStack() as stack:
            for name in self.store.partition.known(queue).names(queue):
                await stack.enter_async_context(opening.results(name).expecting())
            return await sent

    async def tell_partitions(self, queues: Collection[str]) -> None:
        """Tell what code declares of partitions, and close those of these queues to who does not know of them."""
        spread = self.openings.here().spread
        for queue in {*queues, *self.partitions}:
            if spread.has(queue):
                await spread.of(queue)

    async def partitions_of(self, queue: str) -> Partitions:
        """The partitions of a queue, once what code declares of them is told."""
        await self.openings.here().spread.tell(queue)
        await self.store.partition.refresh()
        its = self.store.partition.known(queue)
        return await self.store.partition.settled_or_moving(queue) if its.phase == "closing" else its

    async def telling(self, queue: str) -> AsyncIterator[Partitions]:
        """The partitions of a queue to which something is told; again where they have changed meanwhile."""
        await self.openings.here().spread.tell(queue)
        its = await self.store.partition.settled_or_moving(queue)
        while True:
            yield its
            after = await self.store.partition.settled_or_moving(queue)
            if after.generation == its.generation:
                return
            its = after

    async def partition_names(self, *queues: str) -> tuple[str, ...]:
        """The partitions of these queues that may have jobs."""
        spread = self.openings.here().spread
        for queue in queues:
            if queue in self.partitions:  # which may not be told yet
                await spread.tell(queue)
        return tuple(await self.store.partition.of_each(queues))

    def watch(self, queue: str, job_id: str, after: int) -> AsyncGenerator[Event]:
        """What a job tells from now on, until its end. Raises what ``Job.watch`` does."""
        partition, own_id = place_of(queue, job_id)
        return self.openings.here().watching(partition).events(own_id, after)

    def tail(
        self, names: Callable[[], Awaitable[Collection[str]]], kinds: Collection[str], states: Collection[str]
    ) -> AsyncGenerator[Told]:
        """What the jobs of these queues tell from now on. Raises what ``Program.tail`` does."""
        return Tail(self.store, names, kinds, states).events()

    async def wait(self, queue: str, job_id: str, seconds: float | None) -> JobRecord:
        """Wait for a job to complete, ``None`` for as long as it takes. Raises what ``Job.result`` does."""
        partition, own_id = place_of(queue, job_id)
        opening = self.openings.here()
        if (
            queue in self.store.partitions
        ):  # who waits for one of many is told of the others before they are forgotten
            for name in self.store.partition.known(queue).names(queue):
                opening.results(name).listen()
        return await opening.results(partition).wait(own_id, seconds)


def _emptied(jobs: list[New]) -> Iterator[New]:
    """The jobs in order, each let go when it is taken: what is sent needs no memory here."""
    jobs.reverse()
    while jobs:
        yield jobs.pop()
