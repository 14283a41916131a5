"""The app that is measured: tasks that do nothing but say that they ran."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from streamq import App

QUEUE = "bench"
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


class Counter:
    """Reports once, when the ``expected``-th job runs: the span from the first to the last, and its CPU time."""

    def __init__(self, expected: int, report: Report) -> None:
        self._left, self._expected, self._report = expected, expected, report
        self._first = self._cpu = 0

    def count(self) -> None:
        """A job runs."""
        if self._left == self._expected:
            self._first, self._cpu = time.monotonic_ns(), time.process_time_ns()
        self._left -= 1
        if self._left == 0:
            span, cpu = time.monotonic_ns() - self._first, time.process_time_ns() - self._cpu
            self._report({"jobs": self._expected, "seconds": span / 1e9, "cpu": cpu / 1e9})


def declare(app: App, report: Report = lambda _: None, *, expected: int = 0) -> App:
    """Put the tasks on an app. A producer needs them for their payloads, a worker runs them."""
    counter = Counter(expected, report)

    @app.task(queue=QUEUE)
    async def book(message: Message) -> None:  # noqa: ARG001  # the payload is the point
        counter.count()

    @app.task(queue=QUEUE)
    async def count(payload: Any) -> None:  # noqa: ARG001  # the same
        counter.count()

    @app.task(queue=QUEUE)
    async def act(payload: dict[str, Any]) -> None:
        """Await ``ms``, then raise if ``fail`` is there."""
        counter.count()
        await asyncio.sleep(payload["ms"] / 1000)
        if "fail" in payload:
            raise RuntimeError("the provider answered 500")

    @app.task(queue=QUEUE)
    async def stamp(number: int) -> None:
        report({"number": number, "at": time.monotonic_ns()})

    @app.task(queue=QUEUE)
    async def hold(number: int) -> None:
        report({"number": number, "at": time.monotonic_ns()})
        await asyncio.sleep(120)

    return app
