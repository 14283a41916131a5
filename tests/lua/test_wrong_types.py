"""A key of the wrong type: whatever needs it is refused with a typed error, before anything is written."""

from __future__ import annotations

import asyncio

import pytest
import redis

from streamq import App, Rejected
from streamq.bulk import bulk_of
from streamq.errors import StreamqError
from streamq.model.envelope import New
from streamq.model.keys import GROUP, Keys
from streamq.model.operation import new_id
from streamq.model.outcomes import COMPLETED, DELAYED, FAILED
from streamq.redis.links import Links
from streamq.store.jobs import Change
from streamq.store.outcomes import Settlement
from streamq.store.store import Store

from ..rig import ON_ONE_SERVER, enqueue_batch

NAMES = (
    "ready", "alone", "parked", "delayed", "moved", "finished", "completed", "failures", "workers", "cancelled",
    "expired", "cancels", "unique", "retention", "fingerprints", "fingerprinted", "failure_kinds", "operations",
)  # fmt: skip
RECORD = b"5 0 w\nt\n\n{}\n1"
pytestmark = [ON_ONE_SERVER, pytest.mark.parametrize("name", NAMES)]


async def begun(app: App) -> str:
    operation = new_id("q")
    await store_of(app).operations.begin_bulk("q", operation, bulk_of("retry", "state:failed"), 1, "")
    return operation


async def test_a_key_of_the_wrong_type_leaves_no_script_half_done(
    app: App, link: Links, client: redis.Redis, keys: Keys, prefix: str, name: str
) -> None:
    job = await app.enqueue("q", "t", 1)
    for entry in (job.id, "2-2"):
        client.hset(keys.finished, entry, "f" + RECORD.decode())
    client.zadd(keys.failures, {"2-2": 1})
    client.hset(keys.parked, "1-1", 't\n{"id":"1-1"}\n1')  # a retry: its place is noted in `moved`
    client.zadd(keys.delayed, {"1-1": 1})
    client.xreadgroup(GROUP, "w", {keys.ready: ">"})
    client.xadd(keys.ready, {"task": "t", "payload": "1"})
    operation = await begun(app)
    wrong = getattr(keys, name)
    client.delete(wrong)
    client.rpush(wrong, "x") if name != "completed" else client.set(wrong, "x")

    store, entry = store_of(app), job.id.encode()

    async def settle(outcome: Settlement) -> None:
        await store.outcomes.settle(link, {"q": [outcome]})

    acts = {
        "enqueue": lambda: enqueue_batch(store, link, "q", "p", 1, [New("t", b"1"), New("t", b"1", b"", "1")]),
        "promote": lambda: _promote(store, link),
        "release": lambda: store.delivery.release(link, "q", [(1, entry)]),
        "reclaim": lambda: store.recovery.reclaim(link, "q", "w", None),
        "complete": lambda: settle(Settlement(COMPLETED, 1, entry, job.id, b"c" + RECORD)),
        "fail": lambda: settle(Settlement(FAILED, 1, entry, job.id, b"f" + RECORD)),
        "delay": lambda: settle(Settlement(DELAYED, 1, entry, job.id, b"t\n\n1", "5")),
        "requeue": lambda: store.jobs.requeue("q", "2-2"),
        "cancel": lambda: store.jobs.cancel("q", "1-1", "no", ""),
        "change": lambda: store.jobs.change("q", "1-1", Change(due="now", priority="low")),
        "clone": lambda: store.jobs.clone("q", "2-2", b"2", b""),
        "bulk": lambda: _taken(store, operation),
        "remove": lambda: store.jobs.remove("q", "2-2"),
        "prune": lambda: store.retention.prune("q"),
    }  # fmt: skip
    if name in ("cancelled", "expired"):
        del acts["prune"]  # a script for each of them, and those of the others run
    before, refused = _all(client, prefix), set()
    for act, run in acts.items():
        error = (await asyncio.gather(run(), return_exceptions=True))[0]
        if isinstance(error, BaseException):
            assert isinstance(error, Rejected)
            assert "WRONGTYPE" in str(error)
            refused.add(act)
            assert _all(client, prefix) == before, f"{act} was refused and has written"
        else:
            _restore(client, before)
    assert refused, "nothing needs this key"


def store_of(app: App) -> Store:
    return app.client.store


async def _taken(store: Store, operation: str) -> None:
    async with store.pool.links() as links:
        await store.operations.step(links, "q", operation)


async def _promote(store: Store, link: Links) -> None:
    """It tells what went wrong in a queue beside what went well in others."""
    (said,) = (await store.delayed.promote(link, ["q"], 10)).values()
    if isinstance(said, StreamqError):
        raise said


def _all(client: redis.Redis, prefix: str) -> dict[str, object]:
    """Each key of the test by what the server would write of it to a file."""
    with redis.Redis(connection_pool=_raw(client)) as raw:
        return {key: raw.dump(key) for key in client.scan_iter(f"{prefix}*")}


def _restore(client: redis.Redis, before: dict[str, object]) -> None:
    with redis.Redis(connection_pool=_raw(client)) as raw:
        raw.flushdb()
        for key, dumped in before.items():
            raw.restore(key, 0, dumped)


def _raw(client: redis.Redis) -> redis.ConnectionPool:
    given = client.connection_pool
    options = {**given.connection_kwargs, "decode_responses": False}
    return redis.ConnectionPool(connection_class=given.connection_class, **options)
