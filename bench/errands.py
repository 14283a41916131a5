"""Tasks that do as their payload says: wait, compute, hold a slot, fail. Those of ``tasks`` do nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, Literal

from pydantic import BaseModel

from streamq import App, Context, Fail, Retry

RETRY: Final = 0.2
"""Seconds from a failed first attempt to the second."""


class Errand(BaseModel):
    """How a job goes: through, through a failed first attempt, or to the failed ones."""

    number: int
    fate: Literal["complete", "retry", "fail"]


def declare_errands(
    app: App, queue: str, report: Callable[[dict[str, Any]], None], count: Callable[[], None]
) -> None:
    """Put them on an app, all on ``queue``."""

    @app.task(queue=queue)
    async def dwell(payload: Any) -> None:  # noqa: ARG001  # the payload is the point
        # Its name is as long as that of `count`: an entry has it, and so they take the same.
        await asyncio.sleep(120)

    @app.task(queue=queue)
    async def wait(milliseconds: int) -> None:
        await asyncio.sleep(milliseconds / 1000)
        count()

    @app.task(queue=queue)
    async def compute(microseconds: int) -> None:
        end = time.process_time_ns() + microseconds * 1000
        while time.process_time_ns() < end:
            pass
        count()

    @app.task(queue=queue)
    async def run(errand: Errand, ctx: Context) -> None:
        report({"number": errand.number, "at": time.monotonic_ns()})
        if errand.fate == "fail":
            raise Fail("as it was told to")
        if errand.fate == "retry" and ctx.attempt == 1:
            raise Retry("as it was told to", after=RETRY)
