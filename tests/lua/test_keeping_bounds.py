"""One call of a script that keeps things beside jobs touches a bounded number of them."""

from __future__ import annotations

import pytest
import redis

from streamq import App, UsageError
from streamq.model.keys import Keys
from streamq.model.retention import Kept
from streamq.redis import scripts
from streamq.redis.links import Links
from streamq.store.retention import PAGE, TOLD, tidy_call

from ..rig import ON_ONE_SERVER

pytestmark = ON_ONE_SERVER


async def test_one_write_forgets_a_hundred_entries_that_are_over_and_never_one_that_is_not(
    app: App, client: redis.Redis, keys: Keys
) -> None:
    for number in range(250):
        client.hset(keys.records, f"vover{number}", "1\nnull")
        client.zadd(keys.records_ends, {f"vover{number}": number})
    records = app.records("q")
    for left in (151, 52, 3, 4):
        await records.put(f"k{left}", 1)
        assert client.hlen(keys.records) == client.zcard(keys.records_ends) == left
    assert await records.get("k151") is not None


async def test_tidying_forgets_a_page_beside_as_many_as_are_new(
    app: App, link: Links, client: redis.Redis, keys: Keys
) -> None:
    ids = [f"1-{number}" for number in range(300)]
    client.hset(keys.finished, mapping=dict.fromkeys(ids, "c5 0 w\nt\n\n1\n1"))
    client.rpush(keys.completed, *ids)
    store = app.client.store
    named, arguments = tidy_call(store, "q", "t", Kept(completed=10), ids, is_completed=True)
    assert await scripts.TIDY.run(link.home, named, *arguments) == [290, 0]
    assert client.lrange(keys.completed, 0, -1) == sorted(client.hkeys(keys.finished), key=ids.index)
    old = tidy_call(store, "q", "t", Kept(completed=10), (), is_completed=True)
    client.zadd(named[-1], {f"2-{number}": number for number in range(250)})
    client.hset(keys.finished, mapping={f"2-{number}": "c5 0 w\nt\n\n1\n1" for number in range(250)})
    said = [await scripts.TIDY.run(link.home, old[0], *old[1]) for _ in range(3)]
    assert said == [[PAGE, 1], [PAGE, 1], [50, 0]]


async def test_a_queue_is_told_of_a_bounded_number_of_tasks(
    app: App, client: redis.Redis, keys: Keys
) -> None:
    queue = app.queue("q")
    client.hset(keys.retention, mapping={f"task:{number}": '{"completed":1}' for number in range(TOLD)})
    with pytest.raises(UsageError, match="as many tasks as may be"):
        await queue.keep(task="another", completed=1)
    told = await queue.keep(task="5", completed=2)
    assert (told.tasks["5"].completed, client.hlen(keys.retention)) == (2, TOLD)
