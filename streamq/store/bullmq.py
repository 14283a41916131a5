"""The keys of a BullMQ installation: its queues, its jobs, and how one is taken out.

Layout: BullMQ 4 to 6, which keep a list of ids that wait (the next one is the last), sorted sets of those that are
delayed or have a priority, and a hash for each job. Up to version 5 those of a paused queue are in another list.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from streamq.redis import scripts
from streamq.redis.answers import readable
from streamq.redis.replies import pairs
from streamq.store.access import Access
from streamq.store.queues import SCANNED

PAGE: Final = 200
"""Ids that are read, or taken, at once."""
_KINDS: Final = {
    "waiting": ("wait", "list"), "paused": ("paused", "list"), "prioritized": ("prioritized", "zset"),
    "delayed": ("delayed", "zset"), "active": ("active", "list"), "waiting-children": ("waiting-children", "zset"),
    "completed": ("completed", "zset"), "failed": ("failed", "zset"),
}  # fmt: skip
"""The states of a job there: how the name of their key ends, and its type."""
_SIZE: Final = {"list": "LLEN", "zset": "ZCARD", "hash": "HLEN"}
COMING: Final = ("waiting", "paused", "prioritized", "delayed")
"""Those whose jobs can come."""
_TAKEN: Final = "streamq:taken"
"""How the name of the hash ends that has what was taken, until it is here: id → state, score, and its turn."""
_SHIFT: Final = 0x1000
"""The score of a delayed job is its due time in ms by this, and a number within it."""


class Place(NamedTuple):
    """Where a job lies there."""

    id: str
    state: str
    score: float
    """Of one that is delayed or has a priority."""

    @property
    def due_ms(self) -> int:
        """When a delayed one is due, in ms since the epoch; 0 for another one."""
        return int(self.score // _SHIFT) if self.state == "delayed" else 0


class Kept(NamedTuple):
    """How a queue is there."""

    counts: dict[str, int]
    """Its jobs by state; a state whose key is of another type has none."""
    is_paused: bool
    """Whether its workers start nothing."""
    strange: str
    """What is wrong with a key of it, where that is of another type than BullMQ makes it; empty for nothing."""


class BullMQ:
    """Queries: queues, jobs, schedulers. Commands: jobs are taken, and forgotten when they are here."""

    def __init__(self, access: Access, prefix: str) -> None:
        self._access, self._prefix = access, prefix

    def _key(self, queue: str, end: str) -> str:
        return f"{self._prefix}:{queue}:{end}"

    # -- queries ----------------------------------------------------------------------------------------------

    async def queues(self) -> list[str]:
        """All queues of the prefix. One with a colon in its name has jobs, or its key is that of a job."""
        cursor, found = b"0", set[str]()
        begin, end = self._key("", "")[:-1], ":meta"
        while True:
            cursor, page = await self._call("SCAN", cursor, "MATCH", f"{begin}*{end}", "COUNT", SCANNED)
            found |= {name.decode("utf-8", "replace")[len(begin) : -len(end)] for name in page}
            if cursor == b"0":
                break
        return [name for name in sorted(found) if name and (":" not in name or await self._has_jobs(name))]

    async def kept(self, queue: str) -> Kept:
        """How a queue is there, whatever its keys are."""
        kinds = {
            **dict(_KINDS.values()),
            "meta": "hash",
            "repeat": "zset",
            _TAKEN: "hash",
        }
        async with self._access.pool.links() as links:
            asked = [(_SIZE[kind], self._key(queue, end)) for end, kind in kinds.items()]
            replies = await links.home.batch(*asked, ("HGET", self._key(queue, "meta"), "paused"))
        told = dict(readable([*kinds, "is paused"], replies))
        strange = next((end for end in kinds if end not in told), "")
        return Kept(
            {state: told.get(end, 0) for state, (end, _) in _KINDS.items()},
            told.get("is paused") is not None,
            f"its key {self._key(queue, strange)} is no {kinds[strange]}, as BullMQ makes it"
            if strange
            else "",
        )

    async def places(self, queue: str) -> list[Place]:
        """The jobs that can come, and those that were taken before, in the order in which they would run."""
        found = {place.id: place async for place in self._taken(queue)}
        for state in COMING:
            end, kind = _KINDS[state]
            read = self._listed if kind == "list" else self._scored
            async for job, score in read(self._key(queue, end)):
                found.setdefault(job, Place(job, state, score))
        return list(found.values())

    async def jobs(self, queue: str, ids: Sequence[str]) -> list[Mapping[str, str] | None]:
        """What is kept of each job: nothing where it is gone, ``None`` where its key is none of BullMQ's."""
        async with self._access.pool.links() as links:
            replies = await links.home.batch(*[("HGETALL", self._key(queue, job)) for job in ids])
        told = dict(readable(ids, replies))
        return [_texts(told[job]) if job in told else None for job in ids]

    async def schedulers(self, queue: str) -> dict[str, Mapping[str, str]]:
        """What makes jobs again and again, by name."""
        names = [
            name.decode("utf-8", "replace")
            for name in await self._call("ZRANGE", self._key(queue, "repeat"), 0, -1)
        ]
        found = await self.jobs(queue, [f"repeat:{name}" for name in names])
        return {name: raw or {} for name, raw in zip(names, found, strict=True)}

    # -- commands ---------------------------------------------------------------------------------------------

    async def take(self, queue: str, places: Sequence[Place]) -> set[str]:
        """Take jobs out of their lists, so that no worker there gets them. Returns the ids of those that were there,
        or were taken before."""
        taken = set[str]()
        for state in dict.fromkeys(place.state for place in places):
            end, kind = _KINDS[state]
            on = scripts.IMPORT_TAKE.on(place=self._key(queue, end), hold=self._key(queue, _TAKEN))
            own = [
                each for turn, place in enumerate(places) if place.state == state
                for each in (place.id, f"{state} {place.score:.0f} {turn}")
            ]  # fmt: skip
            async with self._access.pool.links() as links:
                taken |= {job.decode() for job in await scripts.IMPORT_TAKE.run(links.home, on, kind, *own)}
        return taken

    async def forget(self, queue: str, ids: Sequence[str]) -> None:
        """Remove what is kept of jobs that were taken and are here, at once."""
        if not ids:
            return
        names = [self._key(queue, name) for job in ids for name in (job, f"{job}:logs")]
        async with self._access.pool.links() as links:
            await links.home.calls(
                ("MULTI",), ("UNLINK", *names), ("HDEL", self._key(queue, _TAKEN), *ids), ("EXEC",)
            )

    # -- how it is read ---------------------------------------------------------------------------------------

    async def _has_jobs(self, queue: str) -> bool:
        kept = await self.kept(queue)
        return bool(kept.strange) or any(kept.counts.values())

    async def _taken(self, queue: str) -> AsyncIterator[Place]:
        """What was taken, and is not known to be here."""
        told = _texts(await self._call("HGETALL", self._key(queue, _TAKEN)))
        found = [(job, *said.split()) for job, said in told.items()]
        for job, state, score, _ in sorted(found, key=lambda each: int(each[3])):
            yield Place(job, state, float(score))

    async def _listed(self, key: str) -> AsyncIterator[tuple[str, float]]:
        """From the end of a list, which is where workers take from: producers add at its other one."""
        end = -1
        while page := await self._call("LRANGE", key, end - PAGE + 1, end):
            for job in reversed(page):
                if not job.startswith(b"0:"):  # a sign to workers of an earlier version
                    yield job.decode("utf-8", "replace"), 0.0
            end -= PAGE

    async def _scored(self, key: str) -> AsyncIterator[tuple[str, float]]:
        begin = 0
        while page := await self._call("ZRANGE", key, begin, begin + PAGE - 1, "WITHSCORES"):
            for job, score in zip(page[::2], page[1::2], strict=True):
                yield job.decode("utf-8", "replace"), float(score)
            begin += PAGE

    async def _call(self, *command: Any) -> Any:
        return await self._access.pool.call_home(*command)


def _texts(reply: Sequence[bytes]) -> dict[str, str]:
    told = pairs(reply)
    return {name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in told.items()}
