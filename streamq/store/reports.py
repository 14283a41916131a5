"""Reports: what jobs tell while they run is written for many of them at once, and read for one or for many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from streamq.errors import StreamqError
from streamq.model.cursors import is_entry
from streamq.model.reports import FIELDS, JOBS, PAGE, PAGES, Log, Progress, log_of, progress, written
from streamq.redis import scripts
from streamq.redis.links import Links
from streamq.store.access import Access

REPORTED_AT_ONCE: Final = 100
"""Jobs whose reports one call takes: some milliseconds of the server's time."""
REPORTED_BYTES: Final = 1 << 18
"""And their bytes, one job's at least."""
PRUNED_AT_ONCE: Final = 50
"""Jobs whose reports one call looks at: about a millisecond of the server's time."""
ASKED_AT_ONCE: Final = 100
"""Jobs whose states one call tells: about a millisecond of the server's time."""


class Report(NamedTuple):
    """What one job has told since its last report."""

    job_id: str
    progress: bytes
    """Its progress as it is stored; empty where it told none."""
    until: int
    """Until when its result is kept, in ms since the epoch by the server's clock; 0 where it has no time of its own."""
    dropped: int
    """Lines that were dropped before the first that comes."""
    lines: Sequence[bytes]

    def arguments(self) -> list[Any]:
        """As report.lua takes it."""
        pieces = [each for count, text in _pieces(self.lines) for each in (count, text)]
        return [self.job_id, self.progress, self.until, self.dropped, len(pieces) // 2, *pieces]

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.progress) + sum(map(len, self.lines)) + len(self.lines)


class Look(NamedTuple):
    """A watched job at one moment."""

    state: str
    """``waiting`` and so on, ``ended``, or empty where there is no such job."""
    progress: bytes
    written: int
    """How many lines it has written."""


class Reports:
    """Commands: reports are written, and forgotten. Queries: the progress of jobs, and their logs."""

    def __init__(self, access: Access) -> None:
        self._access = access

    # -- commands -------------------------------------------------------------------------------------------

    async def write(
        self, links: Links, mark: str, reports: Mapping[str, Sequence[Report]]
    ) -> dict[str, StreamqError]:
        """Write reports, by queue. Returns the queues that the server refused. Raises when it cannot be reached.

        What is written again under the same ``mark`` adds no line twice.
        """
        parts = [(queue, part) for queue, whole in reports.items() for part in _bounded(whole)]
        calls = [
            (
                self._access.keys(queue),
                [mark, JOBS, FIELDS, *[each for one in part for each in one.arguments()]],
            )
            for queue, part in parts
        ]
        queues = [queue for queue, _ in parts]
        replies = await scripts.REPORT.run_over(links, queues, calls)
        return {
            queue: reply
            for queue, reply in zip(queues, replies, strict=True)
            if isinstance(reply, StreamqError)
        }

    async def prune(self, queue: str) -> int:
        """Forget the reports of jobs that are nowhere any more. Returns of how many."""
        at = pruned = 0
        async with self._access.pool.links() as links:
            while True:
                looked, gone = await scripts.PRUNE_REPORTS.run(
                    links.of(queue), self._access.keys(queue), at, PRUNED_AT_ONCE
                )
                pruned, at = pruned + gone, at + looked - gone
                if looked < PRUNED_AT_ONCE:
                    return int(pruned)

    # -- queries --------------------------------------------------------------------------------------------

    async def log(self, queue: str, job_id: str, after: int = 0) -> Log:
        """What is kept of a job's log; an empty one where there is none. Lines up to the number ``after`` may lack."""
        head, *pages = await self._access.pool.call(
            queue, "HMGET", self._access.keys(queue).logs, *_fields(job_id)
        )
        return log_of(head, pages, after)

    async def progress_of(self, queue: str, ids: Sequence[str]) -> dict[str, Progress]:
        """By id, the last progress of those of the jobs that have one."""
        key = self._access.keys(queue).progress
        found = await self._access.pool.call(queue, "HMGET", key, *ids) if ids else ()
        return {job_id: said for job_id, raw in zip(ids, found, strict=True) if (said := progress(raw))}

    async def look(self, queue: str, ids: Sequence[str]) -> dict[str, Look]:
        """What is to be seen of watched jobs, in one round trip for a hundred."""
        keys, looks = self._access.keys(queue), dict[str, Look]()
        asked = [job_id for job_id in ids if is_entry(job_id)]
        async with self._access.pool.links() as links:
            link = links.of(queue)
            for start in range(0, len(asked), ASKED_AT_ONCE):
                part = asked[start : start + ASKED_AT_ONCE]
                # the state first: what a job tells before its end is there once it has ended
                states = await scripts.STATES.run(link, keys, *part)
                said, heads = await link.batch(("HMGET", keys.progress, *part), ("HMGET", keys.logs, *part))
                for reply in (said, heads):
                    if isinstance(reply, Exception):
                        raise reply
                for job_id, state, raw, head in zip(part, states, said, heads, strict=True):
                    looks[job_id] = Look(state.decode(), raw or b"", written(head))
        return looks


def _fields(job_id: str) -> list[str]:
    return [job_id, *[f"{job_id}:{slot}" for slot in range(PAGES)]]


def _pieces(lines: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """Lines that go into one page together, and how many they are."""
    piece, size = list[bytes](), 0
    for line in lines:
        if piece and size + len(line) + 1 > PAGE - 24:  # the number of its first line stands above
            yield len(piece), b"\n".join(piece)
            piece, size = [], 0
        piece.append(line)
        size += len(line) + 1
    if piece:
        yield len(piece), b"\n".join(piece)


def _bounded(reports: Sequence[Report]) -> Iterator[list[Report]]:
    part, size = list[Report](), 0
    for report in reports:
        if part and (len(part) == REPORTED_AT_ONCE or size + report.size > REPORTED_BYTES):
            yield part
            part, size = [], 0
        part.append(report)
        size += report.size
    if part:
        yield part
