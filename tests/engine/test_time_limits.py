"""One timer for all attempts with the same time limit."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streamq import App
from streamq.model.clock import monotonic
from streamq.model.envelope import Delivery
from streamq.worker import time_limits
from streamq.worker.attempt import Attempt
from streamq.worker.time_limits import TimeLimits

LIMIT = 0.1


def _attempt(app: App, limit: float = LIMIT) -> Attempt:
    """One whose handler waits, and that ends its time at ``limit``."""
    headers = b'{"timeout":%f}' % limit
    fields = [b"task", b"work", b"payload", b"1", b"headers", headers]
    attempt = Attempt(Delivery("q", 1, [b"1-1", fields]), app.tasks["work"], "w")
    attempt.begun = monotonic()
    attempt.handle = asyncio.create_task(asyncio.sleep(60))
    return attempt


@pytest.fixture
def offline() -> App:
    app = App(redis_url="unix:///nonexistent/s")
    app.task(name="work", queue="q")(lambda x: x)
    return app


async def test_each_is_cancelled_at_its_own_time_and_one_that_has_ended_is_forgotten(offline: App) -> None:
    limits, ended = TimeLimits(asyncio.get_running_loop(), lambda _: None), dict[int, float]()
    attempts = list[Attempt]()
    for number in range(3):
        attempt = _attempt(offline, 5 * LIMIT)
        limits.watch(attempt)
        handle: Any = attempt.handle
        handle.add_done_callback(lambda _, n=number: ended.setdefault(n, monotonic()))
        attempts.append(attempt)
        await asyncio.sleep(0.02)
    first, second, third = attempts
    assert first.line is second.line is third.line
    assert first.timer is second.timer is third.timer is None
    assert second.line is not None
    del second.line[second]  # as its end does
    await asyncio.wait([first.handle, third.handle], timeout=5)  # type: ignore[type-var]
    for number in (0, 2):
        assert 5 * LIMIT - time_limits.EARLY <= ended[number] - attempts[number].begun < 2.0
    assert 1 not in ended
    second.handle.cancel()  # type: ignore[union-attr]
    for each in attempts:
        if each.timer is not None:
            each.timer.cancel()


async def test_where_each_job_brings_its_own_limit_the_lines_do_not_grow_without_bound(
    offline: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_limits, "LIMITS", 2)
    limits = TimeLimits(asyncio.get_running_loop(), lambda _: None)
    attempts = [_attempt(offline, LIMIT + number / 1000) for number in range(5)]
    for attempt in attempts:
        limits.watch(attempt)
    assert [attempt.line is None for attempt in attempts] == [False, False, True, True, True]
    await asyncio.wait([attempt.handle for attempt in attempts], timeout=5)  # type: ignore[type-var]
    assert all(attempt.late for attempt in attempts)
    for attempt in attempts:
        assert attempt.timer is not None
        attempt.timer.cancel()


async def test_a_limit_counts_from_the_beginning_in_a_thread(offline: App) -> None:
    """All threads may be taken by handlers that cannot be ended."""
    overdue = list[tuple[Attempt, float]]()
    limits = TimeLimits(asyncio.get_running_loop(), lambda attempt: overdue.append((attempt, monotonic())))
    attempt = _attempt(offline)
    assert attempt.handle is not None
    attempt.handle.cancel()
    attempt.handle, attempt.begun = None, 0.0
    limits.watch(attempt)
    await asyncio.sleep(LIMIT / 2)
    attempt.begun = monotonic()
    await asyncio.sleep(2 * LIMIT)
    assert [at - attempt.begun >= LIMIT - time_limits.EARLY for _, at in overdue] == [True]
