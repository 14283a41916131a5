"""What leaves together: the orders of callers, the batches they make, and the bounds of a flight."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from streamq.errors import NotDurable, OutcomeUnknown, OutOfMemory, StreamqError, UsageError
from streamq.model.envelope import New
from streamq.model.headers import parse_headers
from streamq.redis.answers import concerns_all
from streamq.settings import Durability
from streamq.store.batch import Answer, Batch, Placed
from streamq.store.producers import Flight

BATCH: Final = 500
"""Jobs to a flight at most, and so to a script call: a call of about 2 ms."""
BATCH_MEETING: Final = 125
"""The same of jobs that may replace or follow others, which costs the server four times as much."""
BATCH_BYTES: Final = 1 << 20
"""Bytes of names, payloads and headers to a flight at most; one job that has more flies alone."""


Kind = tuple[str, bool, bool, Placed | None]
"""The queue of an order, whether its jobs are delayed (a fault of `delayed` stops no others), whether they are plain,
which is for another script, and what its caller knew as it placed them; ``None`` where it did not."""


class Order:
    """The jobs of one call. Its caller waits for ``ids``, unless it carries them itself.

    Where it is placed its caller knows the partitions of the queue, and finds another place when it is refused.
    """

    __slots__ = ("ids", "jobs", "kind", "size")

    def __init__(self, kind: Kind, jobs: Sequence[New], size: int) -> None:
        self.kind, self.jobs, self.size = kind, jobs, size
        self.ids: asyncio.Future[list[str]] | None = None

    def later(self) -> asyncio.Future[list[str]]:
        """The ids, or why there are none."""
        self.ids = asyncio.get_running_loop().create_future()
        return self.ids

    def end(self, answer: Answer) -> None:
        """Answer the caller, unless it has gone."""
        if self.ids is None or self.ids.done():
            return
        if isinstance(answer, list):
            self.ids.set_result(answer)
        else:
            self.ids.set_exception(answer)


class Load(NamedTuple):
    """The orders of a flight that make one batch, and the moment it was made."""

    batch: Batch
    orders: Sequence[Order]
    since: float

    def fitting(self, room: int, group: str = "") -> list[Order]:
        """Of several orders that are too many together, those for which there was room in their queue, in order; or in
        the ``group`` that is full."""
        found: list[Order] = []
        for order in self.orders:
            room -= (
                count := sum(
                    not group or parse_headers(job.headers).get("group") == group for job in order.jobs
                )
            )
            if room >= 0:
                found.append(order)
            else:
                room += count
        return found if len(found) < len(self.orders) else []


class Departure:
    """What leaves together."""

    __slots__ = ("answers", "batches", "flight", "loads", "orders", "slot")

    def __init__(self, orders: Sequence[Order], loads: Sequence[Load], slot: int) -> None:
        self.orders, self.loads = orders, loads
        self.batches = [load.batch for load in loads]
        self.slot = slot
        """Which of its two producers numbers it: two batches under way are remembered by the server under two names."""
        self.flight: Flight | None = None
        """Sent, and not answered yet; ``None`` when it must wait for its turn to connect."""
        self.answers: list[Answer] | None = None

    def unsent(self, answers: Sequence[Answer]) -> list[Order]:
        """Those of which one cannot be written, so that nothing was sent to their server: each is to fly alone. None
        where it is one alone."""
        loads = [
            load for load, answer in zip(self.loads, answers, strict=True) if isinstance(answer, UsageError)
        ]
        orders = [order for load in loads for order in load.orders]
        return orders if len(orders) > 1 else []


def slices(jobs: Iterable[New]) -> Iterator[list[New]]:
    part: list[New] = []
    size, most = 0, BATCH
    for job in jobs:
        own = len(job[0]) + len(job[1]) + len(job[2])  # task, payload, headers: once a job, so without a call
        size += own
        if part and (len(part) >= most or size > BATCH_BYTES):
            yield part
            part, size = [], own
        if not part:
            most = BATCH_MEETING if job.demand is not None and job.demand.may_replace else BATCH
        part.append(job)
    if part:
        yield part


Again = Callable[[str, Sequence[New], Durability], Awaitable[list[str]]]
"""Sends jobs that were refused as their queue has partitions, to where they belong."""


class Resent:
    """Orders of callers that did not know of the partitions of their queue, on their way to these."""

    def __init__(self, again: Again | None, durability: Durability) -> None:
        self._again, self._durability = again, durability
        self._going: set[asyncio.Task[None]] = set()

    def take(self, order: Order, refused: StreamqError) -> None:
        """Send it again, unless its caller knew, and does so itself."""
        if order.kind[3] is not None or self._again is None:
            order.end(copied(refused))
            return
        going = asyncio.create_task(self._send(self._again, order), name="outbox")
        self._going.add(going)
        going.add_done_callback(self._going.discard)

    async def _send(self, again: Again, order: Order) -> None:
        try:
            order.end(await again(order.kind[0], order.jobs, self._durability))
        except StreamqError as error:
            order.end(error)
        except BaseException:
            order.end(OutcomeUnknown("the event loop ended while the jobs were sent: they may be enqueued"))
            raise

    async def close(self) -> None:
        """Wait for all of them."""
        if self._going:
            await asyncio.wait(self._going)


# -- what became of them -------------------------------------------------------------------------------------------


def is_silence(answer: Answer) -> bool:
    """Whether nobody knows what became of a batch."""
    return isinstance(answer, OutcomeUnknown) and not isinstance(answer, NotDurable)


def is_away(answer: Answer) -> bool:
    """Whether the server is, or takes nothing from anybody."""
    return concerns_all(answer) and not isinstance(answer, OutOfMemory)


def as_unknown(answer: Answer) -> list[str] | OutcomeUnknown:
    """An answer to what was sent before and may have run: a refusal says nothing of the first time."""
    if isinstance(answer, list | OutcomeUnknown):
        return answer
    unknown = OutcomeUnknown(f"the jobs may be enqueued already; asking again was refused: {answer}")
    unknown.__cause__ = answer
    return unknown


def copied(error: StreamqError) -> StreamqError:
    """An error for one caller: each raises one of its own."""
    own = type(error).__new__(type(error), *error.args)  # without ``__init__``, whose arguments are not kept
    own.__dict__.update(error.__dict__)
    own.__cause__ = error
    return own
