"""What others did to the keys of a gate: a wrong type stops its own queue alone, and foreign members stop nobody."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
import redis

from streamq import App, Rejected, StreamqError
from streamq.doctor import examine
from streamq.duties.auditor import Auditor
from streamq.model.keys import Keys

from ..rig import ON_ONE_SERVER, until, working

pytestmark = ON_ONE_SERVER
KEYS = (
    "gate",
    "lines",
    "turns",
    "rested",
    "opens",
    "shut",
    "out",
    "used",
    "limits",
    "bell",
    "passed",
    "leases",
)
ENDS = {"line": "1:a", "parts": "t", "waits": "queue", "starts": "group:r"}
ODD = (
    "", "x", "-1", "0", "01", "1.5", "nan", "inf", "-inf", "1e300", "99999999999999999999", "\u00ff\n", "a\nb", "a:",
    ":",
    "a:b:c", "*", "group:", "group:a", "1-1", "jobs=abc starts=5 weight=0 window=", "jobs=nan window=inf weight=1e999",
    "9007199254740993 {", "{", "5 x=1",
)  # fmt: skip


def key_of(keys: Keys, name: str) -> str:
    return str(getattr(keys, name)) + ENDS.get(name, "")


async def fill(app: App, keys: Keys) -> None:
    """A queue of which every key of the gate is in use."""
    queue = app.queue("q")
    await queue.limit(concurrency=8)
    await queue.group("a").limit(concurrency=2)
    await queue.group("r").limit(rate="3/200ms", max_waiting=1_000)
    for group in ("a", "b", "t:1", "t:2", "r", None):
        await app.enqueue_many("q", "work", range(6), group=group)
    async with app.client.store.pool.links() as links:
        await app.client.store.delivery.join(links, ["q"])
        await app.client.store.delivery.through_gate(links, "w", {"q": (9, ())})


@pytest.mark.parametrize(
    "name",
    [
        "gate",
        "out",
        "used",
        "limits",
        "opens",
        "starts",
        "lines",
        "turns",
        "bell",
        "parts",
        "waits",
        "line",
        "rested",
        "shut",
        "leases",
        "passed",
    ],
)
async def test_a_key_of_the_gate_of_another_type_stops_its_queue_alone_and_is_told_in_a_sentence(
    app: App, client: redis.Redis, prefix: str, name: str
) -> None:
    ran, keys = Counter[str](), Keys(prefix, "q")

    @app.task(queue="other")
    async def other(number: int) -> None:
        ran["other"] += 1

    @app.task(queue="q")
    async def work(number: int) -> None:
        ran["q"] += 1

    await fill(app, keys)
    async with app.client.store.pool.links() as links:
        await app.client.store.recovery.reclaim(links, "q", "w", None)
    key = key_of(keys, name)
    aside = f"{key}:aside"
    if client.exists(key):
        client.rename(key, aside)
    client.set(key, "of another type")
    async with working(app, concurrency=10):
        await other.options(group="a").enqueue(1)
        await until(lambda: ran["other"] == 1)
        said = (await asyncio.gather(app.enqueue("q", "work", 1, group="a"), return_exceptions=True))[0]
        assert not isinstance(said, BaseException) or isinstance(said, Rejected)
        findings = await examine(app, repair=True)
        assert not [each for each in findings if each.code.startswith("unseen")]
        if name in KEYS:
            assert any(each.code == "key-of-another-type" and key in each.said for each in findings)
        client.delete(key)
        if client.exists(aside):
            client.rename(aside, key)
        before = 36 + (not isinstance(said, BaseException))
        auditor = Auditor(app.client.store, lambda: ["q"])
        await auditor.once()
        await auditor.close()
        await until(lambda: ran["q"] >= before, 8)
    assert ran["q"] == before


@pytest.mark.parametrize("seed", range(5))
async def test_foreign_members_of_the_keys_of_a_gate_stop_no_call_and_each_job_runs_once(
    app: App, client: redis.Redis, prefix: str, seed: int
) -> None:
    ran, keys, chance = Counter[Any](), Keys(prefix, "q"), random.Random(seed)  # noqa: S311  # not a secret

    @app.task(queue="q")
    async def work(number: int) -> None:
        ran["q"] += 1

    await fill(app, keys)
    store, queue = app.client.store, app.queue("q")
    links = store.links()
    for name in (*KEYS, *ENDS):
        key = key_of(keys, name)
        for odd in chance.sample(ODD, 5):
            write(client, chance, name, key, odd)
    said = await store.delivery.through_gate(links, "w", {"q": (3, ())})
    assert not isinstance(said["q"], StreamqError), said
    await queue.groups(limit=100)
    for group in ("a", "r", "t:1"):
        await queue.group(group).status()
        await queue.group(group).pause("x", until=60)
        await queue.group(group).resume()
    await queue.group("b").limit(concurrency=3, weight=2)
    job = await app.enqueue("q", "work", 1, group="b")
    await queue.why(job.id)
    await store.recovery.audit(links, "q")
    wrong = await store.accounts.compare(links, "q", mend=True)
    assert wrong
    assert not await store.accounts.compare(links, "q", mend=False)
    await store.recovery.reclaim(links, "q", "w", None)
    for scope in ("a", "b", "r", "t", "*", "*:*", "t:1", "t:2"):
        client.hdel(keys.limits, f"group:{scope}", f"pause group:{scope}")
    client.hdel(keys.limits, "queue", "pause queue", "task:work", "pause task:work")
    async with working(app, concurrency=10):
        await until(lambda: ran["q"] >= 37, 8)
    assert ran["q"] == 37
    await links.close()


def write(client: redis.Redis, chance: random.Random, name: str, key: str, odd: str) -> None:
    """Something that is none of ours."""
    if name in ("gate", "out", "used", "limits", "leases"):
        field = chance.choice(
            [*(client.hkeys(key) or ["x"]), odd or "x", "idle", "time", "waits x", "pause group:a"]
        )
        if name == "limits" and field.startswith(("told", "code")):
            return
        client.hset(key, field, odd)
    elif name in ("bell", "passed"):
        if name == "bell" and client.exists(key):
            client.xadd(key, {"x": odd or "x"})
    elif name in ("line", "starts"):
        chance.choice([client.rpush, client.lpush])(key, odd)
    else:
        score = chance.choice([-1, 0, 0.5, 1e300, "inf", "-inf"])
        client.zadd(key, {odd: score})
