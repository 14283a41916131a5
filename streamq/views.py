"""The looks: everything read from Redis for people. (Acting is in ``store``.)"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from streamq import codec, scripts
from streamq.clock import from_ms
from streamq.connection import translate
from streamq.envelope import Headers, parse_fields, parse_headers
from streamq.errors import JobNotFound, UsageError
from streamq.job import Counts, JobRecord, Page, WorkerInfo
from streamq.keys import GROUP, is_name, queues_key, workers_key
from streamq.states import State
from streamq.store import Store

log = logging.getLogger("streamq.views")

UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What reading an entry of the list of workers may raise."""

_STATE_OF: Final = {"c": State.COMPLETED, "f": State.FAILED}


class Views:
    """Every read. Methods raise ``Unavailable`` and its kin when the server cannot be reached."""

    def __init__(self, store: Store, attempts_of: Callable[[str], int | None] = lambda _: None) -> None:
        self._store, self._pool = store, store.pool
        self._attempts_of = attempts_of
        self._unreadable: dict[bytes, bytes] = {}

    async def queues(self) -> set[str]:
        """The names of all queues that were ever used."""
        names = await self._pool.call("SMEMBERS", queues_key(self._store.settings.prefix))
        return {name.decode() for name in names}

    async def server_info(self) -> dict[str, str]:
        """What the server says of itself."""
        lines = (await self._pool.call("INFO")).decode("utf-8", "replace").splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    async def workers(self) -> list[WorkerInfo]:
        """What all workers say of themselves, by name; what this version cannot read is logged once and left out."""
        said = await self._pool.call("HGETALL", workers_key(self._store.settings.prefix))
        readable = [self._worker(name, raw) for name, raw in zip(said[::2], said[1::2], strict=True)]
        return sorted([info for info in readable if info], key=lambda info: info.name)

    def _worker(self, name: bytes, raw: bytes) -> WorkerInfo | None:
        try:
            info = parse_worker(name, raw)
        except UNREADABLE as error:
            if self._unreadable.get(name) != raw:
                shown = name.decode("utf-8", "replace")
                log.warning("what worker %s says of itself cannot be read (%s): it is left out", shown, error)
            self._unreadable[name] = raw
            return None
        self._unreadable.pop(name, None)
        return info

    async def counts(self, queue: str) -> Counts:
        """How many jobs are in each state; a fixed number of O(1) commands."""
        keys = self._store.keys(queue)
        async with self._pool.link() as link:
            replies = await link.batch(
                *[("XLEN", lane) for lane in keys.lanes],
                *[("XPENDING", lane, GROUP) for lane in keys.lanes],
                ("ZCARD", keys.delayed), ("HLEN", keys.parked),
                ("LLEN", keys.completed), ("LLEN", keys.failed),
            )  # fmt: skip
        *lengths, delayed, parked, completed, failed = (_number(reply) for reply in replies)
        active = min(lengths[2] + lengths[3], lengths[0] + lengths[1])
        return Counts(
            waiting=lengths[0] + lengths[1] - active, active=active, delayed=delayed,
            held=max(0, parked - delayed), completed=completed, failed=failed,
        )  # fmt: skip

    async def job(self, queue: str, job_id: str) -> JobRecord:
        """Everything known of a job. Raises ``JobNotFound``."""
        keys = self._store.keys(queue)
        names = (keys.ready, keys.alone, keys.moved, keys.parked, keys.delayed, keys.finished)
        if not _is_entry(job_id):
            raise JobNotFound(queue, job_id)
        async with self._pool.link() as link:
            found = await scripts.LOCATE.run(link, names, GROUP, job_id)
        if not found:
            raise JobNotFound(queue, job_id)
        place, *rest = found
        return self._with_attempts(_READ[place](queue, job_id, *rest))

    def _with_attempts(self, job: JobRecord) -> JobRecord:
        return job if job.attempts is not None else replace(job, attempts=self._attempts_of(job.task))

    async def jobs(self, queue: str, state: State, limit: int, cursor: str | None) -> Page:
        """A page of a state's jobs: oldest first while they live, latest first when they are finished.

        Raises ``UsageError`` for a cursor that is not one of ours.
        """
        if state is State.WAITING:
            return await self._waiting(queue, limit, cursor)
        ids, following = await self._ids(queue, state, limit, cursor)
        items = []
        for job_id in ids:
            try:
                items.append(await self.job(queue, job_id))
            except JobNotFound:
                continue  # it moved on between the two looks
        return Page(items, following)

    async def _waiting(self, queue: str, limit: int, cursor: str | None) -> Page:
        lanes = self._store.keys(queue).lanes
        items: list[JobRecord] = []
        lane, after = _stream_cursor(cursor)
        while True:
            after = after or await self._last_delivered(lanes[lane - 1])
            entries = await self._pool.call(
                "XRANGE", lanes[lane - 1], "(" + after, "+", "COUNT", limit - len(items)
            )
            items += [self._with_attempts(_from_waiting(queue, *entry)) for entry in entries]
            if len(items) == limit:
                return Page(items, f"{lane}:{entries[-1][0].decode()}")
            if lane == len(lanes):
                return Page(items)
            lane, after = lane + 1, ""

    async def _active(self, queue: str, limit: int, cursor: str | None) -> tuple[list[str], str | None]:
        lanes = self._store.keys(queue).lanes
        ids: list[str] = []
        lane, after = _stream_cursor(cursor)
        while True:
            start = "(" + after if after else "-"
            async with self._pool.link() as link:
                command = ("XPENDING", lanes[lane - 1], GROUP, start, "+", limit - len(ids))
                rows = (await link.batch(command))[0]
            entries = [] if isinstance(rows, Exception) else [row[0].decode() for row in rows]
            ids += [await self._id_of(lanes[lane - 1], entry) for entry in entries]
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
        skip = _offset(cursor)
        if state is State.DELAYED:
            raw = await self._pool.call("ZRANGE", keys.delayed, skip, skip + limit)
        elif state in (State.COMPLETED, State.FAILED):
            order = keys.completed if state is State.COMPLETED else keys.failed
            raw = (await self._pool.call("LRANGE", order, -skip - limit - 1, -skip - 1))[::-1]
        else:
            raw = []
        ids = [job_id.decode() for job_id in raw]
        return ids[:limit], str(skip + limit) if len(ids) > limit else None

    async def _id_of(self, lane: str, entry: str) -> str:
        found = await self._pool.call("XRANGE", lane, entry, entry)
        headers = parse_fields(found[0][1])[2] if found else b""
        return parse_headers(headers).get("id") or entry


def parse_worker(name: bytes, raw: bytes) -> WorkerInfo:
    """A worker from what it said of itself: another version may have said more, or less.

    Raises one of ``UNREADABLE`` when what every version says is not there.
    """
    said = codec.loads(raw)
    queues = tuple(queue for queue in said["queues"] if isinstance(queue, str) and is_name(queue))
    return WorkerInfo(
        name=name.decode(), host=str(said.get("host", "")), pid=_whole(said.get("pid")), queues=queues,
        concurrency=_whole(said.get("concurrency")), started_at=_time(said["started_at"]),
        version=str(said.get("version", "")), client_id=_whole(said.get("client_id")),
        token=str(said.get("token", "")), lease=_seconds(said.get("lease")), beat=_seconds(said.get("beat")),
        stuck=_seconds(said.get("stuck")), host_id=str(said.get("host_id", "")),
        process_start=_whole(said.get("process_start")),
    )  # fmt: skip


def _whole(said: object) -> int:
    return said if isinstance(said, int) and 0 <= said < 2**63 else 0


def _seconds(said: object) -> float:
    return float(said) if isinstance(said, int | float) and 0 < said < 1e9 else 0.0


def _time(said: str) -> datetime:
    at = datetime.fromisoformat(said)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _number(reply: Any) -> int:
    if isinstance(reply, Exception):
        if "NOGROUP" in str(reply):
            return 0
        raise translate(reply, sent=True) from reply
    if isinstance(reply, list):  # XPENDING's summary begins with the number
        return int(reply[0])
    return int(reply)


def _offset(cursor: str | None) -> int:
    if cursor is not None and not (cursor.isdecimal() and cursor.isascii() and len(cursor) < 12):
        raise UsageError(f"{cursor!r} is not a cursor of this list: take `next` of the page before, or none")
    return int(cursor or 0)


def _is_entry(text: str) -> bool:
    """Whether it has the shape of a stream entry's id: two numbers of 64 bits."""
    parts = text.split("-")
    return len(parts) == 2 and all(
        p.isascii() and p.isdecimal() and len(p) <= 20 and int(p) < 2**64 for p in parts
    )


def _stream_cursor(cursor: str | None) -> tuple[int, str]:
    """Lane and entry to go on after; an empty entry begins the lane."""
    if not cursor:
        return 1, ""
    lane, _, entry = cursor.partition(":")
    if lane not in ("1", "2") or not _is_entry(entry):
        raise UsageError(f"{cursor!r} is not a cursor of this list: take `next` of the page before, or none")
    return int(lane), entry


def _payload(raw: bytes) -> Any:
    try:
        return codec.loads(raw)
    except codec.JSONDecodeError:  # a foreign producer's; shown as the text it is
        return raw.decode("utf-8", "replace")


def _common(queue: str, job_id: str, task: bytes, payload: bytes, headers: Headers) -> dict[str, Any]:
    history = [_error(error) for error in headers.get("history", ())]
    return {
        "id": job_id, "queue": queue, "task": task.decode("utf-8", "replace"), "payload": _payload(payload),
        "attempts": headers.get("attempts"), "crashes": headers.get("crashes", 0),
        "created_at": from_ms(int(job_id.partition("-")[0])), "history": history,
        "error": history[-1] if history else None,
    }  # fmt: skip


def _error(error: dict[str, Any]) -> dict[str, Any]:
    times = {
        name: from_ms(error[name])
        for name in ("started_at", "finished_at")
        if isinstance(error.get(name), int)
    }
    return error | {
        name: at.isoformat(timespec="milliseconds").replace("+00:00", "Z") for name, at in times.items()
    }


def _from_entry(
    queue: str, job_id: str, now: int, worker: bytes, idle: int, task: bytes, payload: bytes, raw: bytes
) -> JobRecord:
    headers = parse_headers(raw)
    active = bool(worker)
    return JobRecord(
        **_common(queue, job_id, task, payload, headers),
        state=State.ACTIVE if active else State.WAITING,
        attempt=headers.get("attempt", 0) + active,
        started_at=from_ms(now - idle) if active else None,
        worker=worker.decode() or None,
    )


def _from_waiting(queue: str, entry: bytes, fields: list[bytes]) -> JobRecord:
    task, payload, headers = parse_fields(fields)
    job_id = parse_headers(headers).get("id") or entry.decode()
    return _from_entry(queue, job_id, 0, b"", 0, task, payload, headers)


def _from_parked(queue: str, job_id: str, due: bytes, envelope: bytes) -> JobRecord:
    task, raw, payload = envelope.split(b"\n", 2)
    headers = parse_headers(raw)
    return JobRecord(
        **_common(queue, job_id, task, payload, headers),
        state=State.DELAYED if float(due) else State.HELD,
        attempt=headers.get("attempt", 0),
        due_at=from_ms(float(due)) if float(due) else None,
    )


def _from_record(queue: str, job_id: str, stored: bytes) -> JobRecord:
    first, task, raw, outcome, payload = stored.split(b"\n", 4)
    age, took, worker = first[1:].split(b" ")
    headers, said = parse_headers(raw), codec.loads(outcome or b"null")
    common = _common(queue, job_id, task, payload, headers)
    finished = common["created_at"] + timedelta(milliseconds=int(age))
    state = _STATE_OF[chr(first[0])]
    if state is State.FAILED:
        common["error"] = {**(common["error"] or {}), **_error(said)}
    return JobRecord(
        **common,
        state=state,
        # a failed one has counted its last attempt already
        attempt=headers.get("attempt", 0) + (state is State.COMPLETED),
        started_at=finished - timedelta(milliseconds=int(took)),
        finished_at=finished,
        result=said if state is State.COMPLETED else None,
        worker=worker.decode(),
    )


_READ: Final[dict[bytes, Callable[..., JobRecord]]] = {
    b"entry": _from_entry,
    b"parked": _from_parked,
    b"finished": _from_record,
}
