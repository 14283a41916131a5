"""The looks: everything read from Redis for people. (Acting is in ``store``.)"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from streamq.errors import JobNotFound
from streamq.model.cursors import cursor_at, entry_of, is_entry, place_of, strange
from streamq.model.envelope import id_of, parse_fields, parse_headers
from streamq.model.job_record import Counts, JobRecord, Page
from streamq.model.keys import GROUP, is_name, queues_key
from streamq.model.records import READ, from_entry, from_record, from_waiting
from streamq.model.shown import shown
from streamq.model.states import State
from streamq.model.worker_info import WorkerInfo
from streamq.redis import scripts
from streamq.redis.link import translate
from streamq.store.store import Store

log = logging.getLogger("streamq.views")

READ_AT_ONCE: Final = 50
"""Jobs of a page that are read in one round trip."""
LOOKED_AT_ONCE: Final = 200
"""Jobs that one script call looks for on behalf of who waits for them."""
LOOK_BYTES: Final = 1_000_000
"""Bytes it reads; one job is the least."""


class Views:
    """Every read. Methods raise ``Unavailable`` and its kin when the server cannot be reached."""

    def __init__(self, store: Store, attempts_of: Callable[[str], int | None] = lambda _: None) -> None:
        self._store, self._pool = store, store.pool
        self._attempts_of = attempts_of
        self._strange: frozenset[bytes] = frozenset()  # of the queues' names, and logged

    async def queues(self) -> set[str]:
        """The names of all queues that were ever used. What cannot name a queue is logged once and left out."""
        names, strange = await self.queue_names()
        if fresh := strange - self._strange:
            log.warning(
                "%d members of %s cannot name a queue and are left out: %s; `streamq doctor` says how to remove them",
                len(fresh), queues_key(self._store.settings.prefix),
                ", ".join(shown(name.decode("utf-8", "backslashreplace"), 64) for name in sorted(fresh)[:5]),
            )  # fmt: skip
        self._strange = strange
        return names

    async def queue_names(self) -> tuple[set[str], frozenset[bytes]]:
        """The names of all queues, and the members of their set that another program put there and name none."""
        members = await self._pool.call("SMEMBERS", queues_key(self._store.settings.prefix))
        texts = {member: member.decode("utf-8", "replace") for member in members}
        names = {text for text in texts.values() if is_name(text)}
        return names, frozenset(member for member, text in texts.items() if not is_name(text))

    async def server_info(self) -> dict[str, str]:
        """What the server says of itself."""
        lines = (await self._pool.call("INFO")).decode("utf-8", "replace").splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    async def workers(self) -> list[WorkerInfo]:
        """What all workers say of themselves, by name; what this version cannot read is logged once and left out."""
        return await self._store.roster.workers()

    async def counts(self, queue: str) -> Counts:
        """How many jobs are in each state; a fixed number of O(1) commands.

        They count entries, so what was damaged by hand is counted as it lies: an active job whose entry was
        deleted is one active too many, and a waiting one too few, until the next audit (a minute at most).
        """
        keys = self._store.keys(queue)
        async with self._pool.link() as link:
            replies = await link.batch(
                *[("XLEN", lane) for lane in keys.lanes],
                *[("XPENDING", lane, GROUP) for lane in keys.lanes],
                ("ZCARD", keys.delayed), ("HLEN", keys.parked),
                ("LLEN", keys.completed), ("ZCARD", keys.failures), ("LLEN", keys.failed),
            )  # fmt: skip
        *lengths, delayed, parked, completed, failed, unmoved = (_number(reply) for reply in replies)
        active = min(lengths[2] + lengths[3], lengths[0] + lengths[1])
        return Counts(
            waiting=lengths[0] + lengths[1] - active, active=active, delayed=delayed,
            held=max(0, parked - delayed), completed=completed, failed=failed + unmoved,
        )  # fmt: skip

    async def job(self, queue: str, job_id: str) -> JobRecord:
        """Everything known of a job. Raises ``JobNotFound``."""
        for job in await self._jobs(queue, (job_id,)):
            return job
        raise JobNotFound(queue, job_id)

    def _places(self, queue: str) -> tuple[str, ...]:
        keys = self._store.keys(queue)
        return keys.ready, keys.alone, keys.moved, keys.parked, keys.delayed, keys.finished

    async def endings(self, queue: str, ids: Sequence[str]) -> dict[str, bytes | bool]:
        """Of each job its record, ``True`` while it is on its way, and ``False`` when there is none of that id."""
        keys = self._store.keys(queue)
        names = (keys.ready, keys.alone, keys.moved, keys.parked, keys.finished)
        found: dict[str, bytes | bool] = {}
        rest = [job_id for job_id in ids if is_entry(job_id)]
        async with self._pool.link() as link:
            while rest:
                replies = await scripts.LOOK.run(link, names, LOOK_BYTES, *rest[:LOOKED_AT_ONCE])
                found |= zip(rest, (r if isinstance(r, bytes) else r == 1 for r in replies), strict=False)
                rest = rest[len(replies) :]
        return {job_id: found.get(job_id, False) for job_id in ids}

    def finished(self, queue: str, job_id: str, record: bytes) -> JobRecord:
        """A finished job from its record."""
        return self._with_attempts(from_record(queue, job_id, record))

    def waiting(self, queue: str, job_id: str, task: bytes, payload: bytes, headers: bytes) -> JobRecord:
        """A waiting job from what its entry holds."""
        return self._with_attempts(from_entry(queue, job_id, 0, b"", 0, task, payload, headers))

    def _with_attempts(self, job: JobRecord) -> JobRecord:
        return job if job.attempts is not None else replace(job, attempts=self._attempts_of(job.task))

    async def jobs(self, queue: str, state: State, limit: int, cursor: str | None) -> Page:
        """A page of a state's jobs: oldest first while they live, latest first when they are finished.

        Raises ``UsageError`` for a cursor that is not one of ours.
        """
        if state is State.WAITING:
            return await self._waiting(queue, limit, cursor)
        ids, following = await self._ids(queue, state, limit, cursor)
        # who is not in that state any more moved on between the two looks
        return Page([job for job in await self._jobs(queue, ids) if job.state is state], following)

    async def _jobs(self, queue: str, ids: Sequence[str]) -> list[JobRecord]:
        """Those of the jobs that are somewhere, some at a time."""
        names, jobs = self._places(queue), []
        async with self._pool.link() as link:
            for start in range(0, len(ids), READ_AT_ONCE):
                part = [job_id for job_id in ids[start : start + READ_AT_ONCE] if is_entry(job_id)]
                calls = [(names, (GROUP, job_id)) for job_id in part]
                replies = await link.batch(*[scripts.LOCATE.command(*call) for call in calls])
                for job_id, reply, call in zip(part, replies, calls, strict=True):
                    found = await scripts.LOCATE.answer(link, reply, *call)
                    if found:
                        jobs.append(self._with_attempts(READ[found[0]](queue, job_id, *found[1:])))
        return jobs

    async def unknown_tasks(self, queue: str) -> dict[str, int]:
        """By task, how many jobs wait for a worker that knows it: of the 1,000 that are due first within 31 seconds.

        Such a job is offered again every 30 seconds at most, so each of them is seen.
        """
        keys = self._store.keys(queue)
        await self._store.read_clock()
        soon = self._store.clock.now() + 31_000
        ids = await self._pool.call("ZRANGE", keys.delayed, "-inf", soon, "BYSCORE", "LIMIT", 0, 1_000)
        found: Counter[str] = Counter()
        for start in range(0, len(ids), 100):
            for envelope in await self._pool.call("HMGET", keys.parked, *ids[start : start + 100]):
                task, headers, *_ = envelope.split(b"\n", 2) if envelope else (b"", b"")
                if parse_headers(headers).get("unknown_task_count"):
                    found[task.decode("utf-8", "replace")] += 1
        return dict(found)

    async def _waiting(self, queue: str, limit: int, cursor: str | None) -> Page:
        lanes = self._store.keys(queue).lanes
        items: list[JobRecord] = []
        lane, after = entry_of(cursor)
        while True:
            # a worker may have taken what lies there since
            after = max(after or "0-0", await self._last_delivered(lanes[lane - 1]), key=_order)
            entries = await self._pool.call(
                "XRANGE", lanes[lane - 1], "(" + after, "+", "COUNT", limit - len(items)
            )
            items += [self._with_attempts(from_waiting(queue, *entry)) for entry in entries]
            if len(items) == limit:
                return Page(items, f"{lane}:{entries[-1][0].decode()}")
            if lane == len(lanes):
                return Page(items)
            lane, after = lane + 1, ""

    async def _active(self, queue: str, limit: int, cursor: str | None) -> tuple[list[str], str | None]:
        lanes = self._store.keys(queue).lanes
        ids: list[str] = []
        lane, after = entry_of(cursor)
        while True:
            start = "(" + after if after else "-"
            async with self._pool.link() as link:
                command = ("XPENDING", lanes[lane - 1], GROUP, start, "+", limit - len(ids))
                rows = (await link.batch(command))[0]
            entries = [] if isinstance(rows, Exception) else [row[0].decode() for row in rows]
            ids += await self._ids_of(lanes[lane - 1], entries)
            if len(ids) == limit:
                return ids, f"{lane}:{entries[-1]}"
            if lane == len(lanes):
                return ids, None
            lane, after = lane + 1, ""

    async def _last_delivered(self, lane: str) -> str:
        async with self._pool.link() as link:
            groups = (await link.batch(("XINFO", "GROUPS", lane)))[0]
        if isinstance(groups, Exception):
            return "0-0"
        for group in groups:
            at = dict(zip(group[::2], group[1::2], strict=True))
            if at[b"name"] == GROUP.encode():
                return str(at[b"last-delivered-id"].decode())
        return "0-0"

    async def _ids(
        self, queue: str, state: State, limit: int, cursor: str | None
    ) -> tuple[list[str], str | None]:
        keys = self._store.keys(queue)
        if state is State.ACTIVE:
            return await self._active(queue, limit, cursor)
        if state is State.COMPLETED:
            found, following = await self._back(keys.completed, limit, cursor)
        elif state is State.FAILED:
            found, following = await self._walk(keys.failures, "down", limit, cursor)
        elif state is State.DELAYED:
            found, following = await self._walk(keys.delayed, "up", limit, cursor)
        elif cursor:
            raise strange(cursor)
        else:
            return [], None
        return [job_id.decode("utf-8", "replace") for job_id in found], following

    async def _walk(
        self, key: str, direction: str, limit: int, cursor: str | None
    ) -> tuple[list[bytes], str | None]:
        """A page of a sorted set; its cursor is the place of its last job: ``<direction><score>:<id>``."""
        score, job_id = place_of(cursor, direction)
        async with self._pool.link() as link:
            found = await scripts.WALK.run(link, (key,), limit + 1, direction, score, job_id)
        ids = found[::2]
        if len(ids) <= limit:
            return ids, None
        return ids[:limit], cursor_at(direction, found[2 * limit - 1].decode(), ids[limit - 1])

    async def _back(self, key: str, limit: int, cursor: str | None) -> tuple[list[bytes], str | None]:
        """A page of a list from its end; its cursor is its last job and how many are later: ``back<n>:<id>``."""
        later, job_id = place_of(cursor, "back")
        async with self._pool.link() as link:
            while True:
                at, *found = await scripts.BACK.run(link, (key,), limit + 1, later, job_id)
                if at >= 0:
                    break
                later = str(found[0])  # many have come since: the search goes on
        return found[:limit], cursor_at("back", str(at - 1), found[limit - 1]) if len(found) > limit else None

    async def _ids_of(self, lane: str, entries: Sequence[str]) -> list[str]:
        """The ids of the jobs that lie in these entries."""
        ids = []
        async with self._pool.link() as link:
            for start in range(0, len(entries), READ_AT_ONCE):
                part = entries[start : start + READ_AT_ONCE]
                replies = await link.calls(*[("XRANGE", lane, entry, entry) for entry in part])
                for entry, found in zip(part, replies, strict=True):
                    ids.append((id_of(parse_fields(found[0][1])[2]) if found else None) or entry)
        return ids


def _number(reply: Any) -> int:
    if isinstance(reply, Exception):
        if "NOGROUP" in str(reply):
            return 0
        raise translate(reply, sent=True) from reply
    if isinstance(reply, list):  # XPENDING's summary begins with the number
        return int(reply[0])
    return int(reply)


def _order(entry: str) -> tuple[int, ...]:
    return tuple(map(int, entry.split("-")))
