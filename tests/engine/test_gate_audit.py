"""The accounts of the gate, damaged by hand, are mended by the audit, and every job runs once."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Callable

import pytest
import redis

from streamq import App, Limit
from streamq.doctor import examine
from streamq.duties.auditor import Auditor
from streamq.model.keys import GROUP, Keys

from ..rig import ON_ONE_SERVER, until, working

pytestmark = [pytest.mark.keeps_keys]
GROUPS = ("a", "b", "c:1", "c:2")
JOBS = 12


def damages(client: redis.Redis, keys: Keys, chance: random.Random) -> dict[str, Callable[[], object]]:
    """What a hand, a restore of old data or a bug might do to each of the keys."""

    def line() -> str:
        return f"{keys.line}1:{chance.choice(GROUPS)}"

    def one(key: str) -> str:
        names = sorted(client.hkeys(key))
        return chance.choice(names) if names else "none"

    return {
        "a slot is lost": lambda: client.hdel(keys.out, one(keys.out)),
        "a slot of nobody": lambda: client.hset(keys.out, "1-1", "a\nt"),
        "all slots are lost": lambda: client.delete(keys.out),
        "a count is too high": lambda: client.hincrby(keys.used, "group:a", 3),
        "a count is too low": lambda: client.hset(keys.used, "queue", 0),
        "all counts are lost": lambda: client.delete(keys.used),
        "a count of nobody": lambda: client.hset(keys.used, "group:nobody", "x"),
        "a line has a wrong number": lambda: client.zincrby(keys.lines, chance.choice([-2, 5]), chance.choice(GROUPS)),
        "all numbers of lines are lost": lambda: client.delete(keys.lines),
        "an id is lost": lambda: client.rpop(line()),
        "a line is lost": lambda: client.delete(line()),
        "turns are lost": lambda: client.delete(keys.turns),
        "a turn is lost": lambda: client.zrem(keys.turns, chance.choice("abc")),
        "the parts of a tenant are lost": lambda: client.delete(f"{keys.parts}c"),
        "who waits is lost": lambda: client.delete(f"{keys.waits}queue", keys.opens),
        "the state is lost": lambda: client.hdel(keys.gate, "time", "bell", "parts", "waits", "back"),
        "a consumer is deleted": lambda: client.xgroup_delconsumer(keys.passed, GROUP, "gone"),
    }  # fmt: skip


@ON_ONE_SERVER
@pytest.mark.parametrize("seed", [1, 2, None])
async def test_after_any_damage_an_audit_lets_every_job_run_once_and_the_accounts_are_right(
    app: App, client: redis.Redis, prefix: str, seed: int | None
) -> None:
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    print("seed", seed)  # noqa: T201
    keys, chance, ran = Keys(prefix, "q"), random.Random(seed), Counter[int]()  # noqa: S311
    app.limit("q", Limit(concurrency=3), groups=Limit(concurrency=2), parts=Limit(concurrency=1))

    @app.task(queue="q", name="t")
    async def t(number: int) -> None:
        ran[number] += 1
        await asyncio.sleep(0.002)

    async with working(app) as worker:
        await worker.is_ready.wait()
    for number in range(len(GROUPS) * JOBS):
        await app.enqueue("q", "t", number, group=GROUPS[number % len(GROUPS)])
    links = app.client.store.links()
    await app.client.store.delivery.through_gate(links, "gone", {"q": (5, ())})  # and this worker is lost
    all_of_them = damages(client, keys, chance)
    chosen = chance.sample(sorted(all_of_them), 4)
    print(chosen)  # noqa: T201
    for name in chosen:
        all_of_them[name]()
    auditor = Auditor(app.client.store, lambda: ["q"])
    for _ in range(3):  # who is on no list is recovered at the second
        await auditor.once()
    await auditor.close()
    audit = await app.client.store.recovery.audit_gate(links, "q", repair=False)
    assert not audit.wrong, audit.first
    async with working(app):
        await until(lambda: len(ran) == len(GROUPS) * JOBS, 15)
        await until(lambda: not client.exists(keys.out, keys.used, keys.lines, keys.turns))
    assert set(ran.values()) == {1}
    await links.close()


@ON_ONE_SERVER
async def test_the_doctor_tells_what_is_wrong_and_mends_it(
    app: App, client: redis.Redis, prefix: str
) -> None:
    keys = Keys(prefix, "q")
    await app.enqueue("q", "t", 1, group="a")
    assert not [found for found in await examine(app) if found.check == "gate"]
    client.hset(keys.out, "1-1", "a\nt")
    client.hincrby(keys.used, "group:a", 1)
    client.delete(keys.lines)
    (wrong,) = [found for found in await examine(app) if found.check == "gate"]
    assert (wrong.code, wrong.verdict) == ("gate-wrong", "fail")
    assert "slot of 1-1" in wrong.said
    assert "is in no line" in wrong.said
    (mended,) = [found for found in await examine(app, repair=True) if found.check == "gate"]
    assert mended.code == "gate-mended"
    assert not [found for found in await examine(app) if found.check == "gate"]
