"""What an error of an enqueue carries, so that the same jobs can be sent again and none is added twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

T = TypeVar("T")


class Ticket:
    """Sends a batch again, and makes of its ids what the caller of enqueue would have got."""

    def __init__(self, send: Callable[[], Awaitable[list[str]]]) -> None:
        self.send = send
        self.handles: Callable[[list[str]], Any] = lambda ids: ids
        self.run: Callable[[Callable[[], Awaitable[Any]]], Any] = lambda act: act()
        """How the caller awaits: for a thread without an event loop, in the loop of ``app.sync``."""

    def repeat(self) -> Any:
        """Send it again. Raises another error with this ticket when that comes to nothing."""
        return self.run(self._again)

    async def _again(self) -> Any:
        return await handed(self.send(), self.handles)


class Repeatable(Exception):
    """An error with a ticket, if it is of an enqueue."""

    ticket: Ticket | None = None

    @property
    def repeat(self) -> Callable[[], Any] | None:
        """A function that sends what was not added; ``None`` when there is no such thing."""
        return None if self.ticket is None else self.ticket.repeat

    def carrying(self, ticket: Ticket) -> Self:
        """This error with the ticket of its batch."""
        self.ticket = ticket
        return self


async def handed(send: Awaitable[list[str]], handles: Callable[[list[str]], T]) -> T:
    """What ``handles`` makes of the ids that ``send`` returns, now or when it is repeated."""
    try:
        return handles(await send)
    except Repeatable as error:
        if error.ticket is not None:
            error.ticket.handles = handles
        raise
