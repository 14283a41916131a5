"""settle.lua: an outcome counts only while its worker holds the entry; then everything of it is written at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis

from streamq import App
from streamq.model.keys import GROUP, Keys
from streamq.model.outcomes import COMPLETED, DELAYED, FAILED, MARKS
from streamq.redis.links import Links
from streamq.redis.signals import ended
from streamq.store.outcomes import Settlement

from ..engine.fetching import calls
from ..servers import IS_CLUSTER

RECORD = b"7 0 w\nt\n\n{}\n1"


def _deliver(client: redis.Redis, keys: Keys, count: int = 1) -> list[str]:
    for number in range(count):
        client.xadd(keys.ready, {"task": "t", "payload": number, "headers": ""})
    return [entry for _, entries in client.xreadgroup(GROUP, "w", {keys.ready: ">"}) for entry, _ in entries]


def _done(entry: str, kind: str = COMPLETED) -> Settlement:
    return Settlement(kind, 1, entry.encode(), entry, MARKS[kind] + RECORD)


def _heard(client: redis.Redis, channel: str) -> Callable[[], list[Any]]:
    """The signals on a channel from now on."""
    pubsub = client.pubsub()
    (pubsub.ssubscribe if IS_CLUSTER else pubsub.subscribe)(channel)
    assert pubsub.get_message(timeout=5)

    def messages() -> list[Any]:
        found = []
        while message := pubsub.get_message(timeout=0.1):
            found.append(message["data"])
        pubsub.close()
        return found

    return messages


async def test_a_completed_job_leaves_its_stream_and_is_recorded_and_announced(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    (entry,) = _deliver(client, keys)
    heard = _heard(client, keys.ended)
    assert await app.client.store.outcomes.settle(link, {"q": [_done(entry)]}) == []
    (message,) = heard()
    assert list(ended(message.encode())) == [(entry, b"c" + RECORD)]
    assert client.xlen(keys.ready) == client.xpending(keys.ready, GROUP)["pending"] == 0
    (record,) = client.hvals(keys.finished)
    assert record == "c" + RECORD.decode()
    assert client.lrange(keys.completed, 0, -1) == [entry]


async def test_an_outcome_of_what_is_no_longer_held_is_refused_and_nothing_of_it_written(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    (entry,) = _deliver(client, keys)
    await app.client.store.recovery.reclaim(link, "q", "w", None)
    before = {key: client.dump(key) for key in client.scan_iter(f"{keys.ready[:11]}*")}
    for outcome in (
        _done(entry), _done(entry, FAILED), Settlement(DELAYED, 1, entry.encode(), entry, b"t\n{}\n1", "5")
    ):  # fmt: skip
        assert await app.client.store.outcomes.settle(link, {"q": [outcome]}) == [entry.encode()]
    assert {key: client.dump(key) for key in client.scan_iter(f"{keys.ready[:11]}*")} == before


async def test_the_same_outcome_twice_counts_once(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    (entry,) = _deliver(client, keys)
    assert await app.client.store.outcomes.settle(link, {"q": [_done(entry), _done(entry, FAILED)]}) == [
        entry.encode()
    ]
    assert client.lrange(keys.completed, 0, -1) == [entry]
    assert client.zcard(keys.failures) == 0


async def test_one_refused_outcome_leaves_the_others_of_its_batch_as_they_are(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    entries = _deliver(client, keys, 3)
    await app.client.store.delivery.release(link, "q", [(1, entries[1].encode())])
    heard = _heard(client, keys.ended)
    assert await app.client.store.outcomes.settle(link, {"q": [_done(entry) for entry in entries]}) == [
        entries[1].encode()
    ]
    assert client.lrange(keys.completed, 0, -1) == [entries[0], entries[2]]
    assert set(client.hkeys(keys.finished)) == {entries[0], entries[2]}
    assert client.xlen(keys.ready) == 1, "the one that was given back waits"
    (message,) = heard()
    assert [job_id for job_id, _ in ended(message.encode())] == [entries[0], entries[2]]


async def test_one_refused_retry_leaves_the_others_their_own_due_times(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    entries = _deliver(client, keys, 3)
    await app.client.store.delivery.release(link, "q", [(1, entries[0].encode())])
    retries = [
        Settlement(DELAYED, 1, entry.encode(), entry, b"t\n{}\n1", str(10_000_000 * at))
        for at, entry in enumerate(entries, 1)
    ]
    assert await app.client.store.outcomes.settle(link, {"q": retries}) == [entries[0].encode()]
    (_, second), (_, third) = client.zrange(keys.delayed, 0, -1, withscores=True)
    assert third - second == 10_000_000
    assert client.zrange(keys.delayed, 0, -1) == entries[1:]


@pytest.mark.parametrize("older", ["", "pending", "stranded"])
async def test_a_whole_read_leaves_by_a_trim_and_takes_nothing_older_or_newer_with_it(
    app: App, link: Links, client: redis.Redis, keys: Keys, older: str
) -> None:
    kept = _deliver(client, keys, 2) if older else []
    if older == "stranded":
        client.xgroup_delconsumer(keys.ready, GROUP, "w")
    read = _deliver(client, keys, 40)
    kept += [client.xadd(keys.ready, {"task": "t", "payload": "1", "headers": ""})]
    before = calls(client, "xtrim")
    reads = {("q", 1, read[0].encode()): [entry.encode() for entry in read]}
    done = {"q": [_done(entry) for entry in read]}
    assert await app.client.store.outcomes.settle(link, done, reads) == []
    assert calls(client, "xtrim") - before == (not older)
    assert [entry for entry, _ in client.xrange(keys.ready)] == kept
    assert client.lrange(keys.completed, 0, -1) == read


async def test_records_are_signalled_up_to_a_budget_and_the_ids_of_all(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    """A long record does not keep the short ones behind it from being carried; payloads are left out."""
    entries = _deliver(client, keys, 4)
    sizes = (500_000, 1_100_000, 300_000, 10)
    heard = _heard(client, keys.ended)
    done = [
        _done(entry)._replace(body=b"c7 0 w\nt\n\n" + b"1" * size + b"\n" + b"2" * 1_000)
        for entry, size in zip(entries, sizes, strict=True)
    ]
    assert await app.client.store.outcomes.settle(link, {"q": done}) == []
    messages = heard()
    assert max(map(len, messages)) < 1_048_576
    expected = [None if s.job_id == entries[1] else s.body[:-1_000] for s in done]
    told = [job for message in messages for job in ended(message.encode())]
    assert told == list(zip(entries, expected, strict=True))


async def test_a_delayed_outcome_parks_the_job_under_its_own_id_and_wakes_the_scheduler(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    (entry,) = _deliver(client, keys)
    heard, silent = _heard(client, keys.signals), _heard(client, keys.ended)
    await app.client.store.outcomes.settle(
        link, {"q": [Settlement(DELAYED, 1, entry.encode(), "5-5", b't\n{"id":"5-5"}\n1', "60000")]}
    )
    assert client.hgetall(keys.parked) == {"5-5": 't\n{"id":"5-5"}\n1'}
    ((job_id, due),) = client.zrange(keys.delayed, 0, -1, withscores=True)
    seconds, micros = client.time()
    assert job_id == "5-5"
    assert 59_000 < due - (seconds * 1000 + micros // 1000) <= 60_000
    assert heard() == [f"due {int(due)}\n\n"]
    assert silent() == []


async def test_one_call_takes_more_outcomes_than_lua_can_unpack(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    entries = _deliver(client, keys, 9_000)
    assert await app.client.store.outcomes.settle(link, {"q": [_done(entry) for entry in entries]}) == []
    assert client.xlen(keys.ready) == 0
    assert client.llen(keys.completed) == client.hlen(keys.finished) == 1_000
    assert client.lindex(keys.completed, -1) == entries[-1]
