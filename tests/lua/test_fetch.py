"""fetch.lua, locate.lua and requeue.lua: suspects before all others and alone; a job is found wherever it is."""

from __future__ import annotations

import pytest
import redis

from streamq import App, JobNotFound, State, WrongState
from streamq.model.keys import GROUP, Keys
from streamq.redis.links import Links


async def test_a_suspect_is_fetched_alone_and_before_all_others(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    ready = [client.xadd(keys.ready, {"task": "t", "payload": "1", "headers": ""}) for _ in range(5)]
    alone = [client.xadd(keys.alone, {"task": "t", "payload": "1", "headers": ""}) for _ in range(2)]
    fetched = [await app.client.store.delivery.fetch(link, "q", "w", 3) for _ in range(5)]
    told = [(lane, [entry.decode() for entry, _ in entries]) for lane, entries in fetched]
    assert told == [(2, alone[:1]), (2, alone[1:]), (1, ready[:3]), (1, ready[3:]), (1, [])]


async def test_a_job_is_found_by_its_id_in_every_place_it_may_be(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    job = await app.enqueue("q", "t", "here", delay=0.001)
    places = []

    async def look() -> None:
        record = await job.status()
        assert (record.id, record.payload, record.task) == (job.id, "here", "t")
        places.append((record.state, record.worker, record.crashes))

    await look()
    while not (await app.client.store.delayed.promote(link, ["q"], 1))["q"].jobs:
        pass  # a millisecond
    await look()
    for lane, worker in ((keys.ready, "w1"), (keys.ready, "w2"), (keys.alone, "w3")):
        client.xreadgroup(GROUP, worker, {lane: ">"})
        await look()
        await app.client.store.recovery.reclaim(link, "q", worker, None)
        await look()
    assert places == [
        (State.DELAYED, None, 0), (State.WAITING, None, 0), (State.ACTIVE, "w1", 0), (State.WAITING, None, 1),
        (State.ACTIVE, "w2", 1), (State.WAITING, None, 2), (State.ACTIVE, "w3", 2), (State.FAILED, "w3", 3),
    ]  # fmt: skip


async def test_only_a_failed_job_is_requeued_and_only_once(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    headers = '{"attempt":3,"crashes":2,"unknown_task_count":1,"unknown_task_since":5,"history":[]}'
    client.hset(keys.finished, "5-5", f'f7\nt\n{headers}\n{{"error":{{}}}}\n"x"')
    client.zadd(keys.failures, {"5-5": 12})
    await app.client.store.jobs.requeue("q", "5-5")
    ((entry, fields),) = client.xrange(keys.ready)
    assert (fields["task"], fields["payload"]) == ("t", '"x"')
    assert "unknown_task" not in fields["headers"]
    assert client.hget(keys.moved, "5-5") == f"1 {entry}"
    assert client.exists(keys.finished, keys.failures) == 0
    record = await app.queue("q").get("5-5")
    assert (record.state, record.attempt, record.crashes) == (State.WAITING, 0, 0)
    with pytest.raises(WrongState, match="waiting"):
        await app.client.store.jobs.requeue("q", "5-5")
    with pytest.raises(JobNotFound):
        await app.client.store.jobs.requeue("q", "7-7")
    client.hset(keys.finished, "6-6", "c7\nt\n\n{}\n1")
    with pytest.raises(WrongState):
        await app.client.store.jobs.requeue("q", "6-6")
