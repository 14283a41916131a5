"""enqueue.lua: a lone job is added before its producer's record is looked at, and taken back where that must be."""

from __future__ import annotations

import pytest
import redis

from streamq import App, Rejected, Unavailable
from streamq.model.envelope import New
from streamq.model.keys import Keys
from streamq.redis.links import Links

from ..rig import ON_ONE_SERVER, enqueue_batch


@ON_ONE_SERVER
async def test_a_lone_job_that_is_answered_or_refused_is_not_added(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    store, job, record = app.client.store, [New("t", b"1")], keys.producer + "p"
    first = await enqueue_batch(store, link, "q", "p", 7, job, "memory")
    assert await enqueue_batch(store, link, "q", "p", 7, job, "memory") == first
    assert client.get(record) == f"7 {first[0]}"
    with pytest.raises(Unavailable, match="STALE"):
        await enqueue_batch(store, link, "q", "p", 6, job, "memory")
    assert client.get(record) == f"7 {first[0]}"
    assert 0 < client.ttl(record) <= 3_600
    client.delete(record)
    client.sadd(record, "of another type")
    with pytest.raises(Rejected, match="WRONGTYPE"):
        await enqueue_batch(store, link, "q", "p", 8, job, "memory")
    assert [entry for entry, _ in client.xrange(keys.ready)] == first
