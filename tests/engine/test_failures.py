"""Kinds of failures: jobs that failed alike share a fingerprint; however many kinds there are, keys are bounded."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from streamq import App, KeyInUse, State, WrongState
from streamq.model.failure_kinds import alike, fingerprint, unsaid
from streamq.model.keys import Keys
from streamq.model.outcomes import FAILED
from streamq.store.outcomes import Settlement

from ..rig import ON_ONE_SERVER, until, working


@pytest.fixture
def keys(prefix: str) -> Keys:
    return Keys(prefix, "q")


@pytest.fixture
async def link(app: App) -> Any:
    async with app.client.store.pool.links() as links:
        await app.client.store.delivery.join(links, ("q",))
        yield links


def test_a_message_is_compared_without_numbers_ids_and_quoted_texts() -> None:
    for one, other in (
        ("no answer for 17", "no answer for 4"), ("user 'ada' is gone", "user 'bob' is gone"),
        ("at 0x7f3a in 1.5s", "at 0x11 in 20s"), ("job 1795449758578-0 of +49151", "job 1-0 of +1"),
        ('key "a b" missing', 'key "" missing'), ("id 3f2b8c1e-aaaa-4bbb-8ccc-1234567890ab", "id 1a"),
    ):  # fmt: skip
        assert alike(one) == alike(other)
        assert fingerprint("t", "E", "m:f", one) == fingerprint("t", "E", "m:f", other)
    assert (
        len(
            {
                fingerprint(*each, "x")
                for each in (("t", "E", "f"), ("u", "E", "f"), ("t", "F", "f"), ("t", "E", "g"))
            }
        )
        == 4
    )
    assert alike("no answer") != alike("no reply")


async def failing(app: App, count: int) -> list[Any]:
    def deep(n: int) -> None:
        raise ValueError(f"no answer for {n}") if n % 2 else KeyError("x")

    @app.task(queue="q", attempts=1)
    async def send(n: int) -> None:
        deep(n)

    async with working(app):
        jobs = await send.enqueue_many(range(count))
        await until(lambda: ended(app))
    return jobs


async def ended(app: App) -> bool:
    counts = await app.queue("q").counts()
    return counts.waiting + counts.active == 0


@ON_ONE_SERVER
async def test_a_group_says_what_its_jobs_have_in_common_and_loses_those_that_are_failed_no_more(
    app: App, client: redis.Redis, keys: Keys
) -> None:
    jobs = await failing(app, 20)
    queue = app.queue("q")
    one, other = await queue.failures()
    assert {(g.task, g.type, g.failed, g.count) for g in (one, other)} == {
        ("send", "ValueError", 10, 10), ("send", "KeyError", 10, 10),
    }  # fmt: skip
    assert all(g.frame.endswith("deep") and sum(g.trend) == 10 and len(g.trend) == 24 for g in (one, other))
    record = await jobs[1].status()
    assert record.error is not None
    assert record.error.fingerprint in (one.fingerprint, other.fingerprint)
    await jobs[1].retry()
    await jobs[3].delete()
    failed = {g.type: g.failed for g in await queue.failures()}
    assert failed == {"ValueError": 8, "KeyError": 10}
    purge = await queue.purge(["failed"])
    while (await purge.status()).state == "running":
        await app.client.store.operations.help("q", purge.id)
    assert [g.failed for g in await queue.failures()] == [0, 0]
    assert client.exists(keys.fingerprints, keys.fingerprinted) == 0


@ON_ONE_SERVER
async def test_a_record_that_names_no_fingerprint_gets_one_by_task_and_type(
    app: App, link: Any, client: redis.Redis, keys: Keys
) -> None:
    job = await app.enqueue("q", "t", 1)
    client.xreadgroup("workers", "w", {keys.ready: ">"})
    body = b'f1 1 w\nt\n\n{"type":"Crashed","message":"lost 3 times"}\n1'
    await app.client.store.outcomes.settle(
        link, {"q": [Settlement(FAILED, 1, job.id.encode(), job.id, body)]}
    )
    (kind,) = await app.queue("q").failures()
    record = await job.status()
    assert record.error is not None
    assert kind.fingerprint == record.error.fingerprint == unsaid(b"t", "Crashed")


@ON_ONE_SERVER
async def test_a_flood_of_different_failures_is_bounded_in_keys_and_bytes(
    make_app: Any, link: Any, client: redis.Redis, keys: Keys
) -> None:
    async with make_app(keep_failed=2_000) as app:

        async def flood(first: int) -> None:
            jobs = await app.enqueue_many("q", "t", range(1_000))
            client.xreadgroup("workers", "w", {keys.ready: ">"}, count=1_000)
            said = [
                json.dumps(
                    {"fingerprint": f"{first + n:012x}", "type": "E", "message": "m" * 5000},
                    separators=(",", ":"),
                )
                for n in range(1_000)
            ]
            settled = [
                Settlement(FAILED, 1, job.id.encode(), job.id, f"f1 1 w\nt\n\n{text}\n1".encode())
                for job, text in zip(jobs, said, strict=True)
            ]
            await app.client.store.outcomes.settle(link, {"q": settled})

        await flood(0)
        await flood(1_000)
        other = (await app.queue("q").failures())[0]
        assert (other.fingerprint, other.failed) == ("other", 1_000), "there is no room for more kinds"
        found = await app.queue("q").search("state:failed fingerprint:other", limit=200)
        assert len(found.items) == 200
        bulk = await app.queue("q").retry_all("fingerprint:other")
        while (await bulk.status()).state == "running":
            await app.client.store.operations.help("q", bulk.id)
        assert (await bulk.status()).done == 1_000
        client.xtrim(keys.ready, maxlen=0)
        for first in range(2_000, 5_000, 1_000):
            await flood(first)
        kinds = await app.queue("q").failures()
        assert len(kinds) <= 1_001
        assert sum(g.failed for g in kinds) == 2_000
        assert (
            client.hlen(keys.fingerprints)
            == client.zcard(keys.fingerprinted)
            == client.zcard(keys.failures)
            == 2_000
        )
        assert max(map(len, client.hvals(keys.failure_kinds))) < 3_000


@ON_ONE_SERVER
async def test_a_copy_with_another_payload_leaves_the_job_as_it_ended_and_each_names_the_other(
    app: App,
) -> None:
    await failing(app, 1)
    (job,) = (await app.queue("q").jobs(State.FAILED)).items
    made = await app.queue("q").retry(job.id, payload=7)
    assert (made.state, made.payload, made.clone_of, made.attempt, made.history) == (
        State.WAITING,
        7,
        job.id,
        0,
        [],
    )
    old = await app.queue("q").get(job.id)
    assert (old.state, old.cloned_as, old.payload, old.error) == (State.FAILED, made.id, 0, job.error)
    with pytest.raises(WrongState):
        await app.queue("q").retry(made.id, payload=8)
    again = await app.queue("q").retry(job.id)
    assert (again.state, again.cloned_as) == (State.WAITING, made.id)


@ON_ONE_SERVER
async def test_a_copy_takes_the_unique_key_unless_another_job_has_it(app: App) -> None:
    job = await app.enqueue("q", "t", 1, key="k")
    await job.cancel()
    copy = await job.retry(payload=2)
    assert copy.key == "k"
    with pytest.raises(KeyInUse) as raised:
        await job.retry(payload=3)
    assert raised.value.other == copy.id
