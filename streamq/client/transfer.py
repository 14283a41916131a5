"""Many jobs on their way in slices: where it stopped, and how it goes on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Final, Never

from streamq.errors import OutcomeUnknown, QueueFull, StreamqError
from streamq.model.counted import counted
from streamq.model.envelope import New
from streamq.tickets import Ticket

AHEAD: Final = 2
"""Slices under way at once: the next is made and written while the server works at the first."""

Send = Callable[[], Awaitable[list[str]]]


class _Slice:
    """Some of the jobs: how they are sent, or sent again, and their sending while it is under way."""

    __slots__ = ("send", "sending")

    def __init__(self, send: Send) -> None:
        self.send = send
        self.sending: asyncio.Future[list[str]] | None = None

    def begin(self) -> None:
        if self.sending is None:
            self.sending = asyncio.ensure_future(self.send())
            self.sending.add_done_callback(_heard)

    async def ids(self) -> list[str]:
        """Its ids; after an error it can begin again. Cancelled, it is still under way."""
        assert self.sending is not None  # noqa: S101  # it has begun
        try:
            return await asyncio.shield(self.sending)
        except StreamqError as error:
            self.sending = None
            if isinstance(error, OutcomeUnknown) and error.ticket is not None:
                self.send = error.ticket.send
            raise


class Transfer:
    """Sends slices in order, two at a time. ``run`` goes on where it stopped, whoever calls it and however often.

    ``arranged`` puts the ids of all slices into the order of the jobs, where that is another.

    That is what ``repeat()`` of its errors does: a slice is sent again only when it is known that it was not taken,
    and repeated under its number else.
    """

    def __init__(
        self, put: Callable[[list[New]], Awaitable[list[str]]], slices: Iterator[list[New]],
        arranged: Callable[[list[str]], list[str]] = list,
    ) -> None:  # fmt: skip
        self._put, self._slices, self._arranged = put, slices, arranged
        self._ids: list[str] = []
        self._ahead: deque[_Slice] = deque()
        """The slices after those whose ids are known."""
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> list[str]:
        """The ids of all jobs, once all are sent.

        Raises what stopped it: when some jobs are enqueued or may be, an ``OutcomeUnknown`` that repeats this, or the
        ``QueueFull`` that says how many.
        """
        async with self._one_at_a_time:
            while self._begun():
                try:
                    self._ids += await self._ahead[0].ids()
                except StreamqError as error:
                    await self._stop(error)
                self._ahead.popleft()
            return self._arranged(self._ids)

    def _begun(self) -> bool:
        """Whether any slice is under way, after all that may be were begun."""
        while len(self._ahead) < AHEAD and (part := next(self._slices, None)) is not None:
            self._ahead.append(_Slice(partial(self._put, part)))
        for each in self._ahead:
            each.begin()
        return bool(self._ahead)

    async def _stop(self, error: StreamqError) -> Never:
        """Raise the ``error`` of the first slice, or what it comes to with that which was under way behind it."""
        enqueued, unknown = len(self._ids), error if isinstance(error, OutcomeUnknown) else None
        for behind in list(self._ahead)[1:]:
            try:
                enqueued += len(await behind.ids())
            except OutcomeUnknown as more:
                unknown = unknown or more
            except StreamqError:
                pass  # it was not taken either
        if unknown is None and not enqueued:
            raise error
        if unknown is None and isinstance(error, QueueFull):
            raise error.after(enqueued, Ticket(self.run))
        unknown = unknown or OutcomeUnknown(
            f"{counted(enqueued, 'job is', 'jobs are')} enqueued, the others are not: {error}"
        )
        raise unknown.carrying(Ticket(self.run)) from (None if unknown is error else error)


def _heard(sending: asyncio.Future[list[str]]) -> None:
    """A caller that was cancelled asks for nothing more: its error is none that asyncio should report."""
    if not sending.cancelled():
        sending.exception()
