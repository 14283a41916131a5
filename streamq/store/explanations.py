"""What is known of a job that tells why it does not run now: asked in three round trips at most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from streamq.errors import JobNotFound, Rejected
from streamq.model import codec
from streamq.model.clock import from_ms
from streamq.model.cursors import is_entry
from streamq.model.envelope import opened
from streamq.model.explanations import Facts
from streamq.model.headers import parse_headers
from streamq.model.job_reader import READ
from streamq.model.job_record import Failure, JobRecord
from streamq.model.states import State
from streamq.model.steering import PAUSED, TASK, steering
from streamq.model.worker_info import WorkerInfo
from streamq.redis import scripts
from streamq.redis.links import Links
from streamq.store.access import Access
from streamq.store.workers import Workers

CHIEF: Final = 1
"""The seat of the process that makes delayed jobs wait and gives back those of lost workers."""
LOOKED_FOR: Final = 500
"""Workers of which it is looked whether they are connected, some milliseconds of the server's time: others count so."""
_AROUND: Final = (State.WAITING, State.ACTIVE, State.DELAYED)
"""The states in which it matters which workers are there."""


class _Around(NamedTuple):
    """What why.lua answers beside the job itself."""

    lane: int
    waiting: list[int]
    active: int
    ahead: int
    exact: int
    paused: bytes
    task_paused: bytes
    asked: bytes
    beats: bytes
    chief: bytes
    key_holder: bytes
    now: int


class Explanations:
    """Queries: what is known of a job and of what is around it."""

    def __init__(self, access: Access, workers: Workers, known: Callable[[JobRecord], JobRecord]) -> None:
        self._access, self._workers, self._known = access, workers, known

    async def facts(self, queue: str, job_id: str) -> Facts:
        """All of it. Raises ``JobNotFound``."""
        keys = self._access.keys(queue)
        async with self._access.pool.links() as links:
            on = scripts.WHY.on(keys, chief=keys.seats(CHIEF))
            said = await scripts.WHY.run(links.of(queue), on, job_id) if is_entry(job_id) else []
            if not said:
                raise JobNotFound(queue, job_id)
            found, *rest = said
            job = self._known(READ[found[0]](queue, job_id, *found[1:]))
            if not rest:
                return Facts(job, from_ms(self._access.clock.now()))
            around = _Around(*rest)
            workers = await self._near(links, job) if job.state in _AROUND else []
            return _facts(job, found, around, workers, await self._lost(links, job, workers))

    async def _near(self, links: Links, job: JobRecord) -> list[WorkerInfo]:
        """The workers that serve its queue, and the one that has it."""
        listed = await self._workers.listed(links)
        return [worker for worker in listed if job.queue in worker.queues or worker.name == job.worker]

    async def _lost(self, links: Links, job: JobRecord, workers: Sequence[WorkerInfo]) -> frozenset[str]:
        """Those of them that are not connected any more; none without the right to ask."""
        said = [worker for worker in workers if worker.client_id]
        looked = sorted(said, key=lambda worker: worker.name != job.worker)[:LOOKED_FOR]
        try:
            alive = await self._workers.connected(links, [worker.client_id for worker in looked])
        except Rejected:
            return frozenset()
        return frozenset(worker.name for worker in looked if alive.get(worker.client_id) != worker.name)


def _facts(
    job: JobRecord, found: list[Any], around: _Around, workers: list[WorkerInfo], lost: frozenset[str]
) -> Facts:
    raw = found[-1] if found[0] == b"entry" else opened(found[-1])[1]
    told = {PAUSED: around.paused, TASK + job.task.encode(): around.task_paused}
    pauses = steering({name: said for name, said in told.items() if said}, around.now)
    return Facts(
        job, from_ms(around.now), around.lane, tuple(around.waiting), around.active, around.ahead,
        exact=bool(around.exact), paused=pauses.paused, task_paused=pauses.tasks.get(job.task),
        asked=_asked(around.asked) if around.asked else None, beats=around.beats != b"",
        upkeep=around.chief != b"", key_holder=around.key_holder.decode("utf-8", "replace"),
        unknown_task_count=parse_headers(raw).get("unknown_task_count", 0), workers=workers, lost=lost,
    )  # fmt: skip


def _asked(told: bytes) -> Failure:
    """What was said by who asked for its end, as far as it can be read."""
    try:
        said = codec.loads(told)
        return Failure("Cancelled", str(said.get("message", "")), by=str(said.get("by", "")))
    except (ValueError, AttributeError):
        return Failure("Cancelled", "")
