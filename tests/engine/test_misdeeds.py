"""Handlers that misbehave: whatever they do, an outcome is written, and the worker goes on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from streamq import App, Backoff, JobFailed, Retry

from ..rig import working

AT_ONCE = Backoff(base=0.001, most=0.001)


class Rude(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


def _raise(error: BaseException) -> None:
    raise error


def _for_ever(depth: int) -> int:
    return _for_ever(depth + 1) + 1


MISDEEDS: dict[str, tuple[Callable[[], Any], str]] = {
    "lets a cancellation of its own out": (lambda: _raise(asyncio.CancelledError()), "CancelledError"),
    "calls sys.exit": (lambda: sys.exit(3), "SystemExit"),
    "raises what cannot be printed": (lambda: _raise(Rude()), "Rude"),
    "raises text that is not Unicode": (lambda: _raise(ValueError("\udcff")), "ValueError"),
    "raises a very long text": (lambda: _raise(ValueError("x" * 1_000_000)), "ValueError"),
    "raises a group": (lambda: _raise(ExceptionGroup("g", [ValueError(1), OSError(2)])), "ExceptionGroup"),
    "recurses without end": (lambda: _for_ever(0), "RecursionError"),
    "asks for an impossible delay": (lambda: _raise(Retry(after=float("nan"))), "ValueError"),
    "returns what has no JSON form": (object, "ResultNotStorable"),
    "returns text that is not Unicode": (lambda: "\udcff", "ResultNotStorable"),
    "returns bytes": (lambda: b"\xff", "ResultNotStorable"),
}


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_a_handler_that_misbehaves_fails_its_own_job_and_no_other(app: App, kind: str) -> None:
    async def run_async(misdeed: str) -> Any:
        return MISDEEDS[misdeed][0]()

    def run_plain(misdeed: str) -> Any:
        return MISDEEDS[misdeed][0]()

    bad = app.task(name="bad", attempts=1)(run_async if kind == "async" else run_plain)

    @app.task
    async def good(x: int) -> int:
        return x

    async with working(app, concurrency=2):
        jobs, fine = await bad.enqueue_many(MISDEEDS), await good.enqueue(5)
        ended = await asyncio.gather(*[job.result(10) for job in jobs], return_exceptions=True)
        assert await fine.result(5) == 5
    said = [getattr(error, "error_type", error) for error in ended]
    assert dict(zip(MISDEEDS, said, strict=True)) == {name: type_ for name, (_, type_) in MISDEEDS.items()}
    for job in jobs:
        error = (await job.status()).asdict()["error"]
        assert len(error["message"]) <= 2_000
        assert len(error["traceback"]) <= 4_000


async def test_a_result_that_cannot_be_stored_is_not_worked_for_again(app: App) -> None:
    ran: list[int] = []

    @app.task(attempts=5, backoff=AT_ONCE)
    async def work(x: int) -> object:
        ran.append(x)
        return object

    async with working(app):
        with pytest.raises(JobFailed, match="JSON"):
            await (await work.enqueue(1)).result(5)
    assert ran == [1]
