"""A flood of tasks in the statistics, each of another name: keys, bytes and answers are bounded, and sums are right."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
import redis

from streamq import App
from streamq.model.clock import ServerClock
from streamq.model.keys import Keys
from streamq.model.statistics import HOUR, MINUTE, TASKS, Sums
from streamq.statistics import NAMED

from .conftest import FLOOD, ON_SERVERS
from .looks import bytes_of, bytes_sent, figure, letters

AT_ONCE = 100
"""Tasks in a call: twelve times as many as a worker sends."""
MINUTES = 1_380
"""Into so many minutes they come, 23 hours: each has others."""
BUCKETS = 60
"""Of each task, as many as a minute has room for in the bytes that are said of it."""
MINUTE_BYTES = 50_000
"""Bytes of a minute or an hour at most, with names of 200 characters, and with what they cost the server."""
HOUR_MS = HOUR * 1000


def sums(number: int) -> Sums:
    """What one job came to, and how long many others waited and ran."""
    spread = {f"{'rw'[bucket % 2]}{bucket // 2 + number % 30}": 12_345 for bucket in range(BUCKETS)}
    return Counter({**spread, "completed": 1})


@ON_SERVERS
async def test_a_flood_of_tasks_all_day_long_is_bounded_in_keys_bytes_and_answers_and_counted_once(
    app: App, client: redis.Redis, prefix: str, monkeypatch: pytest.MonkeyPatch, record_property: Any
) -> None:
    store, at = app.client.store, [0]
    now = await store.statistics.now() // HOUR * HOUR_MS
    monkeypatch.setattr(ServerClock, "now", lambda _: at[0])
    calls = FLOOD // AT_ONCE
    began, most = time.monotonic(), 0.0
    async with store.pool.links() as links:
        for call in range(calls):
            at[0] = now - (call * MINUTES // calls + 1) * MINUTE * 1000
            some = range(call * AT_ONCE, (call + 1) * AT_ONCE)
            tasks = {"steady": sums(1)} | {f"{letters(number):x>200}": sums(number) for number in some}
            sent = {"q": (call // 3 + 1, tasks)}
            for _ in range(1 + (call % 5 == 0)):  # the answer of some was lost
                before = time.monotonic()
                await store.statistics.add(links, f"worker{call % 3}", sent)
                most = max(most, time.monotonic() - before)
    figure(record_property, "tasks a second", FLOOD / (time.monotonic() - began))
    figure(record_property, f"ms of the longest call of {AT_ONCE} tasks", most * 1000)
    monkeypatch.undo()
    bounded(client, prefix, calls, record_property)

    for since, step in (("24h", "5m"), ("24h", "1h"), ("80d", "1d")):
        before, begins = bytes_sent(client), time.monotonic()
        said = await app.queue("q").statistics(since, step=step)
        figure(record_property, f"ms to read {since} by {step}", (time.monotonic() - begins) * 1000)
        assert bytes_sent(client) - before < (MINUTES + 50) * MINUTE_BYTES
        assert len(said.tasks) <= NAMED + 1
        assert said.total.completed == FLOOD + calls
        assert said.tasks["steady"].completed == calls
        assert sum(figures.completed for figures in said.tasks.values()) == FLOOD + calls
        assert sum(point.figures.completed for point in said.points) == FLOOD + calls
        assert len(app_json(said)) < 1_000_000


def app_json(said: Any) -> str:
    """The answer, as large as it is sent."""
    return repr(said.asdict())


def bounded(client: redis.Redis, prefix: str, calls: int, record_property: Any) -> None:
    """Look at the keys."""
    keys = Keys(prefix, "q")
    kept = list(client.scan_iter(f"{keys.minutes}*", count=1_000))
    hours = list(client.scan_iter(f"{keys.hours}*", count=1_000))
    assert len(kept) == min(calls, MINUTES)
    assert len(hours) <= MINUTES // 60 + 1
    assert len(list(client.scan_iter(f"{keys.counted}*", count=1_000))) == 3, "one for each worker"
    sizes = [bytes_of(client, key) for key in kept + hours]
    figure(record_property, "KB of the largest minute or hour", max(sizes) / 1000)
    figure(record_property, "MB of the statistics of the day", sum(sizes) / 1_000_000)
    assert max(sizes) < MINUTE_BYTES
    assert all(client.hlen(key) <= TASKS + 2 for key in kept + hours)
    assert all(0 < client.ttl(key) <= 91 * 86_400 for key in kept + hours)
