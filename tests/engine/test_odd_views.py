"""What others wrote, as people see it: as far as it can be read, and nothing spoils a page."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import redis

from streamq import App, Job, JobRecord, State
from streamq.model.keys import Keys

from ..rig import ON_ONE_SERVER, shared_keys, until

BORN = 1_795_449_758_578
pytestmark = ON_ONE_SERVER


@pytest.fixture
def keys(prefix: str) -> Keys:
    return Keys(prefix, "q")


async def _page(app: App, state: State) -> dict[str, JobRecord]:
    items = (await app.queue("q").jobs(state, limit=100)).items
    assert json.dumps([job.asdict() for job in items])
    return {job.id: job for job in items}


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        ("c5 2 w\nt\n\n7\n1", {"task": "t", "result": 7, "payload": 1, "worker": "w"}),
        ("c", {"task": "", "result": None, "finished_at": None}),
        ("c-5 2 w\nt\n\n7\n1", {"result": 7}),
        ("c99999999999999999 2 w\nt\n\n7\n1", {"result": 7, "finished_at": None, "started_at": None}),
        ("cnan inf\nt\n\n7", {"result": 7, "finished_at": None, "worker": ""}),
        ("c5 99999999999999999 w\nt\n\n7\n1", {"result": 7, "started_at": None}),
        ("c5 2 w\nt\n\nno JSON\n{", {"result": "no JSON", "payload": "{"}),
        ('c5 2 w\nt\n{"attempt":[]}\n7\n1', {"result": 7, "attempt": 1}),
    ],
)
async def test_a_record_is_shown_as_far_as_it_can_be_read(
    app: App, client: redis.Redis, keys: Keys, record: str, shown: dict[str, Any]
) -> None:
    client.hset(keys.finished, mapping={f"{BORN}-1": record, f"{BORN}-2": "c5 2 w\nt\n\n8\n1"})
    client.rpush(keys.completed, f"{BORN}-1", "no id", "1-1", f"{BORN}-2")
    page = await _page(app, State.COMPLETED)
    assert page[f"{BORN}-2"].result == 8, "its neighbour"
    job = page[f"{BORN}-1"]
    assert {name: getattr(job, name) for name in shown} == shown


@pytest.mark.parametrize("envelope", ["", "t", "t\n{", "\n\n", 't\n{"id":"1-1"}\n1'])
@pytest.mark.parametrize("score", ["inf", "-inf", "1e300", "-1", "0", str(BORN)])
async def test_a_delayed_job_is_shown_as_far_as_it_can_be_read(
    app: App, client: redis.Redis, keys: Keys, envelope: str, score: str
) -> None:
    client.hset(keys.parked, f"{BORN}-1", envelope)
    client.execute_command("ZADD", keys.delayed, score, f"{BORN}-1", 5, "no id", 5, "5-5")
    page = await _page(app, State.DELAYED)
    assert set(page) == {f"{BORN}-1"}
    assert (page[f"{BORN}-1"].due_at is None) == (score in ("inf", "-inf", "1e300"))


async def test_an_entry_of_a_time_out_of_every_calendar_is_shown_without_it(
    app: App, client: redis.Redis, keys: Keys
) -> None:
    history = json.dumps({"history": [{"started_at": 10**17, "finished_at": 10**25}, {}]})
    client.xadd(keys.ready, {"task": "t", "payload": "1", "headers": history}, id=f"{BORN}-1")
    client.xadd(keys.ready, {"x": "y"}, id="99999999999999999-1")
    job = await app.enqueue("q", "t", 1)
    page = await _page(app, State.WAITING)
    assert set(page) == {f"{BORN}-1", "99999999999999999-1", job.id}
    assert page["99999999999999999-1"].created_at is None
    assert [error.type for error in page[f"{BORN}-1"].history] == ["", ""]
    assert page[f"{BORN}-1"].history[0].started_at is None


BAD_NAMES = [b"../x", b"a b", b"", b"\xff\xfe", b"q" * 10_000, b"q\n", b"a:b", "\u00e4".encode(), b"\x1b[2J"]


async def test_what_cannot_name_a_queue_is_left_out_of_every_list_and_logged_once(
    app: App, client: redis.Redis, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    await app.enqueue("q", "t", 1)
    client.sadd(shared_keys(prefix).queues, *BAD_NAMES, "__proto__")
    for _ in range(3):
        assert await app.queues() == ["__proto__", "q"], "an odd name is a name all the same"
    (told,) = [record.getMessage() for record in caplog.records if "cannot name" in record.getMessage()]
    assert "9 members" in told
    assert len(told) < 1_000
    assert told.isprintable()
    client.sadd(shared_keys(prefix).queues, "one more")
    await app.queues()
    assert "1 members" in caplog.text


async def test_the_duties_of_a_scheduler_go_on_beside_names_that_name_no_queue(
    app: App, client: redis.Redis, prefix: str
) -> None:
    client.sadd(shared_keys(prefix).queues, *BAD_NAMES, "__proto__")
    job = await app.enqueue("__proto__", "t", 1, delay=0.001)
    scheduler = asyncio.create_task(app.run_scheduler())
    await until(lambda: _waits(job))
    scheduler.cancel()
    await asyncio.wait([scheduler])
    assert scheduler.cancelled()


async def _waits(job: Job[Any]) -> bool:
    return (await job.status()).state is State.WAITING


POINTERS = ["", "1", "x y", "3 1-1", "1 1-1", "2 5-5", "1 99999999999999999999-1", "1 01-1"]


@pytest.mark.parametrize("pointer", POINTERS)
async def test_a_job_whose_pointer_leads_nowhere_is_found_at_its_birthplace(
    app: App, client: redis.Redis, keys: Keys, pointer: str
) -> None:
    job = await app.enqueue("q", "t", 7)
    client.hset(keys.moved, job.id, pointer)
    record = await job.status()
    assert (record.state, record.payload) == (State.WAITING, 7)
