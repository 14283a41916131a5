"""All keys of a queue that lies aside are copied to another server, and compared there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from typing import Final

from streamq.noun_errors import MoveRefused
from streamq.store.migrations import Migrations
from streamq.store.pieces import Piece

AT_ONCE: Final = 8
"""Keys that are copied or compared at once."""
ROUNDS: Final = 5
"""How often what differs is copied again: a key may expire between two looks at it."""

Told = Callable[[int], None]
"""Is told how many elements more have been copied or compared."""


class Copying:
    """The copy of one queue. ``token`` is that of the process that moves it."""

    def __init__(self, source: Migrations, target: Migrations, queue: str, token: str, told: Told) -> None:
        self._source, self._target, self._queue, self._token, self._told = source, target, queue, token, told

    async def run(self) -> int:
        """Copy until both sides are equal. Returns how many keys that are. Raises ``MoveRefused``."""
        differing: Collection[str] = await self._ends()
        for round_ in range(ROUNDS):
            if round_:
                await self._target.remove(self._queue, differing)
            await self._each(differing, self._copy)
            if not (differing := await self._differing()):
                return len(await self._source.ends(self._queue))
        raise MoveRefused(
            self._queue, f"these keys differ after {ROUNDS} copies: {', '.join(sorted(differing)[:5])}"
        )

    async def size(self) -> int:
        """How many elements there are to copy."""
        sizes: list[int] = []

        async def add(end: str) -> None:
            sizes.append((await self._source.key(self._queue, end)).size)

        await self._each(await self._source.ends(self._queue), add)
        return sum(sizes)

    async def _ends(self) -> set[str]:
        """All keys that are on either side."""
        return await self._source.ends(self._queue) | await self._target.ends(self._queue)

    async def _differing(self) -> list[str]:
        found: list[str] = []

        async def compare(end: str) -> None:
            here, there = await asyncio.gather(
                self._source.digest(self._queue, end), self._target.digest(self._queue, end)
            )
            if here != there:
                found.append(end)

        await self._each(await self._ends(), compare)
        return found

    async def _copy(self, end: str) -> None:
        """One key, from where an earlier process has left it."""
        kind, _, life = await self._source.key(self._queue, end)
        if kind == "none":
            await self._target.remove(self._queue, [end])
            return
        at = await self._target.ended_at(self._queue, end, kind)
        async with contextlib.aclosing(_ahead(self._source.read(self._queue, end, kind, at))) as read:
            async for piece in read:
                await self._target.land(self._queue, self._token, end, kind, life, piece)
                self._told(piece.elements)
        if kind == "stream":
            remembered = await self._source.remembered(self._queue, end)
            await self._target.land(self._queue, self._token, end, "group", life, remembered)

    @staticmethod
    async def _each(ends: Collection[str], act: Callable[[str], object]) -> None:
        """Do something to each key, some of them at once. The first error ends all."""
        waiting = iter(sorted(ends))

        async def work() -> None:
            for end in waiting:
                await act(end)  # type: ignore[misc]  # each is a coroutine function

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(work())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors


async def _ahead(read: AsyncIterator[Piece]) -> AsyncGenerator[Piece]:
    """The same, each read while the one before it is written."""
    following = asyncio.ensure_future(anext(read, None))
    try:
        while (piece := await following) is not None:
            following = asyncio.ensure_future(anext(read, None))
            yield piece
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
