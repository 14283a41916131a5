"""What leaves together: the orders of callers, the batches they make, and the bounds of a flight."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from streamq.model.envelope import New
from streamq.model.headers import parse_headers
from streamq.store.producers import Answer, Batch, Flight

BATCH: Final = 500
"""Jobs to a flight at most, and so to a script call: a call of about 2 ms."""
BATCH_MEETING: Final = 125
"""The same of jobs that may replace or follow others, which costs the server four times as much."""
BATCH_BYTES: Final = 1 << 20
"""Bytes of names, payloads and headers to a flight at most; one job that has more flies alone."""


Kind = tuple[str, bool, bool]
"""The queue of an order, whether its jobs are delayed (a fault of `delayed` stops no others), and whether they are
plain, which is for another script."""


class Order:
    """The jobs of one call. Its caller waits for ``ids``, unless it carries them itself."""

    __slots__ = ("ids", "jobs", "kind", "size")

    def __init__(self, kind: Kind, jobs: Sequence[New], size: int) -> None:
        self.kind = kind
        self.jobs, self.size = jobs, size
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
