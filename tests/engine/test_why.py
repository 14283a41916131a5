"""Why a job does not run now: one sentence with a code, whatever the reason."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis

from streamq import App, Explanation, JobNotFound, Retry, State, Unique
from streamq.liveness.identity import describe
from streamq.model.explanations import REASONS
from streamq.model.keys import GROUP, Keys
from streamq.redis.link import Link

from ..rig import ON_ONE_SERVER, until, working
from ..servers import Server


async def _becomes(app: App, job_id: str, code: str) -> Explanation:
    """What is said of the job, once the code is this one."""
    said: list[Explanation] = []

    async def met() -> bool:
        said[:] = [await app.queue("q").why(job_id)]
        return said[0].code == code

    try:
        await until(met, 8)
    except TimeoutError:
        pytest.fail(f"{said[0].code} and not {code}: {said[0].text}")
    return said[0]


async def test_it_says_who_has_paused_what_and_that_nobody_works_and_when_a_job_is_due(app: App) -> None:
    queue = app.queue("q")
    job, later = await app.enqueue("q", "t", 1), await app.enqueue("q", "t", 1, delay=100)
    said = await queue.why(job.id)
    assert (said.code, said.text) == ("no-worker", "no worker serves queue 'q'")
    said = await later.why()
    assert said.code == "due-later"
    assert "in 1 min 40 s" in said.text
    assert said.until == (await later.status()).due_at
    await queue.pause("provider down", by="ada", until="5m")
    said = await job.why()
    assert (said.code, said.by, said.until) == ("queue-paused", "ada", (await queue.steering()).paused.until)  # type: ignore[union-attr]
    assert said.text.startswith("queue 'q' is paused since 20")
    assert said.text.endswith(": provider down")
    await queue.resume()
    await queue.pause("a bug", task="t")
    held = await app.enqueue("q", "t", 2)
    assert ((await held.status()).state, (await held.why()).code) == (State.HELD, "task-paused")
    assert (await job.why()).code == "task-paused"


async def test_it_says_what_is_before_a_job_and_what_becomes_of_one_that_runs(app: App) -> None:
    go = asyncio.Event()

    @app.task(queue="q", attempts=2)
    async def t(number: int) -> int:
        await go.wait()
        if number == 99:
            raise Retry(after=50)
        return number

    unknown = await app.enqueue("q", "nobody", 1)
    first = await t.enqueue(99)
    async with working(app, concurrency=1) as worker:
        said = await _becomes(app, first.id, "running")
        assert said.text.startswith(f"it runs: attempt 1 of 2 on {worker.name}, for ")
        assert (await _becomes(app, unknown.id, "unknown-task")).until is not None
        others = await t.enqueue_many(range(20))
        said = await others[7].why()
        assert (said.code, said.ahead) == ("in-line", 7)
        assert "7 jobs are before it" in said.text
        assert "1 run in the 1 slot of its workers" in said.text
        assert (await others[0].why()).text.startswith("it is the next, and starts when a slot is free")
        late = await app.enqueue("q", "nobody", 2)
        assert (await late.why()).text == "the worker that serves queue 'q' does not know task 'nobody'"
        low = await t.enqueue(1, priority="low")
        assert (await low.why()).ahead == 21
        go.set()
        assert (await _becomes(app, first.id, "retry-later")).text.startswith(
            "attempt 1 of 2 failed with Retry"
        )
        said = await _becomes(app, others[7].id, "completed")
        assert said.since is not None
    await first.cancel("not needed", by="bob")
    assert (await first.why()).text.endswith(" by bob: not needed")
    with pytest.raises(JobNotFound):
        await app.queue("q").why("1-1")


@ON_ONE_SERVER
async def test_the_place_in_a_long_line_is_exact_near_its_ends_and_about_right_between_in_bounded_calls(
    app: App, client: redis.Redis, prefix: str
) -> None:
    keys = Keys(prefix, "q")
    jobs = []
    for _ in range(10):
        jobs += await app.enqueue_many("q", "t", range(500))
        await asyncio.sleep(0.02)
    client.xgroup_create(keys.ready, GROUP, "0")
    client.xreadgroup(GROUP, "w", {keys.ready: ">"}, count=1_000)
    at = {
        place: (await app.client.store.explanations.facts("q", jobs[1_000 + place].id))
        for place in (7, 2_000, 3_990)
    }
    assert [(facts.ahead, facts.exact) for place, facts in at.items() if place != 2_000] == [
        (7, True),
        (3_990, True),
    ]
    assert not at[2_000].exact
    assert 1_000 < at[2_000].ahead < 3_000
    for _ in range(30):
        client.xadd(keys.ready, {"task": "t", "payload": '"' + "x" * 100_000 + '"', "headers": ""})
    last = client.xadd(keys.ready, {"task": "t", "payload": "1", "headers": ""})
    client.xreadgroup(GROUP, "w", {keys.ready: ">"}, count=3_000)
    client.config_resetstat()
    assert (await app.client.store.explanations.facts("q", last)).ahead == 1_030
    stats = client.info("commandstats")
    assert stats["cmdstat_xrange"]["calls"] + stats["cmdstat_xrevrange"]["calls"] < 20


@ON_ONE_SERVER
async def test_it_takes_three_round_trips_at_most(
    app: App, make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    trips: list[Any] = []
    batch = Link.batch
    async with make_app() as asking, working(app, queues="q"):
        job, servers = await asking.enqueue("q", "t", 1), asking.client.store.servers
        await _becomes(
            asking, job.id, "unknown-task"
        )  # a server that does not know the script is sent it again

        async def counted(self: Link, *commands: Any, **options: Any) -> Any:
            trips.extend(commands[:1] if self.server in servers.all else ())
            return await batch(self, *commands, **options)

        monkeypatch.setattr(Link, "batch", counted)
        code = ""
        while code != "unknown-task":  # its worker may have it just now
            trips.clear()
            code = (await job.why()).code
        assert len(trips) == 3


@ON_ONE_SERVER
async def test_a_job_of_a_lost_worker_starts_again_and_one_that_is_told_to_end_says_by_whom(
    app: App, client: redis.Redis, prefix: str
) -> None:
    keys = Keys(prefix, "q")
    job = await app.enqueue("q", "t", 1)
    client.xgroup_create(keys.ready, GROUP, "0")
    client.xreadgroup(GROUP, "gone", {keys.ready: ">"})
    said = await job.why()
    assert said.code == "worker-lost"
    assert said.text == "its worker gone was lost, and no worker or scheduler is there to start it again"
    await job.cancel("wrong", by="ada")
    assert (await job.why()).text == "it runs on gone and is told to end by ada: wrong"


@ON_ONE_SERVER
async def test_a_worker_without_a_connection_counts_as_lost_where_the_server_lets_that_be_seen(
    own_server: Callable[..., Server],
) -> None:
    server = own_server()
    with server.client() as client:
        client.acl_setuser(
            "blind", True, passwords=["+pw"], keys=["*"], channels=["*"], commands=["+@all", "-client|list"]
        )
    async with App(redis_url=server.url) as app:
        gone = replace(describe("gone", ("q",), 5, app.settings), client_id=2**40)
        async with app.client.store.pool.links() as links:
            await app.client.store.workers.introduce(links, gone)
        job = await app.enqueue("q", "t", 1)
        assert (await job.why()).text == "no worker serves queue 'q'; gone did and was lost"
    async with App(redis_url=server.url, redis_username="blind", redis_password="pw") as app:
        assert (await app.queue("q").why(job.id)).code == "in-line"


@ON_ONE_SERVER
async def test_a_job_that_follows_another_of_its_key_names_that_one(app: App) -> None:
    one = Unique(conflict="queue")
    first = await app.enqueue("q", "t", 1, key="order-7", unique=one)
    second = await app.enqueue("q", "t", 2, key="order-7", unique=one)
    said = await second.why()
    assert (said.code, first.id in said.text) == ("behind-key", True)


def test_each_code_has_a_meaning_and_stands_in_the_states_of_jobs() -> None:
    assert all(reason.meaning and reason.states for reason in REASONS)
    last = {state: reason.code for reason in REASONS for state in reason.states}
    assert last.keys() == set(State)
