"""The accounts of the gate are compared with the jobs there are: whatever was done to its keys, an audit mends it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest
import redis

from streamq import App, StreamqError
from streamq.doctor import examine
from streamq.duties.auditor import Auditor
from streamq.model.envelope import Delivery, parked
from streamq.model.keys import GROUP, Keys
from streamq.model.lanes import GATE
from streamq.model.outcomes import DELAYED
from streamq.store.accounts import Place
from streamq.store.outcomes import Settlement

from ..rig import ON_ONE_SERVER, census, until, working

pytestmark = ON_ONE_SERVER
GROUPS = ("a", "b", "c:1", "c:2", "s", "r", "")
JOBS = 40
ODD = ("", "x", "-1", "0", "1.5", "nan", "inf", "99999999999999999999", "\xff\n", "a\nb")


class Damage:
    """Whatever a hand may do to the keys of a gate."""

    def __init__(self, client: redis.Redis, keys: Keys, chance: random.Random) -> None:
        self.client, self.keys, self.chance = client, keys, chance

    def some(self, members: list[str]) -> str:
        return self.chance.choice(members) if members else "x"

    def hash_field(self) -> None:
        key = self.chance.choice([self.keys.out, self.keys.used, self.keys.gate, self.keys.moved])
        self.client.hdel(key, self.some(self.client.hkeys(key)))

    def number(self) -> None:
        scope = self.chance.choice(["queue", "task:t", "group:a", "group:c", "group:s"])
        with contextlib.suppress(redis.ResponseError):  # another damage has made it no number
            self.client.hincrby(self.keys.used, scope, self.chance.randint(-2, 3))

    def text(self) -> None:
        key = self.chance.choice([self.keys.used, self.keys.out])
        names = self.client.hkeys(key)
        self.client.hset(key, self.chance.choice([self.some(names), "9-9", "x"]), self.chance.choice(ODD))

    def of_the_gate(self) -> None:
        name = self.chance.choice(["idle", "bell", "direct", "time", "plain", "entered"])
        self.client.hset(self.keys.gate, name, self.chance.choice(ODD))

    def key(self) -> None:
        lines = [self.keys.line + f"1:{group}" for group in GROUPS]
        keys = self.keys
        self.client.delete(
            self.chance.choice(
                [*lines, keys.out, keys.used, keys.lines, keys.turns, keys.opens, keys.shut, keys.rested, keys.gate,
                 keys.bell, keys.parts + "c", keys.waits + "queue", keys.waits + "group:c"]
            )
        )  # fmt: skip

    def line(self) -> None:
        group = self.some(self.client.zrange(self.keys.lines, 0, -1))
        name = f"{self.keys.line}1:{group}"
        self.client.lrem(name, 1, self.some(self.client.lrange(name, 0, -1)))

    def count(self) -> None:
        group = self.some([*self.client.zrange(self.keys.lines, 0, -1), "nobody"])
        self.client.zadd(self.keys.lines, {group: self.chance.choice([-3, 0, 0.5, 1, 90])})

    def turn(self) -> None:
        for key in (self.keys.turns, self.keys.parts + "c", self.keys.waits + "queue", self.keys.rested):
            self.client.zrem(key, self.some(self.client.zrange(key, 0, -1)))
        self.client.zadd(self.keys.turns, {self.some(self.client.zrange(self.keys.turns, 0, -1)): 1e300})

    def consumer(self) -> None:
        for lane in (self.keys.passed, self.keys.alone):
            with contextlib.suppress(redis.ResponseError):  # it is not there, or has no consumers any more
                self.client.xgroup_delconsumer(lane, GROUP, "w1")

    def consumers(self) -> None:
        if self.client.exists(self.keys.passed):
            self.client.xgroup_destroy(self.keys.passed, GROUP)

    def any_of_all(self, count: int) -> list[str]:
        acts: list[Callable[[], None]] = [
            self.hash_field, self.number, self.text, self.of_the_gate, self.key, self.line, self.count, self.turn,
            self.consumer, self.consumers,
        ]  # fmt: skip
        done = []
        for act in self.chance.choices(acts, k=count):
            act()
            done.append(act.__name__)
        return done


def balance(client: redis.Redis, keys: Keys) -> None:
    """Slots are those of jobs past the gate, each scope counts its own, and each line those that are held in it."""
    used: Counter[str] = Counter()
    out = client.hgetall(keys.out)
    passed = {fields["headers"].split('"')[3] for _, fields in client.xrange(keys.passed)}
    parked = client.hgetall(keys.parked)
    assert passed <= out.keys() <= passed | parked.keys()
    for told in out.values():
        group, task = told.split("\n")
        tenant = group.partition(":")[0]
        used.update({f"group:{group}", *(("queue", f"task:{task}", f"group:{tenant}") if task else ())})
    assert {scope: int(n) for scope, n in client.hgetall(keys.used).items()} == dict(used)
    held: Counter[str] = Counter()
    for job_id in set(parked) - set(client.zrange(keys.delayed, 0, -1)):
        group = parked[job_id].split('"group":"')[1].split('"')[0] if '"group"' in parked[job_id] else "*"
        held[group] += 1
    assert {group: int(n) for group, n in client.zrange(keys.lines, 0, -1, withscores=True)} == dict(held)


def _delayed(delivery: Delivery) -> Settlement:
    """The job is to be tried again; its group is strict, so it keeps the slot."""
    said = b'{"id":"%b","group":"s","attempt":1,"returned":true}' % delivery.job_id.encode()
    return Settlement(
        DELAYED, GATE, delivery.entry, delivery.job_id, parked("t", said, delivery.payload), "200"
    )


@pytest.fixture
async def auditor(app: App) -> AsyncIterator[Auditor]:
    auditor = Auditor(app.client.store, lambda: ["q"])
    yield auditor
    await auditor.close()


@pytest.mark.parametrize("seed", [*range(1, 5), None])
async def test_after_any_damage_an_audit_balances_the_accounts_and_each_job_runs_once(
    app: App, auditor: Auditor, client: redis.Redis, prefix: str, seed: int | None
) -> None:
    seed = seed or secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201  # shown when the test fails
    keys, chance, ran = Keys(prefix, "q"), random.Random(seed), Counter[int]()  # noqa: S311  # not a secret
    damage, queue, links = Damage(client, keys, chance), app.queue("q"), app.client.store.links()

    @app.task(name="t", queue="q")
    async def work(number: int) -> None:
        ran[number] += 1

    await app.client.store.delivery.join(links, ["q"])
    await queue.limit(concurrency=6)
    await queue.group("a").limit(concurrency=1)
    await queue.group("c").limit(concurrency=2)
    await queue.group("s").limit(concurrency=1)
    await queue.group("r").limit(rate="4/300ms")
    for number in range(JOBS):
        await app.enqueue("q", "t", number, group=chance.choice(GROUPS) or None)
    for worker, wanted in (("w1", 4), ("w2", 2)):
        passed = (await app.client.store.delivery.through_gate(links, worker, {"q": (wanted, ())}))["q"]
        assert not isinstance(passed, StreamqError)
        came = [Delivery("q", lane, raw) for lane, raws in passed.entries for raw in raws]
        later = [_delayed(each) for each in came if each.headers.get("group") == "s"]
        if later:
            await app.client.store.outcomes.settle(links, {"q": later})
    done = damage.any_of_all(chance.randint(1, 6))
    print(done)  # noqa: T201
    await auditor.once()
    balance(client, keys)
    await auditor.once()
    balance(client, keys)
    assert not await app.client.store.accounts.compare(links, "q", mend=False), "what is mended is right"
    for worker in ("w1", "w2"):
        await app.client.store.recovery.reclaim(links, "q", worker, None)
    async with working(app, concurrency=10):
        await until(lambda: sum(ran.values()) >= JOBS, 8)
    assert ran == dict.fromkeys(range(JOBS), 1)
    census(client, prefix, "q").check()
    await links.close()


async def test_who_waits_for_the_end_of_a_job_of_its_group_is_called_though_nobody_knew_that_any_were_closed(
    app: App, auditor: Auditor, client: redis.Redis, prefix: str
) -> None:
    ran, end = list[int](), asyncio.Event()
    await app.queue("q").group("g").limit(concurrency=1)

    @app.task(queue="q", group="g")
    async def t(number: int) -> None:
        ran.append(number)
        await end.wait()

    async with working(app):
        await t.enqueue_many(range(3))
        await until(lambda: ran == [0] and client.exists(Keys(prefix, "q").shut))
        client.delete(Keys(prefix, "q").shut)
        await auditor.once()
        end.set()
        await until(lambda: ran == [0, 1, 2], 8)


async def test_the_doctor_tells_what_is_wrong_with_the_accounts_and_mends_it(
    app: App, client: redis.Redis, prefix: str
) -> None:
    keys, queue = Keys(prefix, "q"), app.queue("q")
    await queue.group("a").limit(concurrency=1)
    await app.enqueue_many("q", "t", range(5), group="a")
    async with app.client.store.pool.links() as links:
        await app.client.store.delivery.through_gate(links, "w", {"q": (1, ())})
    client.hset(keys.out, "7-7", "a\nt")  # of a job that is not there: nobody would leave
    client.hincrby(keys.used, "group:a", 3)
    client.delete(keys.line + "1:a", keys.lines, keys.turns)
    for repair, code in ((False, "accounts-wrong"), (True, "accounts-mended")):
        (finding,) = [each for each in await examine(app, repair=repair) if each.check == "accounts"]
        assert finding.code == code
        assert "1 slots were of jobs that are not past the gate" in finding.said
        assert "scopes were counted wrong" in finding.said
    assert not [each for each in await examine(app) if each.check in {"accounts", "unique"}]
    balance(client, keys)


async def test_one_audit_looks_at_a_part_of_many_held_jobs_and_the_next_goes_on(
    app: App, client: redis.Redis, prefix: str
) -> None:
    keys, place = Keys(prefix, "q"), Place(pages=1)
    for group in range(3):
        await app.enqueue_many("q", "t", range(200), group=f"g{group}")
    client.delete(*client.keys(keys.line + "*"))
    mended = []
    async with app.client.store.pool.links() as links:
        while not mended or place.parked != b"0":
            mended.append((await app.client.store.accounts.compare(links, "q", mend=True, place=place)).held)
        assert sum(mended) == 600
        assert max(mended) < 300
        assert not await app.client.store.accounts.compare(links, "q", mend=False)
    balance(client, keys)
