"""Tallies: what a service counts of its own, and how long things took, by minute and by hour."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from streamq.client.client import Client
from streamq.durations import Duration
from streamq.errors import UsageError
from streamq.model.clock import from_ms
from streamq.model.names import checked_queue
from streamq.model.shown import as_given
from streamq.model.statistics import NAME, OTHERS, Spread, Sums, bucket_of, spread_of
from streamq.statistics import Window, window
from streamq.store.statistics import READ_AT_ONCE

_COUNT: Final = re.compile(r"[a-z][a-z_]{0,29}")
_BUCKET: Final = "~"
"""Stands between the name of a time and the number of its bucket."""
AT_ONCE: Final = 20
"""Subjects that one call adds to: some milliseconds of the server's time."""
HELD: Final = 10_000
"""Subjects that wait for a server which is away; those beyond are added up with all others."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What was counted of a subject in some time."""

    raw: Sums = field(default_factory=Counter)

    @property
    def counts(self) -> dict[str, int]:
        """By name."""
        return {name: number for name, number in self.raw.items() if _BUCKET not in name}

    @property
    def times(self) -> dict[str, Spread]:
        """How the times of each name are spread."""
        names = dict.fromkeys(name.partition(_BUCKET)[0] for name in self.raw if _BUCKET in name)
        return {name: spread_of(self.raw, f"{name}{_BUCKET}") for name in names}

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.raw + other.raw)


@dataclass(frozen=True, slots=True)
class Tallied:
    """What was counted in some time, step by step."""

    since: datetime
    until: datetime
    step: int
    """Seconds between two steps."""
    steps: tuple[tuple[datetime, Mapping[str, Sum]], ...] = ()
    """When each begins, and its sums by subject; ``*`` stands for those that were too many to be told apart."""


class Tallies:
    """Made by ``app.tallies(name)``: counts and times by subject, added to Redis by whoever counts.

    Minutes are kept for a day and hours for 90. A minute tells 256 subjects apart. A process counts in memory and
    sends what it has counted since, as once a second; what it had not sent is lost with it.
    """

    def __init__(self, name: str, client: Client) -> None:
        client.store.keys(checked_queue(name))  # raises also when the app is not open
        self.name, self._client, self._process = name, client, secrets.token_hex(8)
        self._sending = asyncio.Lock()
        self._counted: dict[str, Sums] = {}
        self._sent: tuple[int, dict[str, Sums]] = (0, {})
        """The number of the last call, and what it adds, as long as it is not known to be added."""

    def __repr__(self) -> str:
        return f"<Tallies {self.name!r}>"

    def count(self, subject: str, name: str, by: int = 1) -> None:
        """Count something of a subject: a text of 1 to 200 characters on one line. Raises ``UsageError``."""
        self._of(subject)[_checked(name)] += by

    def time(self, subject: str, name: str, seconds: float) -> None:
        """Note how long something took. Raises ``UsageError``."""
        self._of(subject)[f"{_checked(name)}{_BUCKET}{bucket_of(max(0.0, seconds) * 1000)}"] += 1

    def _of(self, subject: str) -> Sums:
        if not 1 <= len(subject) <= NAME or not subject.isprintable():
            raise UsageError(f"{as_given(subject)} is no subject: use 1 to {NAME} characters on one line")
        if subject == "#" or (subject not in self._counted and len(self._counted) >= HELD):
            subject = OTHERS
        return self._counted.setdefault(subject, Counter())

    async def send(self) -> None:
        """Add what was counted since. Raises ``Unavailable``: then the next call sends it, and nothing counts twice."""
        async with self._sending:
            while self._sent[1] or self._counted:
                number, subjects = self._sent
                if not subjects:
                    names = list(self._counted)[:AT_ONCE]
                    number, subjects = number + 1, {name: self._counted.pop(name) for name in names}
                    self._sent = number, subjects
                await self._client.store.statistics.tally(self.name, self._process, number, subjects)
                self._sent = number, {}

    async def totals(self) -> dict[str, Sum]:
        """What all processes have sent since the first of them, by subject: it never falls, unless nothing was counted
        for 90 days. 256 subjects are told apart; ``*`` stands for all others."""
        found = await self._client.store.statistics.tallied_totals(self.name)
        return {subject: Sum(sums) for subject, sums in found.items() if sums}

    async def read(
        self,
        since: Duration | datetime = "1h",
        until: Duration | datetime | None = None,
        *,
        step: Duration | None = None,
    ) -> Tallied:
        """What all processes have sent of some time, as ``Queue.statistics`` reads it.

        Raises ``UsageError`` and ``WindowNotKept``.
        """
        store = self._client.store.statistics
        asked = window(await store.now(), since, until, step)
        steps: dict[int, dict[str, Sums]] = {at: {} for at in range(asked.since, asked.until, asked.step)}
        for start in range(0, len(asked.numbers), READ_AT_ONCE):
            numbers = asked.numbers[start : start + READ_AT_ONCE]
            for kept in await store.tallied(self.name, asked.unit, numbers):
                _add(steps.setdefault(_begin(asked, kept.number), {}), kept.tasks)
        said = tuple(
            (_at(at), {name: Sum(sums) for name, sums in found.items() if sums})
            for at, found in sorted(steps.items())
        )
        return Tallied(_at(asked.since), _at(asked.until), asked.step, said)


def _begin(asked: Window, number: int) -> int:
    at = number * asked.unit
    return at - at % asked.step


def _add(step: dict[str, Sums], subjects: Mapping[str, Any]) -> None:
    for name, sums in subjects.items():
        step.setdefault(name, Counter()).update(sums)


def _at(seconds: int) -> datetime:
    return from_ms(seconds * 1000)


def _checked(name: str) -> str:
    if _COUNT.fullmatch(name):
        return name
    raise UsageError(f"{as_given(name)} cannot name a count: use 1 to 30 small letters and _")
