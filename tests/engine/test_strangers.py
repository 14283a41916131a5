"""Jobs that others wrote: by a plain XADD in any language, well or badly; and tasks that nobody knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis

from streamq import App, Backoff, Context, State
from streamq.model.keys import GROUP, Keys

from ..rig import census, until, working


@pytest.mark.parametrize(
    "fields",
    [
        {"task": "work", "payload": "7", "headers": ""},
        {"payload": "7", "task": "work"},
        {"headers": "", "payload": "7", "task": "work"},
        {"x": "?", "task": "work", "payload": "7", "y": "?"},
        {"task": "work", "payload": " 7 ", "headers": '{"attempts": 1}'},
        {"task": "work", "payload": "7", "headers": '\n{\n "attempts" : 1\n}'},
    ],
)
async def test_a_plain_xadd_is_a_job(
    app: App, client: redis.Redis, prefix: str, fields: dict[str, Any]
) -> None:
    @app.task(queue="q")
    async def work(x: int) -> int:
        return x + 1

    async with working(app):
        entry = client.xadd(Keys(prefix, "q").ready, fields)
        record = await until(lambda: _finished(app, entry))
    assert (record.state, record.result) == (State.COMPLETED, 8)


HEADERS = [
    "not json", "[1,2]", '[{"id":"1-1"}]', "7", '"x"', "null", "{}", " {} ", "{",
    '{"id":7}', '{"id":"a b"}', '{"id":null}', '{"id":["x"]}', '{"id":""}', '{"attempt":"many"}', '{"attempt":-3}',
    '{"attempts":"x"}',
    '{"attempts":0}',
    '{"timeout":"x"}', '{"timeout":-1}', '{"timeout":0}', '{"timeout":[]}', '{"crashes":"x"}', '{"crashes":{}}',
    '{"history":7}', '{"history":{}}', '{"history":[7,null,"x"]}', '{"history":"x"}', '{"unknown_task_count":"x"}',
    "[" * 5000, '{"unknown_task_since":-1}',
    '{"x":1e999}', '{"x":NaN}', '{"id":"' + "9" * 5000 + '-1"}', '{"id":"01-1"}', '{"x":1,"id":"1-1"}',
    '{"id":"18446744073709551616-1"}', '{"crashes":1e999}', '{"history":[{"type":1e999}]}',
    '{"attempt":true}', '{"attempt":1.5}', '{"history":[{"started_at":"x","finished_at":[]}]}',
]  # fmt: skip
"""Headers that no producer of ours writes."""


async def test_headers_that_make_no_sense_count_as_none(app: App, client: redis.Redis, prefix: str) -> None:
    """Such a job runs, fails, is given back, recovered, looked at and listed like any other."""

    @app.task(queue="q", attempts=3, backoff=Backoff(0.001, 0.001))
    async def work(x: str, ctx: Context) -> str:
        raise ValueError("no")

    keys = Keys(prefix, "q")
    entries = [client.xadd(keys.ready, {"task": "work", "payload": '"x"', "headers": raw}) for raw in HEADERS]
    await _through_every_script(app, client, keys, len(entries))
    async with working(app):
        await until(lambda: _count(app, failed=len(entries)))
    found = census(client, prefix, "q")
    found.check()
    assert found.counts() == {"failed": len(entries)}
    listed = (await app.queue("q").jobs(State.FAILED, limit=200)).items
    wrong = {
        raw: (record.id, record.attempt, record.crashes, len(record.history))
        for raw, entry in zip(HEADERS, entries, strict=True)
        for record in listed
        if record.id == entry and (record.attempt, record.crashes) != (3, 1)
    }
    assert {record.id for record in listed} == set(entries)
    assert not wrong
    assert json.dumps([record.asdict() for record in listed])


async def _through_every_script(app: App, client: redis.Redis, keys: Keys, count: int) -> None:
    link = app.client.store.links()
    await app.client.store.delivery.join(link, ["q"])
    for name in ("w1", "w2", "w3"):
        read = client.xreadgroup(GROUP, name, {keys.ready: ">"}, count=1000)
        entries = [(1, entry.encode()) for entry, _ in read[0][1]]
        assert len(entries) == count
        if name == "w1":
            assert await app.client.store.delivery.release(link, "q", entries) == count
        elif name == "w2":
            assert (await app.client.store.recovery.reclaim(link, "q", name, None)).again == count
        else:
            client.xgroup_delconsumer(keys.ready, GROUP, name)
            assert await app.client.store.recovery.audit(link, "q") == count
    assert len((await app.queue("q").jobs(State.WAITING, limit=200)).items) == count
    await link.close()


@pytest.mark.parametrize(
    ("payload", "pointer"),
    [(b"{", ""), (b"", ""), (b"\xff\xfe", ""), (b'{"a": "x", "b": 1, "c": 2}', "/a"), (b"[1]", "")],
)
async def test_a_payload_that_does_not_fit_fails_at_once_with_every_error(
    app: App, client: redis.Redis, prefix: str, payload: bytes, pointer: str
) -> None:
    ran: list[int] = []

    @app.task(queue="q", attempts=5)
    async def work(a: int, b: int) -> None:
        ran.append(a)

    async with working(app):
        entry = client.xadd(Keys(prefix, "q").ready, {"task": "work", "payload": payload})
        record = await until(lambda: _finished(app, entry))
    assert ran == []
    assert (record.state, record.attempt, record.error.type) == (State.FAILED, 1, "InvalidPayload")
    assert pointer in record.error.message
    if pointer:
        assert "/c" in record.error.message
    assert json.dumps(record.asdict())


async def test_a_foreign_task_name_may_be_any_text(
    make_app: Callable[..., App], client: redis.Redis, prefix: str
) -> None:
    async with make_app(unknown_task_for=0) as app:
        await _through_recovery_to_failure(app, client, prefix)


async def test_an_unknown_task_with_headers_that_cannot_be_written_ends_no_worker(
    app: App, client: redis.Redis, prefix: str
) -> None:
    @app.task(queue="q")
    async def work(x: int) -> int:
        return x

    async with working(app):
        for raw in ('{"id":"99999999999999999-1","x":1e999}', '{"id":"' + "9" * 5000 + '-1"}', '{"x":[NaN]}'):
            client.xadd(Keys(prefix, "q").ready, {"task": "unknown", "payload": "1", "headers": raw})
        assert await (await work.enqueue(7)).result(5) == 7
        await until(lambda: _none_waits(app))
    census(client, prefix, "q").check()


async def _none_waits(app: App) -> bool:
    counts = await app.queue("q").counts()
    return counts.waiting + counts.active == 0


async def _through_recovery_to_failure(app: App, client: redis.Redis, prefix: str) -> None:
    app.task(name="known", queue="q")(lambda x: x)
    keys, link = Keys(prefix, "q"), app.client.store.links()
    names = ["", "a\nb", "\n\n\n", "ä\x00", b"\xff", "x" * 5000]
    entries = [client.xadd(keys.ready, {"task": name, "payload": "1"}) for name in names]
    await app.client.store.delivery.join(link, ["q"])
    for worker in ("w1", "w2"):
        await link.home.call("XREADGROUP", "GROUP", GROUP, worker, "STREAMS", keys.ready, ">")
        await app.client.store.recovery.reclaim(link, "q", worker, None)
    await link.home.call("XREADGROUP", "GROUP", GROUP, "w3", "COUNT", 3, "STREAMS", keys.alone, ">")
    assert (await app.client.store.recovery.reclaim(link, "q", "w3", None)).failed == 3
    async with working(app):
        for entry in entries:
            record = await until(lambda entry=entry: _finished(app, entry))
            assert record.state is State.FAILED
            assert record.payload == 1
    await link.close()


async def _finished(app: App, job_id: str) -> Any:
    record = await app.queue("q").get(job_id)
    return record if record.state in (State.COMPLETED, State.FAILED) else None


async def _count(app: App, **wanted: int) -> bool:
    counts = (await app.queue("q").counts()).asdict()
    return all(counts[state] == count for state, count in wanted.items())
