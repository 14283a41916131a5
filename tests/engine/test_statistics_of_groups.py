"""Statistics by group: exact for a hundred an hour, bounded for any number, and free for jobs without a group."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from streamq import App, Statistics, UsageError
from streamq.model.keys import Keys
from streamq.model.outcomes import COMPLETED
from streamq.model.statistics import GROUPS
from streamq.store.outcomes import Settlement
from streamq.worker.slots import Slots
from streamq.worker.tally import EVERY, GROUPS_EVERY, GroupTally, Tally

from ..commands import Call, run_all
from ..rig import ON_ONE_SERVER, until, working


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamq.worker.tally.GROUPS_EVERY", 1)
    monkeypatch.setattr("streamq.worker.tally.EVERY", 0.05)


async def _told(app: App, ended: int) -> Statistics | None:
    found = await app.queue("q").statistics("5m", by_group=True)
    return found if sum(figures.ended for figures in found.groups.values()) == ended else None


@ON_ONE_SERVER
@pytest.mark.usefixtures("often")
async def test_what_a_tenant_came_to_is_told_with_how_long_its_jobs_waited_and_ran(
    app: App, server_url: str, prefix: str, tmp_path: Path
) -> None:
    @app.task(queue="q", attempts=1)
    async def work(number: int) -> None:
        if number < 0:
            raise ValueError("no")

    await work.enqueue_many(range(30), group="acme")
    await work.enqueue_many([-1, 1], group="bell:contact-1")
    await work.enqueue_many(range(7))
    environment = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}
    async with working(app):
        found = await until(lambda: _told(app, 32))
        assert (found.groups["acme"].completed, list(found.groups)) == (30, ["acme", "bell"])
        assert (found.groups["bell"].completed, found.groups["bell"].failed) == (1, 1)
        assert 0 <= (found.groups["acme"].run.p95 or 0) < 1
        assert found.groups["acme"].wait.p95 is not None, (
            "since their gate has let them through, it may be no time"
        )
        one = await app.queue("q").statistics("5m", group="acme")
        assert (one.group, one.total.completed, one.tasks) == ("acme", 30, {})
        assert sum(point.figures.completed for point in one.points) == 30
        calls = [
            Call(("stats", "q", "--groups")),
            Call(("stats", "q", "--group", "bell", "--json")),
            Call(("stats", "--groups")),
        ]
        shown, said, wrong = await asyncio.to_thread(run_all, tmp_path, calls, **environment)
    assert "acme" in shown.out
    assert json.loads(said.out)["total"]["failed"] == 1
    assert wrong.code == 2


@ON_ONE_SERVER
async def test_what_no_statistics_are_kept_of_is_refused_with_what_are(app: App) -> None:
    queue = app.queue("q")
    for group in ("acme:contact-1", "a b", "", 3):
        with pytest.raises(UsageError, match="by tenant"):
            await queue.statistics("5m", group=group)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="not by both"):
        await queue.statistics("5m", group="acme", task="t")
    assert (await queue.statistics("5m", group="acme")).total.ended == 0


def _ended(*groups: str) -> list[Settlement]:
    return [Settlement(COMPLETED, 1, b"1-0", "1-0", b"c5 5 w\n", "", "", "t", group) for group in groups]


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_of_many_thousand_groups_a_hundred_are_told_apart_and_the_others_added_up(
    app: App, client: redis.Redis, prefix: str
) -> None:
    store = app.client.store
    await store.server.read_clock()
    for worker in ("aa", "bb"):
        tally = Tally(store, worker, Slots(1))
        tally.has_groups = True
        tally.add("q", _ended(*["busy"] * 50, *(f"{worker}{number}" for number in range(5_000))))
        await tally.close()
    found = await app.queue("q").statistics("5m", by_group=True)
    assert found.total.completed == sum(each.completed for each in found.groups.values()) == 10_100
    assert found.groups["busy"].completed == 100, "the busiest come first, whichever worker tells them"
    assert len(found.groups) == GROUPS + 1
    keys = Keys(prefix, "q")
    (minute,) = client.keys(f"{keys.grouped_minutes}*")
    assert client.hlen(minute) == GROUPS + 1
    assert client.memory_usage(minute) < 50_000


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_which_groups_are_told_apart_is_decided_for_an_hour_so_a_series_has_no_holes(
    app: App, monkeypatch: pytest.MonkeyPatch, client: redis.Redis, prefix: str
) -> None:
    store = app.client.store
    await store.server.read_clock()

    async def add(number: int, *groups: str) -> None:
        async with store.pool.links() as links:
            sums = {group: Counter(completed=1) for group in groups}
            await store.statistics.add_of_groups(links, "aa", {"q": (number, sums)})

    await add(1, *(f"g{number}" for number in range(GROUPS)))
    client.delete(*client.keys(f"{Keys(prefix, 'q').grouped_minutes}*"))  # as in the next minute
    await add(2, "late", "g7")
    found = await app.queue("q").statistics("5m", by_group=True)
    assert {name: each.completed for name, each in found.groups.items()} == {"g7": 1, "*": 1}
    assert (await app.queue("q").statistics("5m", group="*")).total.completed == 1


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_a_call_that_is_repeated_counts_its_groups_once(app: App) -> None:
    store = app.client.store
    await store.server.read_clock()
    async with store.pool.links() as links:
        for number in (1, 1, 2, 1):
            await store.statistics.add_of_groups(links, "aa", {"q": (number, {"acme": Counter(completed=5)})})
    assert (await app.queue("q").statistics("5m", group="acme")).total.completed == 10


async def test_a_worker_of_jobs_without_groups_writes_nothing_of_groups(
    app: App, make_app: Callable[..., Any]
) -> None:
    @app.task(queue="q")
    async def work() -> None: ...

    async with working(app) as worker:
        await (await work.enqueue()).result(10)
        assert worker.tally._groups is None
    assert GroupTally.most == GROUPS


def test_what_workers_send_of_groups_they_send_every_ten_seconds() -> None:
    assert GROUPS_EVERY * EVERY == 10
