"""settle.lua: an outcome counts only while its worker holds the entry; then everything of it is written at once."""

from __future__ import annotations

import redis

from streamq import App
from streamq.connection import Link
from streamq.keys import GROUP, Keys
from streamq.store import Settlement

RECORD = b"7 0 w\nt\n\n{}\n1"


def _deliver(client: redis.Redis, keys: Keys, count: int = 1) -> list[str]:
    for number in range(count):
        client.xadd(keys.ready, {"task": "t", "payload": number, "headers": ""})
    return [entry for _, entries in client.xreadgroup(GROUP, "w", {keys.ready: ">"}) for entry, _ in entries]


def _done(entry: str, kind: str = "c") -> Settlement:
    return Settlement(kind, 1, entry.encode(), entry, kind.encode() + RECORD)


async def test_a_completed_job_leaves_its_stream_and_is_recorded_and_announced(
    app: App, link: Link, client: redis.Redis, keys: Keys
) -> None:
    (entry,) = _deliver(client, keys)
    assert await app.store.settle(link, {"q": [_done(entry)]}) == []
    assert client.xlen(keys.ready) == client.xpending(keys.ready, GROUP)["pending"] == 0
    (record,) = client.hvals(keys.finished)
    assert record == "c" + RECORD.decode()
    assert client.lrange(keys.completed, 0, -1) == [entry]
    assert [fields for _, fields in client.xrange(keys.events)] == [{"c": entry, "f": ""}]


async def test_an_outcome_of_what_is_no_longer_held_is_refused_and_nothing_of_it_written(
    app: App, link: Link, client: redis.Redis, keys: Keys
) -> None:
    (entry,) = _deliver(client, keys)
    await app.store.reclaim(link, "q", "w", None)
    before = {key: client.dump(key) for key in client.scan_iter(f"{keys.ready[:11]}*")}
    for kind, body in (("c", b"c" + RECORD), ("f", b"f" + RECORD), ("d", b"5\nt\n{}\n1")):
        outcome = Settlement(kind, 1, entry.encode(), entry, body)
        assert await app.store.settle(link, {"q": [outcome]}) == [entry.encode()]
    assert {key: client.dump(key) for key in client.scan_iter(f"{keys.ready[:11]}*")} == before


async def test_the_same_outcome_twice_counts_once(
    app: App, link: Link, client: redis.Redis, keys: Keys
) -> None:
    (entry,) = _deliver(client, keys)
    assert await app.store.settle(link, {"q": [_done(entry), _done(entry, "f")]}) == [entry.encode()]
    assert client.lrange(keys.completed, 0, -1) == [entry]
    assert client.llen(keys.failed) == 0


async def test_one_refused_outcome_leaves_the_others_of_its_batch_as_they_are(
    app: App, link: Link, client: redis.Redis, keys: Keys
) -> None:
    entries = _deliver(client, keys, 3)
    await app.store.release(link, "q", [(1, entries[1].encode())])
    assert await app.store.settle(link, {"q": [_done(entry) for entry in entries]}) == [entries[1].encode()]
    assert client.lrange(keys.completed, 0, -1) == [entries[0], entries[2]]
    assert set(client.hkeys(keys.finished)) == {entries[0], entries[2]}
    assert client.xlen(keys.ready) == 1, "the one that was given back waits"
    assert [fields for _, fields in client.xrange(keys.events)] == [
        {"c": f"{entries[0]} {entries[2]}", "f": ""}
    ]


async def test_a_delayed_outcome_parks_the_job_under_its_own_id_and_wakes_the_scheduler(
    app: App, link: Link, client: redis.Redis, keys: Keys
) -> None:
    (entry,) = _deliver(client, keys)
    await app.store.settle(
        link, {"q": [Settlement("d", 1, entry.encode(), "5-5", b'60000\nt\n{"id":"5-5"}\n1')]}
    )
    assert client.hgetall(keys.parked) == {"5-5": 't\n{"id":"5-5"}\n1'}
    ((job_id, due),) = client.zrange(keys.delayed, 0, -1, withscores=True)
    seconds, micros = client.time()
    assert job_id == "5-5"
    assert 59_000 < due - (seconds * 1000 + micros // 1000) <= 60_000
    assert client.lrange(keys.wake, 0, -1) == [str(int(due))]
    assert client.exists(keys.events) == 0


async def test_one_call_takes_more_outcomes_than_lua_can_unpack(
    app: App, link: Link, client: redis.Redis, keys: Keys
) -> None:
    entries = _deliver(client, keys, 9_000)
    assert await app.store.settle(link, {"q": [_done(entry) for entry in entries]}) == []
    assert client.xlen(keys.ready) == 0
    assert client.llen(keys.completed) == client.hlen(keys.finished) == 1_000
    assert client.lindex(keys.completed, -1) == entries[-1]
