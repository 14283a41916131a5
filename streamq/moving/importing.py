"""Jobs of a BullMQ installation come here: read, or taken, page by page, each under a key that it has for ever.

All queues are looked at before the first job comes: what is in the way of one is told before anything is done.
Whoever is killed is begun again: a job that is here already is not made a second time, and one that was taken and is
not here yet is noted there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from streamq.errors import InvalidPayload, PayloadTooLarge, UnknownTask, UsageError
from streamq.model.names import NAME_FORM, is_name
from streamq.model.typed import quoted, typed
from streamq.moving.bullmq import CannotCome, Incoming, Names, incoming
from streamq.noun_errors import MoveRefused, QueueMoved
from streamq.options import EnqueueOptions, wrong_task_name
from streamq.program import Program
from streamq.store.bullmq import PAGE, BullMQ, Kept, Place
from streamq.terms import terms
from streamq.unique import Unique

REMEMBERED: Final = 30 * 86_400.0
"""Seconds for which a job that has come is known, whatever has become of it."""


@dataclass(slots=True)
class Imported:
    """What has come of one queue, or would."""

    queue: str
    """Its name there."""
    to: str
    """Its name here."""
    there: dict[str, int]
    """Its jobs there by state."""
    problem: MoveRefused | QueueMoved | None
    """What is in the way of all of it."""
    is_seen: bool
    """Whether its jobs can be looked at all the same."""
    come: int = 0
    """Jobs that have come, or would."""
    known: int = 0
    """Those that had come before."""
    tasks: Counter[str] = field(default_factory=Counter)
    """How many would be of which task."""
    stay: Counter[str] = field(default_factory=Counter)
    """How many stay there, and why."""
    examples: dict[str, str] = field(default_factory=dict)
    """One job of each reason."""
    schedulers: list[dict[str, str]] = field(default_factory=list)
    """What makes jobs there, with the command that makes a schedule of it here."""

    def asdict(self) -> dict[str, Any]:
        """It as JSON has it."""
        stay = [
            {"reason": reason, "jobs": count, "example": self.examples[reason]}
            for reason, count in self.stay.items()
        ]
        return {
            "queue": self.queue, "to": self.to, "there": self.there, "come": self.come, "known": self.known,
            "tasks": dict(self.tasks), "stay": stay, "schedulers": self.schedulers,
            "problem": str(self.problem or ""),
        }  # fmt: skip


class Import:
    """An import. ``takes`` removes what has come from where it was; else it stays there."""

    def __init__(
        self,
        source: BullMQ,
        app: Program,
        names: Names,
        *,
        takes: bool = False,
        remembered: float = REMEMBERED,
    ) -> None:
        self._source, self._app, self._names, self._takes = source, app, names, takes
        self._unique = Unique(window=remembered)

    async def begun(self, queue: str) -> Imported:
        """A queue of which nothing has come yet, with what is in the way."""
        kept, to = await self._source.kept(queue), self._names.queues.get(queue, queue)
        found = Imported(queue, to, kept.counts, None, is_seen=is_name(to) and not kept.strange)
        if why := self._in_the_way(queue, to, kept):
            found.problem = MoveRefused(queue, why)
        elif door := await self._app.client.store.migrations.door(to):
            found.problem = QueueMoved(to, door)
        return found

    def _in_the_way(self, queue: str, to: str, kept: Kept) -> str:
        if kept.strange:
            return f"{kept.strange}: another program wrote it. Rename it there, or {_OTHERS}"
        if not is_name(to):
            return (
                f"no queue here can have its name ({NAME_FORM}): say --to {quoted(queue)}=NEW, or {_OTHERS}"
            )
        if not (self._takes or kept.is_paused):
            return "workers there would run its jobs, too: pause it there, or take the jobs out of it with --take"
        return ""

    async def look(self, found: Imported) -> None:
        """What would come. It changes nothing."""
        if found.is_seen:
            await self._gone_through(found, dry=True)

    async def run(self, found: Imported, told: Callable[[int], None] = lambda _: None) -> None:
        """Have it come; ``told`` hears of each page. Raises what is in the way of it."""
        if found.problem:
            raise found.problem
        await self._gone_through(found, told, dry=False)

    async def _gone_through(
        self, found: Imported, told: Callable[[int], None] = lambda _: None, *, dry: bool
    ) -> None:
        places = await self._source.places(found.queue)
        for begin in range(0, len(places), PAGE):
            page = places[begin : begin + PAGE]
            coming = await self._read(found, page)
            if dry:
                found.come += len(coming)
            else:
                await self._bring(found, coming)
            told(len(page))
        found.stay.update({
            reason: count for state, reason in _STAYING.items() if (count := found.there[state])
        })  # fmt: skip
        found.examples.update(dict.fromkeys(_STAYING.values(), ""))
        schedulers = await self._source.schedulers(found.queue)
        found.schedulers = [_scheduler(found.to, name, raw, self._names) for name, raw in schedulers.items()]

    async def _read(self, found: Imported, page: Sequence[Place]) -> dict[Place, Incoming]:
        """Those of a page that can come; the others are noted with the reason."""
        coming: dict[Place, Incoming] = {}
        raws = await self._source.jobs(found.queue, [place.id for place in page])
        for place, raw in zip(page, raws, strict=True):
            try:
                job = incoming(found.queue, place, raw, self._names)
                self._check(job)
            except (CannotCome, InvalidPayload, PayloadTooLarge, UsageError) as error:
                found.stay[str(error)] += 1
                found.examples.setdefault(str(error), place.id)
            else:
                coming[place] = job
                found.tasks[job.task] += 1
        return coming

    def _check(self, job: Incoming) -> None:
        """Whether its payload fits its task, where the tasks are known."""
        if self._app.tasks and job.task not in self._app.tasks:
            raise UnknownTask(job.task, sorted(self._app.tasks))
        terms(job.task, {**job.options, "unique": self._unique})
        self._app.client.encode(job.task, job.payload)

    async def _bring(self, found: Imported, coming: Mapping[Place, Incoming]) -> None:
        """Jobs in their order: they leave together, as many as a call takes."""
        places = [*coming]
        if self._takes:
            taken = await self._source.take(found.queue, places)
            places = [place for place in places if place.id in taken]
        sent = await asyncio.gather(
            *[self._send(found.to, coming[place]) for place in places], return_exceptions=True
        )
        if failed := next((each for each in sent if isinstance(each, BaseException)), None):
            raise failed  # when all have ended; what has come stays, and is known the next time
        found.known += sent.count(False)
        found.come += sent.count(True)
        if self._takes:
            await self._source.forget(found.queue, [place.id for place in places])

    async def _send(self, to: str, job: Incoming) -> bool:
        """Whether it is new here."""
        options: EnqueueOptions = {**job.options, "unique": self._unique}  # type: ignore[typeddict-item]
        sent = await self._app.enqueue(to, job.task, job.payload, **options)
        return sent.disposition == "created"


_OTHERS: Final = "name the queues that are to come without it"
_STAYING: Final = {
    "active": "it runs there: let it end",
    "waiting-children": "it waits for the children of its flow",
}
"""States whose jobs do not come, and why."""


def _scheduler(to: str, name: str, raw: Mapping[str, str], names: Names) -> dict[str, str]:
    """A scheduler, and the command that makes a schedule of it: NAME and TASK stand for what cannot be a name here."""
    task = raw.get("name", name)
    task = names.tasks.get(task, task)
    every = raw.get("every", "")
    when = {"cron": raw.get("pattern"), "every": _duration(int(every)) if every.isdecimal() else None}
    said = {**when, "zone": raw.get("tz"), "payload": raw.get("data")}
    given = {option: value for option, value in said.items() if value is not None}
    words = (name if is_name(name) else "NAME", to, "TASK" if wrong_task_name(task) else task)
    return {"name": name, "make": typed("schedule put", *words, **given)}


def _duration(ms: int) -> str:
    """A whole number of milliseconds, as an option takes it."""
    return f"{ms}ms" if ms % 1000 else f"{ms // 1000}s"
