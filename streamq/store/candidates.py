"""Candidates: pages of the jobs in a state that a filter may mean, read in calls of bounded size."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

from streamq.model.cursors import cursor_at, entry_of, invalid, is_entry, place_of
from streamq.model.envelope import opened, parse_fields
from streamq.model.failure_kinds import OTHER, FailureKind, is_of_one_task, kind_of
from streamq.model.filter import Filter
from streamq.model.headers import id_of
from streamq.model.job_reader import READ, from_parked, from_record, from_waiting
from streamq.model.job_record import JobRecord
from streamq.model.keys import GROUP
from streamq.model.lanes import LANES
from streamq.model.outcomes import ORDERS
from streamq.model.states import State
from streamq.redis import scripts
from streamq.redis.links import Links
from streamq.redis.replies import pairs
from streamq.store.access import Access

OTHERS: Final = 5
"""Held jobs of other groups that a script passes over cost as much as one that is told of."""
_COUNT: Final = re.compile(r"[0-9]{1,20}")
_NAME: Final = re.compile(rb"[0-9a-fA-F]+|%b" % OTHER.encode())
_OF_KINDS: Final = re.compile(rf"([0-9a-fA-F]+|{OTHER}):[A-Za-z0-9%_.~-]*")
"""A fingerprint, and a place in the list of failed jobs by their kinds."""


class Candidate(NamedTuple):
    """A job that a filter may mean."""

    job_id: str
    after: str
    """The place behind it in the list of its state; empty where only that of the whole page is known."""
    task: str = ""
    """Empty where the job was not read."""
    fingerprint: str = ""
    made: Callable[[], JobRecord] | None = None
    """Makes the record; ``None`` where the job was not read, as the filter is decided without."""


class Candidates(NamedTuple):
    """A page of them, how many jobs were looked at, and the place to go on from; ``None`` at the end of the state."""

    found: list[Candidate]
    looked: int
    next: str | None
    passed: int = 0
    """Jobs of another state that lay between them, which cost as much."""


class Bound(NamedTuple):
    """How far the lists reached when an operation began."""

    last: Mapping[str, str]
    """The last entry of each lane, by its number."""
    last_end: float
    """When the last of the jobs had ended that had ended by then, in ms since the epoch."""
    created: float
    """When it began."""


class Reader:
    """Reads the jobs of one queue for one filter: all of them, latest ends first.

    With a ``bound`` for an operation: those that ended first come first, what came later than the bound is not looked
    at, and what the filter decides without reading is not read.
    """

    def __init__(
        self, access: Access, links: Links, queue: str, wanted: Filter, bound: Bound | None = None
    ) -> None:
        self._link, self._keys, self._queue, self._filter = links.of(queue), access.keys(queue), queue, wanted
        self._bound = bound

    async def page(  # noqa: PLR0911  # a list for each state
        self, state: State, place: str | None, limit: int
    ) -> Candidates:
        """The next candidates of a state, from a place in it on. Raises ``UsageError`` for a place that is none."""
        if state is State.WAITING:
            return await self._waiting(place, limit)
        if state is State.ACTIVE:
            return await self._active(place, limit)
        if state is State.HELD:
            return await self._held(place, limit)
        if state is State.DELAYED:
            return await self._walk(state, self._keys.delayed, "up", place, limit)
        if state is State.COMPLETED:
            return await self._completed(place, limit)
        if state is State.FAILED and (kinds := await self._kinds(place)) is not None:
            return await self._by_kind(kinds, place, limit)
        direction = "up" if self._bound else "down"
        return await self._walk(state, getattr(self._keys, ORDERS[state]), direction, place, limit)

    # -- the lists ------------------------------------------------------------------------------------------

    async def _waiting(self, place: str | None, limit: int) -> Candidates:
        number, after = entry_of(place)
        last = "+" if self._bound is None else self._bound.last.get(str(number), "")
        more, entries = (0, []) if not last else await scripts.SCAN_LANE.run(
            self._link, self._keys, number, after, last, limit
        )  # fmt: skip
        found = [self._entry(number, raw) for raw in entries]
        if more:
            return Candidates(found, len(found), found[-1].after)
        return Candidates(found, len(found), None if number == len(LANES) else f"{number + 1}:0-0")

    def _entry(self, number: int, raw: Any) -> Candidate:
        task, _, headers = parse_fields(raw[1])
        entry = raw[0].decode()
        return Candidate(
            id_of(headers) or entry, f"{number}:{entry}", task.decode("utf-8", "replace"),
            made=lambda: from_waiting(self._queue, *raw),
        )  # fmt: skip

    async def _active(self, place: str | None, limit: int) -> Candidates:
        """Those that run are few: each is looked for by its entry."""
        number, after = entry_of(place)
        command = ("XPENDING", self._keys.lanes[number - 1], GROUP, f"({after}" if after else "-", "+", limit)
        (rows,) = await self._link.batch(command)
        entries = [] if isinstance(rows, Exception) else [row[0].decode() for row in rows]
        found = []
        for entry in entries:
            lane = self._keys.lanes[number - 1]
            for raw in await self._link.call("XRANGE", lane, entry, entry):
                job_id = id_of(parse_fields(raw[1])[2]) or entry
                found += await self.located([job_id], f"{number}:{entry}")
        after = f"{number}:{entries[-1]}" if len(entries) == limit else ""
        following = after or (f"{number + 1}:0-0" if number < len(LANES) else None)
        return Candidates(found, len(entries), following)

    async def located(self, job_ids: Sequence[str], after: str = "") -> list[Candidate]:
        """Those of the jobs that are somewhere."""
        found = []
        for job_id in job_ids:
            said = await scripts.LOCATE.run(self._link, self._keys, job_id) if is_entry(job_id) else None
            if said:
                found.append(_located(self._queue, job_id, said, after))
        return found

    async def _held(self, place: str | None, limit: int) -> Candidates:
        """A place is a cursor of the server, and how many of the jobs there were passed."""
        cursor, _, passed = (place or "0+0").partition("+")
        if not (_COUNT.fullmatch(cursor) and _COUNT.fullmatch(passed)):
            raise invalid(place)
        group = self._filter.required("group") or ""
        following, looked, said = await scripts.SCAN_HELD.run(self._link, self._keys, cursor, limit, group)
        found = []
        for n, (job_id, envelope) in enumerate(zip(said[::2], said[1::2], strict=True)):
            # an operation looks at the whole page once more, where what it did is gone
            after = "" if self._bound else f"{cursor}+{n + 1}"
            if n >= int(passed) and is_entry(name := job_id.decode("utf-8", "replace")):
                found.append(self._parked(name, after, b"", envelope))
        found = [each for each in found if self._is_early(each.job_id)]
        held = len(said) // 2
        return Candidates(
            found, held, None if following == b"0" else f"{following.decode()}+0",
            (looked - held) // (OTHERS if group else 1),
        )  # fmt: skip

    def _is_early(self, job_id: str) -> bool:
        """Whether the job was there when the operation began."""
        return self._bound is None or int(job_id.partition("-")[0]) <= self._bound.created

    def _parked(self, job_id: str, after: str, due: bytes, envelope: bytes) -> Candidate:
        task = opened(envelope)[0].decode("utf-8", "replace")
        return Candidate(job_id, after, task, made=lambda: from_parked(self._queue, job_id, due, envelope))

    async def _walk(
        self, state: State, key: str, direction: str, place: str | None, limit: int
    ) -> Candidates:
        score, job_id = place_of(place, direction)
        walk = scripts.WALK.on(set=key)
        said = await scripts.WALK.run(self._link, walk, limit + 1, direction, score, job_id)
        ids, scores, is_end = said[::2], said[1::2], len(said) // 2 <= limit
        if (
            self._bound and state in ORDERS
        ):  # not those that ended later, as the ones that were retried and failed again
            early = [score for score in scores if float(score) <= self._bound.last_end]
            is_end, ids = is_end or len(early) < len(ids), ids[: len(early)]
        ids = ids[:limit]
        places = [cursor_at(direction, s.decode(), i) for i, s in zip(ids, scores, strict=False)]
        found, count = await self._read(state, ids, places)
        looked = len(ids) if count is None else count
        if looked < len(ids):
            return Candidates(found, looked, places[looked - 1])
        return Candidates(found, looked, None if is_end else places[-1])

    async def _completed(self, place: str | None, limit: int) -> Candidates:
        later, job_id = place_of(place, "back")
        while True:
            back = scripts.BACK.on(list=self._keys.completed)
            at, *ids = await scripts.BACK.run(self._link, back, limit + 1, later, job_id)
            if at >= 0:
                break
            later = str(ids[0])  # many have come since: the search goes on
        first, more, ids = at - limit, len(ids) > limit, ids[:limit]
        places = [cursor_at("back", str(first + n), each) for n, each in enumerate(ids)]
        found, count = await self._read(State.COMPLETED, ids, places)
        looked = len(ids) if count is None else count
        following = places[looked - 1] if ids and (more or looked < len(ids)) else None
        return Candidates(found, looked, following)

    async def _read(
        self, state: State, ids: Sequence[bytes], places: Sequence[str], fingerprint: str = ""
    ) -> tuple[list[Candidate], int | None]:
        """The jobs of these ids, and how many of the ids were looked at where their bytes were too many for a call."""
        names = [job_id.decode("utf-8", "replace") for job_id in ids]
        if not ids or (self._bound and self._filter.decides(state=state.value)):
            return [Candidate(name, place) for name, place in zip(names, places, strict=False)], None
        kind = "parked" if state is State.DELAYED else "finished"
        said = await scripts.READ_JOBS.run(self._link, self._keys, kind, *ids)
        found = []
        for name, place, raw, due in zip(names, places, said[::2], said[1::2], strict=False):
            if raw == b"" or not is_entry(name):
                continue
            if state is State.DELAYED:
                found.append(self._parked(name, place, due, raw))
            else:
                found.append(self._ended(name, place, raw, fingerprint))
        return found, len(said) // 2

    def _ended(self, job_id: str, place: str, raw: bytes, fingerprint: str) -> Candidate:
        task = raw.split(b"\n", 2)[1:2]

        def made() -> JobRecord:
            job = from_record(self._queue, job_id, raw)
            if not fingerprint or job.error is None:
                return job
            return replace(job, error=replace(job.error, fingerprint=fingerprint))

        name = task[0].decode("utf-8", "replace") if task else ""
        return Candidate(job_id, place, name, fingerprint, made)

    # -- kinds of failures ---------------------------------------------------------------------------------

    async def _kinds(self, place: str | None) -> list[FailureKind] | None:
        """The kinds of failed jobs that the filter may mean, in order; ``None`` where they do not help.

        Whoever has begun with them goes on with them, and who has not does not, whatever has come meanwhile.
        """
        wanted, is_begun = self._filter, place is not None and _OF_KINDS.fullmatch(place) is not None
        if wanted.required("fingerprint") is None and wanted.required("task") is None:
            return None
        if place is not None and not is_begun:
            return None
        keys = self._keys
        printed, failed, rows = await self._link.calls(
            ("ZCARD", keys.fingerprinted), ("ZCARD", keys.failures), ("HGETALL", keys.failure_kinds)
        )
        if printed < failed and not is_begun:  # some failed under a version that knew no kinds
            return None
        kinds = [
            kind_of(self._queue, name, raw) for name, raw in pairs(rows).items() if _NAME.fullmatch(name)
        ]
        return sorted((each for each in kinds if self._may_mean(each)), key=lambda each: each.fingerprint)

    def _may_mean(self, kind: FailureKind) -> bool:
        return self._filter.decides(**_known(kind)) is not False

    async def _by_kind(self, kinds: Sequence[FailureKind], place: str | None, limit: int) -> Candidates:
        name, _, quoted = (place or "").partition(":")
        after = unquote_to_bytes(quoted)
        left = [kind for kind in kinds if kind.fingerprint >= name]
        if not left:
            return Candidates([], 0, None)
        kind = left[0]
        its = kind.fingerprint.encode()
        start = b"(%b\n%b" % (its, after) if after and kind.fingerprint == name else b"[%b\n" % its
        members = await self._link.call(
            "ZRANGE", self._keys.fingerprinted, start, b"(%b\v" % its, "BYLEX", "LIMIT", 0, limit
        )
        ids = [member.partition(b"\n")[2] for member in members]
        places = [f"{kind.fingerprint}:{quote_from_bytes(job_id, safe='')}" for job_id in ids]
        found, count = await self._read_kind(kind, ids, places)
        looked = len(ids) if count is None else count
        if looked < len(ids) or len(ids) == limit:
            return Candidates(found, looked, places[looked - 1])
        return Candidates(found, looked, f"{left[1].fingerprint}:" if len(left) > 1 else None)

    async def _read_kind(
        self, kind: FailureKind, ids: Sequence[bytes], places: Sequence[str]
    ) -> tuple[list[Candidate], int | None]:
        if not (self._bound and self._filter.decides(**_known(kind))):
            return await self._read(State.FAILED, ids, places, kind.fingerprint)
        names = [job_id.decode("utf-8", "replace") for job_id in ids]
        return [
            Candidate(name, place, "", kind.fingerprint) for name, place in zip(names, places, strict=True)
        ], None


def _known(kind: FailureKind) -> dict[str, str]:
    """What is known of all jobs of a kind."""
    known = {"state": State.FAILED.value, "fingerprint": kind.fingerprint}
    return {**known, "task": kind.task} if is_of_one_task(kind) else known


def _located(queue: str, job_id: str, said: Sequence[Any], after: str) -> Candidate:
    job = READ[said[0]](queue, job_id, *said[1:])
    return Candidate(job_id, after, job.task, made=lambda: job)
