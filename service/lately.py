"""What many ask for is looked up once for all of them, and told again for some seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, TypeVar

T = TypeVar("T")

MOST: Final = 64
"""Questions of which the answers are kept."""


@dataclass(slots=True)
class _Answer:
    task: asyncio.Task[Any]
    until: float = float("inf")

    @property
    def is_good(self) -> bool:
        """Whether it may be told: it is found and fresh, or still looked for."""
        if not self.task.done():
            return True
        return not self.task.cancelled() and self.task.exception() is None and monotonic() < self.until


class Lately:
    """Answers by what was asked."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, _Answer] = {}

    async def told(self, asked: Hashable, seconds: float, look: Callable[[], Awaitable[T]]) -> T:
        """The answer of a look that is under way, or was made within ``seconds``; else of a new one.

        Raises what the look raised, to all who waited for it: the next one looks again.
        """
        answer = self._answers.get(asked)
        if answer is None or not answer.is_good:
            answer = self._answers[asked] = _Answer(asyncio.ensure_future(self._look(asked, seconds, look)))
            self._forget()
        found: T = await asyncio.shield(answer.task)
        return found

    async def close(self) -> None:
        """Look no more."""
        tasks = {answer.task for answer in self._answers.values()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _look(self, asked: Hashable, seconds: float, look: Callable[[], Awaitable[Any]]) -> Any:
        found = await look()
        if (answer := self._answers.get(asked)) is not None and answer.task is asyncio.current_task():
            answer.until = monotonic() + seconds
        return found

    def _forget(self) -> None:
        """The oldest go first. Whoever waits for one has it all the same."""
        while len(self._answers) > MOST:
            del self._answers[next(iter(self._answers))]
