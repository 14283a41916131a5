"""What is known of a job that tells why it does not run now: asked in three round trips at most."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from streamq.errors import JobNotFound
from streamq.model import codec
from streamq.model.clock import from_ms
from streamq.model.cursors import is_entry
from streamq.model.envelope import opened
from streamq.model.facts import Facts, ScopeFacts
from streamq.model.group_status import pause_of
from streamq.model.headers import parse_headers
from streamq.model.job_reader import READ
from streamq.model.job_record import Failure, JobRecord
from streamq.model.limit import held, limit_of
from streamq.model.places import shown_id
from streamq.model.states import State
from streamq.model.statistics import MINUTE, figures_of
from streamq.model.steering import PAUSED, TASK, steering
from streamq.model.worker_info import WorkerInfo
from streamq.redis import scripts
from streamq.redis.answers import translate
from streamq.redis.links import Links
from streamq.store.access import Access
from streamq.store.statistics import Kept, StatisticsStore
from streamq.store.workers import Workers

CHIEF: Final = 1
"""The seat of the process that makes delayed jobs wait and gives back those of lost workers."""
LOOKED_FOR: Final = 500
"""Workers of which it is looked whether they are connected, some milliseconds of the server's time: others count so."""
PACE: Final = 5
"""Minutes of which the pace of a queue is reckoned, beside the one that runs."""
_AROUND: Final = (State.WAITING, State.ACTIVE, State.DELAYED, State.HELD)
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
    gate: list[Any]


class Explanations:
    """Queries: what is known of a job and of what is around it."""

    def __init__(
        self, access: Access, workers: Workers, statistics: StatisticsStore, known: Callable[[JobRecord], JobRecord]
    ) -> None:  # fmt: skip
        self._access, self._workers, self._statistics, self._known = access, workers, statistics, known

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
            workers, pace = (
                await self._near(links, queue, job, around.now) if job.state in _AROUND else ([], None)
            )
            told, lost = await self._workers.told_and_lost(links, queue, workers[:LOOKED_FOR])
            around = around._replace(key_holder=_shown_holder(queue, around.key_holder))
            return _facts(job, found, around, [*told, *workers[LOOKED_FOR:]], lost, pace)

    async def _near(
        self, links: Links, queue: str, job: JobRecord, now: int
    ) -> tuple[list[WorkerInfo], float | None]:
        """The workers that serve its queue, with the one that has it; and its queue's pace in the last minutes."""
        minute = now // 60_000
        minutes = range(minute - PACE, minute + 1) if job.state is State.WAITING else ()
        shared = self._access.shared
        home = [("HGETALL", shared.workers), ("HGETALL", shared.asks)]
        commands = self._statistics.commands(queue, MINUTE, minutes)
        link = links.of(queue)
        if link is links.home or not commands:  # one round trip, or two at once
            entries, asks, *replies = await links.home.batch(*home, *commands)
        else:
            (entries, asks), replies = await asyncio.gather(links.home.batch(*home), link.batch(*commands))
        if isinstance(entries, Exception):
            raise translate(entries, sent=True) from entries
        listed = self._workers.read_list(entries, () if isinstance(asks, Exception) else asks)
        near = [worker for worker in listed if queue in worker.queues or worker.name == job.worker]
        near.sort(
            key=lambda worker: worker.name != job.worker
        )  # the one that has it is looked for in any case
        return near, _pace(now // 1000, self._statistics.read(minutes, replies))


def _shown_holder(queue: str, job_id: bytes) -> bytes:
    return shown_id(queue, job_id.decode("utf-8", "replace")).encode() if job_id else b""


def _facts(
    job: JobRecord,
    found: list[Any],
    around: _Around,
    workers: list[WorkerInfo],
    lost: frozenset[str],
    pace: float | None,
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
        pace=pace, line=around.gate[0], turns=around.gate[1], scopes=_scopes(around.gate[2:], around.now),
    )  # fmt: skip


def _scopes(said: Sequence[Any], now: int) -> tuple[ScopeFacts, ...]:
    """The scopes in which the job is limited or paused, from that of the queue to that of its group."""
    found = []
    for scope, text, paused, used, opens in zip(*[iter(said)] * 5, strict=True):
        at = int(opens)
        found.append(
            ScopeFacts(
                scope.decode("utf-8", "replace"), held(limit_of(text)), pause_of(paused, now),
                int(used) if used.isdigit() else 0,
                from_ms(at) if at else None,
            )
        )  # fmt: skip
    return tuple(found)


def _pace(now: int, kept: Sequence[Kept]) -> float | None:
    """How many attempts end in a second; ``None`` where none did."""
    ended, begin = 0, now
    for each in reversed(kept):  # the last minute is more like the next than those before
        if ended and now - begin >= MINUTE:
            break
        count = sum(figures_of(sums, 1).ended for sums in each.tasks.values())
        if count:
            ended, begin = ended + count, each.number * MINUTE
    return ended / max(1, now - begin) if ended else None


def _asked(told: bytes) -> Failure:
    """What was said by who asked for its end, as far as it can be read."""
    try:
        said = codec.loads(told)
        return Failure("Cancelled", str(said.get("message", "")), by=str(said.get("by", "")))
    except (ValueError, AttributeError):
        return Failure("Cancelled", "")
