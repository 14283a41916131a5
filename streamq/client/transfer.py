"""Many jobs on their way in slices: where it stopped, and how it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from streamq.errors import OutcomeUnknown, StreamqError, Ticket
from streamq.model.envelope import New

Repeat = Callable[[], Awaitable[list[str]]]


class Transfer:
    """Sends slices one after the other. ``run`` goes on where it stopped, whoever calls it and however often.

    That is what ``repeat()`` of its errors does: a slice is sent anew only when it is known that it was not taken,
    and repeated under its number else.
    """

    def __init__(self, put: Callable[[list[New]], Awaitable[list[str]]], slices: Iterator[list[New]]) -> None:
        self._put, self._slices = put, slices
        self._ids: list[str] = []
        self._next: Repeat | None = None
        self._sending: asyncio.Future[list[str]] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> list[str]:
        """The ids of all jobs, once all are sent.

        Raises what stopped it: when some jobs are enqueued or may be, an ``OutcomeUnknown`` that repeats this.
        """
        async with self._one_at_a_time:
            while (sending := self._begun()) is not None:
                try:
                    self._ids += await asyncio.shield(sending)  # cancelled, it is still under way
                except OutcomeUnknown as error:
                    self._sending = None
                    if error.ticket is not None:
                        self._next = error.ticket.send
                    error.ticket = Ticket(self.run)
                    raise
                except StreamqError as error:
                    self._sending = None
                    if not self._ids:
                        raise
                    unknown = OutcomeUnknown(
                        f"{len(self._ids)} jobs are enqueued, the others are not: {error}"
                    )
                    raise unknown.carrying(Ticket(self.run)) from error
                self._next = self._sending = None
            return list(self._ids)

    def _begun(self) -> asyncio.Future[list[str]] | None:
        """The slice under way, or the next one; ``None`` when there is none."""
        if self._sending is None:
            if self._next is None:
                part = next(self._slices, None)
                if part is None:
                    return None
                self._next = partial(self._put, part)
            self._sending = asyncio.ensure_future(self._next())
            self._sending.add_done_callback(_heard)
        return self._sending


def _heard(sending: asyncio.Future[list[str]]) -> None:
    """A caller that was cancelled asks for nothing more: its error is none that asyncio should report."""
    if not sending.cancelled():
        sending.exception()
