"""A flood of acts: the audit trail keeps the latest, in bounded bytes and pages."""

from __future__ import annotations

import time
from typing import Any

import redis

from streamq import App
from streamq.model import codec
from streamq.model.keys import Keys
from streamq.model.trail import DETAILS, written
from streamq.redis import scripts
from streamq.store.trail import KEPT

from .conftest import FLOOD, ON_SERVERS
from .looks import bytes_of, bytes_sent, bytes_used, figure, letters

AT_ONCE = 500
ENTRY_BYTES = DETAILS + 900
"""Bytes of an act at most: its details, and an actor, a subject and an act of 200 each, with what they cost."""
BLOCK = 100
"""Acts that are forgotten at once, so that there may be as many more."""


def fields(number: int) -> list[Any]:
    """An act as the trail gets it, the largest that there can be for the most part."""
    reason = f"{number} " + letters(number) * 2_000
    details = written({"reason": reason[: (DETAILS - 20, 2 * DETAILS, 30)[number % 3]]})
    return [
        "actor",
        f"{letters(number):a>200}",
        "action",
        "queue.pause",
        "subject",
        "s" * 200,
        "details",
        details,
    ]


@ON_SERVERS
async def test_a_flood_of_acts_leaves_the_latest_in_bounded_bytes_and_pages(
    app: App, client: redis.Redis, prefix: str, record_property: Any
) -> None:
    trail, began, used = Keys(prefix, "q").trail, time.monotonic(), bytes_used(client)
    await app.enqueue("q", "t", 1)
    async with app.client.store.pool.links() as links:
        for start in range(0, FLOOD, AT_ONCE):
            on = scripts.TRAIL.on(trail=trail)
            calls = [(on, [KEPT, *fields(number)]) for number in range(start, start + AT_ONCE)]
            await scripts.TRAIL.run_each(links.of("q"), calls)
            if start * 10 % FLOOD < AT_ONCE * 10:
                bounded(client, trail)
    figure(record_property, "acts a second", FLOOD / (time.monotonic() - began))
    figure(record_property, "KB of the trail", bounded(client, trail) / 1000)
    assert bytes_used(client) - used < 2 * (KEPT + BLOCK) * ENTRY_BYTES, (
        "what it reads and writes in between as well"
    )
    with app.acting("alice"):
        await app.queue("q").pause("the last act")

    sent, met, cursor = bytes_sent(client), [], None
    while True:
        page = await app.audit(limit=300, cursor=cursor)
        met += page.items
        cursor = page.next
        if cursor is None:
            break
    assert bytes_sent(client) - sent < 1.1 * (KEPT + BLOCK) * ENTRY_BYTES
    assert (met[0].actor, met[0].details) == ("alice", {"reason": "the last act"})
    assert [each.actor.lstrip("a") for each in met[1:]] == [
        letters(number).lstrip("a") for number in range(FLOOD - 1, FLOOD - len(met), -1)
    ], "each once, the latest first"
    assert len(met) == client.xlen(trail)
    assert max(len(codec.dumps(dict(each.details))) for each in met) <= DETAILS


def bounded(client: redis.Redis, trail: str) -> int:
    """Look at the key; its bytes."""
    assert client.xlen(trail) <= KEPT + BLOCK
    size = bytes_of(client, trail)
    assert size < (KEPT + BLOCK) * ENTRY_BYTES
    return size


@ON_SERVERS
async def test_a_page_of_many_queues_reads_little_more_than_it_has(
    app: App, client: redis.Redis, prefix: str
) -> None:
    queues, each = [f"q{number}" for number in range(60)], 100
    for number, queue in enumerate(queues):
        with client.pipeline() as pipe:
            pipe.sadd(f"{prefix}:queues", queue)
            for act in range(each):
                at = f"{1_000 + act}-{number}" if number % 2 else f"{2_000 + act}-{number}"
                pipe.xadd(Keys(prefix, queue).trail, {"actor": "a", "action": "queue.pause"}, id=at)
            pipe.execute()
    sent, met, cursor = bytes_sent(client), list[tuple[str, str]](), None
    for _ in range(3):
        page = await app.audit(limit=300, cursor=cursor)
        met += [(entry.id, entry.queue) for entry in page.items]
        cursor = page.next
    newest = sorted(
        ((2_000 + act, number) for number in range(0, 60, 2) for act in range(each)), reverse=True
    )
    assert met == [(f"{ms}-{number}", f"q{number}") for ms, number in newest[:900]]
    assert bytes_sent(client) - sent < 60 * 3 * each * 70 / 2, (
        "half of what three looks at all of it would bring"
    )
