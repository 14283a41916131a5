"""The app that is measured: tasks that do nothing but say that they ran, and some that do as their payload says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, Literal

from pydantic import BaseModel

from streamq import App, Context, Fail, Retry

QUEUE = "bench"
RETRY: Final = 0.2
"""Seconds from a failed first attempt to the second."""
LONG: Final = 120.0
"""Seconds that a job holds its slot: longer than any measurement."""
Report = Callable[[dict[str, Any]], None]


class Message(BaseModel):
    """A payload of about 100 bytes: what a text message's job carries."""

    to: str
    text: str
    contact: str
    workspace: int


def message(number: int) -> Message:
    """One of many."""
    return Message(
        to=f"+4915{number:09d}", text="Your table is booked.", contact=f"c-{number:06d}", workspace=66338
    )


def messages(jobs: int, first: int = 0) -> list[Any]:
    """So many as plain payloads."""
    return [message(number).model_dump() for number in range(first, first + jobs)]


class Errand(BaseModel):
    """How a job goes: through, through a failed first attempt, or to the failed ones."""

    number: int
    fate: Literal["complete", "retry", "fail"]


class Counter:
    """What has run in this process: how many jobs, from when to when, and when each numbered one began.

    It reports by itself once, when the ``expected``-th job has run, and whenever it is asked.
    """

    def __init__(self, expected: int = 0, report: Report = lambda _: None) -> None:
        self._expected, self._report = expected, report
        self._ran = self._first = self._last = self._cpu = 0
        self._starts: dict[int, int] = {}

    def begin(self) -> None:
        """A job starts that will be counted at its end."""
        if not self._first:
            self._first, self._cpu = time.monotonic_ns(), time.process_time_ns()

    def count(self) -> None:
        """A job has run."""
        if not self._first:
            self.begin()
        self._ran += 1
        self._last = time.monotonic_ns()
        if self._ran == self._expected:
            span, cpu = self._last - self._first, time.process_time_ns() - self._cpu
            self._report({"jobs": self._ran, "seconds": span / 1e9, "cpu": cpu / 1e9})

    def arrive(self, number: int) -> None:
        """The job of that number has begun, and is all done. It is told later: a report now would cost time."""
        self._starts.setdefault(number, time.monotonic_ns())
        self.count()

    def tell(self) -> None:
        """Report how many have run, and the starts since the last time."""
        starts, self._starts = self._starts, {}
        self._report({"ran": self._ran, "first": self._first, "last": self._last, "starts": len(starts)})
        for number, at in starts.items():
            self._report({"number": number, "at": at})


def declare(app: App, report: Report = lambda _: None, *, counter: Counter | None = None) -> App:
    """Put the tasks on an app. A producer needs them for their payloads, a worker runs them."""
    _declare_counted(app, counter or Counter())

    @app.task(queue=QUEUE)
    async def stamp(number: int) -> None:
        report({"number": number, "at": time.monotonic_ns()})

    @app.task(queue=QUEUE)
    async def dwell(payload: Any) -> None:
        # Its name is as long as that of `count`: an entry has it, and so they take the same.
        report({"number": payload, "at": time.monotonic_ns()})
        await asyncio.sleep(LONG)

    @app.task(queue=QUEUE)
    async def heed(number: int) -> None:
        """Say when it begins, and when it is told to end."""
        report({"number": number, "at": time.monotonic_ns()})
        try:
            await asyncio.sleep(LONG)
        finally:
            report({"number": number, "at": time.monotonic_ns()})

    @app.task(queue=QUEUE)
    async def chatter(payload: dict[str, Any], ctx: Context) -> None:
        """Report ``each`` times a second, for ``seconds``, with the time of each line as its text."""
        begun, calls = time.monotonic(), int(payload["each"] * payload["seconds"])
        for number in range(calls):
            await ctx.progress(number / calls, "as it was told to")
            ctx.log(str(time.monotonic_ns()))
            await asyncio.sleep(begun + (number + 1) / payload["each"] - time.monotonic())

    @app.task(queue=QUEUE)
    async def run(errand: Errand, ctx: Context) -> None:
        report({"number": errand.number, "at": time.monotonic_ns()})
        if errand.fate == "fail":
            raise Fail("as it was told to")
        if errand.fate == "retry" and ctx.attempt == 1:
            raise Retry("as it was told to", after=RETRY)

    return app


def _declare_counted(app: App, counter: Counter) -> None:
    @app.task(queue=QUEUE)
    async def book(message: Message) -> None:  # noqa: ARG001  # the payload is the point
        counter.count()

    @app.task(queue=QUEUE)
    async def count(payload: Any) -> None:  # noqa: ARG001  # the same
        counter.count()

    @app.task(queue=QUEUE)
    async def arrive(payload: Any) -> None:
        counter.arrive(payload["number"])

    @app.task(queue=QUEUE)
    async def act(payload: dict[str, Any]) -> None:
        """Await ``ms``."""
        counter.begin()
        await asyncio.sleep(payload["ms"] / 1000)
        counter.count()

    @app.task(queue=QUEUE)
    async def compute(microseconds: int) -> None:
        end = time.process_time_ns() + microseconds * 1000
        while time.process_time_ns() < end:
            pass
        counter.count()
