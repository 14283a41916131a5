"""Unique keys that are taken until their jobs start, and those whose jobs are gone."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

from streamq.redis import scripts
from streamq.store.access import Access

BEGUN_AT_ONCE: Final = 1_000
"""Jobs that one call of begin.lua takes: Lua's ``unpack`` can pass on some thousands of arguments."""
COMPARED: Final = 100
"""Keys or parked jobs that one call looks at, of which some may be large: a millisecond or two of the server's time."""


class Comparison(NamedTuple):
    """What is wrong with unique keys and held jobs."""

    keys: list[tuple[str, str, str]]
    """What is wrong (``gone``, ``lost``, ``endless`` or ``unreadable``: see ``lua/compare_keys.lua``), key and id."""
    held: list[str]
    """Ids of jobs that nothing holds, and nothing would let go."""


class UniqueKeys:
    """Commands: jobs that start give their keys up, and what is wrong with keys is mended. (At a job's end the script
    that ends it gives its key up.)"""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._waiting: dict[str, list[tuple[str, str, asyncio.Future[None]]]] = {}
        self._sending: asyncio.Task[None] | None = None

    async def begin(self, queue: str, key: str, job_id: str) -> None:
        """The job starts: its key is free. Those that start while a call is on its way leave together in the next.

        Raises ``Unavailable``.
        """
        begun = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(queue, []).append((key, job_id, begun))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send(), name="unique-keys")
        await begun

    async def compare(self, queue: str, *, mend: bool) -> Comparison:
        """Compare the unique keys, and the jobs that are held, with the jobs there are; ``mend`` what is wrong."""
        keys, wrong, held = self._access.keys(queue), list[tuple[str, str, str]](), list[str]()
        async with self._access.pool.links() as links:
            link, cursor = links.of(queue), b""
            while cursor != b"0":
                cursor, *said = await scripts.COMPARE_KEYS.run(link, keys, cursor or 0, COMPARED, int(mend))
                told = [text.decode("utf-8", "replace") for text in said]
                wrong += zip(told[::3], told[1::3], told[2::3], strict=True)
            cursor = b""
            while cursor != b"0":
                cursor, *said = await scripts.COMPARE_HELD.run(link, keys, cursor or 0, COMPARED, int(mend))
                held += [text.decode("utf-8", "replace") for text in said]
        return Comparison(wrong, sorted(set(held)))

    async def _send(self) -> None:
        try:
            while self._waiting:
                queue = next(iter(self._waiting))
                part, rest = self._waiting[queue][:BEGUN_AT_ONCE], self._waiting.pop(queue)[BEGUN_AT_ONCE:]
                if rest:
                    self._waiting[queue] = rest  # at the end now: the other queues are next
                await self._begin_each(queue, part)
        finally:
            self._sending = None

    async def _begin_each(self, queue: str, part: list[tuple[str, str, asyncio.Future[None]]]) -> None:
        error: Exception | None = None
        try:
            async with self._access.pool.links() as links:
                arguments = [text for key, job_id, _ in part for text in (key, job_id)]
                await scripts.BEGIN.run(links.of(queue), self._access.keys(queue), *arguments)
        except Exception as raised:  # whatever it is, it is told to each who waits
            error = raised
        for _, _, begun in part:
            if begun.done():  # its attempt was cancelled
                continue
            if error is None:
                begun.set_result(None)
            else:
                begun.set_exception(error)
