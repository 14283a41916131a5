"""Statistics: what jobs came to, added by workers and read by minute or by hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from streamq.errors import StreamqError
from streamq.model import codec
from streamq.model.keys import Keys
from streamq.model.statistics import (
    GROUPS,
    HOUR,
    HOURS_KEPT,
    MINUTE,
    MINUTES_KEPT,
    NUMBER_KEPT,
    OTHERS,
    SUBJECTS,
    TASKS,
    WAITING,
    Sums,
    sums_of,
)
from streamq.redis import scripts
from streamq.redis.answers import is_of_another_type, readable, translate
from streamq.redis.links import Links
from streamq.redis.replies import pairs
from streamq.store.access import Access

READ_AT_ONCE: Final = 25
"""Minutes or hours of one round trip: with all the tasks that they may have, a megabyte, and 50 ms of this process."""


_LIVES: Final = tuple(1000 * each for each in (MINUTES_KEPT + HOUR, HOURS_KEPT + 24 * HOUR, NUMBER_KEPT))
"""In ms, of a minute, an hour and a number: so that the last hour and the last day are whole."""


def _told(sums: Mapping[str, Sums]) -> list[Any]:
    """Names and what is added of them, as a script takes them."""
    return [text for name, more in sums.items() for text in (name, codec.dumps(more))]


def _sound(reply: Any) -> Any:
    """A reply of a pipeline; ``None`` where the key is somebody else's. Raises it where it is another error."""
    if is_of_another_type(reply):
        return None
    if isinstance(reply, Exception):
        raise translate(reply, sent=True) from reply
    return reply


class Kept(NamedTuple):
    """What is kept of a minute or an hour."""

    number: int
    tasks: Mapping[str, Sums]
    waiting: int | None


class StatisticsStore:
    """Commands: what workers counted is added. Queries: what is kept."""

    def __init__(self, access: Access) -> None:
        self._access = access

    # -- commands -------------------------------------------------------------------------------------------

    async def add(
        self, links: Links, worker: str, counted: Mapping[str, tuple[int, Mapping[str, Sums]]]
    ) -> dict[str, int | StreamqError]:
        """Add what a worker counted, by queue: its number, and the sums by task. A number is added once.

        By queue, the server's time or what went wrong.
        """
        if not counted:
            return {}
        now = self._access.clock.now() // 1000
        calls = [self._call(queue, worker, now, *said) for queue, said in counted.items()]
        replies = await scripts.COUNT.run_over(links, list(counted), calls)
        return dict(zip(counted, replies, strict=True))

    async def add_of_groups(
        self, links: Links, worker: str, counted: Mapping[str, tuple[int, Mapping[str, Sums]]]
    ) -> dict[str, int | StreamqError]:
        """The same of groups: the sums by tenant."""
        if not counted:
            return {}
        now, calls = self._access.clock.now() // 1000, []
        for queue, (number, sums) in counted.items():
            keys = self._access.keys(queue)
            on = scripts.COUNT_GROUPS.on(
                minute=keys.grouped_minute(now // MINUTE), hour=keys.grouped_hour(now // HOUR),
                counted=keys.counted_by(f"{worker}:groups"),
            )  # fmt: skip
            calls.append((on, [number, *_LIVES, GROUPS, *_told(sums)]))
        replies = await scripts.COUNT_GROUPS.run_over(links, list(counted), calls)
        return dict(zip(counted, replies, strict=True))

    def _call(
        self, queue: str, worker: str, now: int, number: int, tasks: Mapping[str, Sums]
    ) -> tuple[tuple[str, ...], list[Any]]:
        keys = self._access.keys(queue)
        on = scripts.COUNT.on(
            keys,
            minute=keys.minute(now // MINUTE),
            hour=keys.hour(now // HOUR),
            totals=keys.totals,
            counted=keys.counted_by(worker),
        )
        return on, [number, *_LIVES, TASKS, *_told(tasks)]

    async def tally(self, name: str, process: str, number: int, subjects: Mapping[str, Sums]) -> None:
        """Add what a process of a service counted, by subject. A number is added once."""
        keys, now = self._access.keys(name), self._access.clock.now() // 1000 or await self.now()
        on = scripts.TALLY.on(
            minute=keys.tallied_minute(now // MINUTE), hour=keys.tallied_hour(now // HOUR),
            totals=keys.tallied_totals, counted=keys.tallied_of(process),
        )  # fmt: skip
        async with self._access.pool.links() as links:
            said = await scripts.TALLY.run(links.of(name), on, number, *_LIVES, SUBJECTS, *_told(subjects))
        self._access.clock.set(said)

    # -- queries --------------------------------------------------------------------------------------------

    async def tallied(self, name: str, unit: int, numbers: Sequence[int]) -> list[Kept]:
        """What services counted under a name, as ``kept``."""
        keys = self._access.keys(name)
        of = keys.tallied_minute if unit == MINUTE else keys.tallied_hour
        async with self._access.pool.links() as links:
            replies = await links.of(name).batch(*[("HGETALL", of(number)) for number in numbers])
        return self.read(numbers, replies)

    async def totals(self, queues: Sequence[str]) -> dict[str, Sums]:
        """What each queue has come to since it is there: one round trip to each server."""
        if not queues:
            return {}
        commands = [("HGET", self._access.keys(queue).totals, OTHERS) for queue in queues]
        async with self._access.pool.links() as links:
            replies = await links.commands(queues, commands)
        return {queue: sums_of(reply or b"") for queue, reply in readable(queues, replies)}

    async def tallied_totals(self, name: str) -> dict[str, Sums]:
        """What services have counted under a name since they do, by subject."""
        async with self._access.pool.links() as links:
            reply = await links.of(name).call("HGETALL", self._access.keys(name).tallied_totals)
        return {subject.decode("utf-8", "replace"): sums_of(raw) for subject, raw in pairs(reply).items()}

    async def active(self, queues: Sequence[str], hours: range) -> list[str]:
        """Those of which anything is kept of these hours. Raises the first error of any."""
        looks = [("EXISTS", *(self._access.keys(queue).hour(hour) for hour in hours)) for queue in queues]
        async with self._access.pool.links() as links:
            found = await links.commands(queues, looks)
        if error := next((each for each in found if isinstance(each, StreamqError)), None):
            raise error
        return [queue for queue, count in zip(queues, found, strict=True) if count]

    async def now(self) -> int:
        """The server's time in seconds since the epoch."""
        seconds, _ = await self._access.pool.call_home("TIME")
        return int(seconds)

    async def kept(
        self,
        queue: str,
        unit: int,
        numbers: Sequence[int],
        task: str | None = None,
        *,
        of_groups: bool = False,
    ) -> list[Kept]:
        """What is kept of ``READ_AT_ONCE`` minutes or hours at most, by their numbers; those of which nothing is are
        left out. With ``of_groups`` it is of groups, and ``task`` is one of them."""
        commands = self.commands(queue, unit, numbers, task, of_groups=of_groups)
        async with self._access.pool.links() as links:
            replies = await links.of(queue).batch(*commands)
        return self.read(numbers, replies, task)

    def commands(
        self,
        queue: str,
        unit: int,
        numbers: Sequence[int],
        task: str | None = None,
        *,
        of_groups: bool = False,
    ) -> list[tuple[Any, ...]]:
        """The commands that read them, for a pipeline."""
        keys: Keys = self._access.keys(queue)
        minute, hour = (keys.grouped_minute, keys.grouped_hour) if of_groups else (keys.minute, keys.hour)
        names = [(minute if unit == MINUTE else hour)(number) for number in numbers]
        return [("HGETALL", name) if task is None else ("HMGET", name, task, WAITING) for name in names]

    @staticmethod
    def read(numbers: Sequence[int], replies: Sequence[Any], task: str | None = None) -> list[Kept]:
        """What those are answered. Raises the first error among them."""
        found: list[Kept] = []
        for number, reply in zip(numbers, replies, strict=True):
            given = _sound(reply)
            if given is None:
                continue
            said = pairs(given) if task is None else dict(zip((task.encode(), WAITING), given, strict=True))
            waiting = said.pop(WAITING, None)
            tasks = {name.decode("utf-8", "replace"): sums_of(raw) for name, raw in said.items() if raw}
            if tasks or waiting:
                most = int(waiting) if waiting and waiting.isdigit() else None
                found.append(Kept(number, tasks, most))
        return found
