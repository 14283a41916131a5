"""The tokens that a workspace may spend a day, also when many of its replies are made at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from streamq import Records, Snooze

from ..clock import now

_DAY: Final = 86_400


@dataclass(slots=True)
class Spending:
    """What one reply has cost so far."""

    tokens: int = 0


class Budget:
    """What has been spent is counted on the server; what replies under way may spend is known here.

    ``most`` is the tokens of a workspace and day (``None``: no end), ``largest`` those of one reply at most.
    """

    def __init__(self, records: Records, most: int | None, largest: int) -> None:
        self._records, self._most, self._largest = records, most, largest
        self._under_way: Counter[str] = Counter()
        self._ended = 0
        """Replies that have ended."""

    @asynccontextmanager
    async def reply(self, workspace: str) -> AsyncIterator[Spending]:
        """While a reply is made, whose tokens are counted whichever way it ends.

        Raises ``Snooze`` where the tokens are spent, or may be by the replies under way.
        """
        if self._most is not None:
            await self._check(self._most, workspace)
        spending = Spending()
        self._under_way[workspace] += 1
        try:
            try:
                yield spending
            finally:
                if (
                    self._most is not None and spending.tokens
                ):  # without an end there is nothing to be counted
                    await self._records.count(_key(workspace), _DAY, by=spending.tokens)
        finally:
            self._ended += 1
            self._under_way[workspace] -= 1
            if not self._under_way[workspace]:
                del self._under_way[workspace]

    async def _check(self, most: int, workspace: str) -> None:
        spent = await self._spent(workspace)
        if spent >= most:
            raise Snooze(3600, f"the workspace has spent its {most:,} tokens of the day")
        under_way = self._under_way[workspace]
        if under_way and spent + (under_way + 1) * self._largest > most:
            raise Snooze(
                5, f"the {most:,} tokens of the workspace's day may be spent by its replies under way"
            )

    async def _spent(self, workspace: str) -> int:
        """Looked up again where a reply ended meanwhile: its tokens would be neither spent nor under way."""
        while True:
            ended = self._ended
            spent = await self._records.count(_key(workspace), _DAY, by=0)
            if ended == self._ended:
                return spent


def _key(workspace: str) -> str:
    return f"tokens {workspace} {now():%Y-%m-%d}"
