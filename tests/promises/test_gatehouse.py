"""Random interleavings of everything that moves a job of a group: each step leaves the gate's accounts right."""

from __future__ import annotations

import contextlib
import json
import random
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import redis

from streamq import App, StreamqError, Unique, WrongState
from streamq.model.envelope import Delivery, parked
from streamq.model.keys import GROUP, Keys
from streamq.model.lanes import ALONE
from streamq.model.outcomes import CANCELLED, COMPLETED, DELAYED, EXPIRED, FAILED, HELD
from streamq.model.record import record
from streamq.redis.links import Links
from streamq.redis.scripts import RESUME
from streamq.store.outcomes import Settlement

from ..rig import ON_ONE_SERVER, census

STEPS = 400
GROUPS = ("a", "b", "s", "r", "t", "t:1", "t:2", "t:3")
STRICT, RATED, STARTS = "s", "r", 6
ENDED = {COMPLETED, FAILED, CANCELLED, EXPIRED}
KINDS = (COMPLETED, COMPLETED, FAILED, DELAYED, HELD, CANCELLED, EXPIRED)


class Gatehouse:
    """A queue of groups and all who act on it, at random, beside a plain model of what its gate must say."""

    def __init__(self, app: App, links: Links, client: redis.Redis, prefix: str, seed: int) -> None:
        self.app, self.links, self.client = app, links, client
        self.prefix, self.keys = prefix, Keys(prefix, "q")
        self.store, self.queue = app.client.store, app.queue("q")
        self.random = random.Random(seed)  # noqa: S311  # not a secret
        self.held: dict[str, list[Delivery]] = {"w1": [], "w2": [], "w3": []}
        self.groups: dict[str, str] = {}
        self.tasks: dict[str, str] = {}
        self.unique: dict[str, str] = {}
        self.order: list[str] = []
        """Jobs of the strict group that have not ended, the first to run first."""
        self.limits: dict[str, int] = {f"group:{STRICT}": 1}
        self.paused: set[str] = set()
        self.rated = 0
        self.used: dict[str, int] = {}

    # -- acts -----------------------------------------------------------------------------------------------

    async def enqueue(self) -> None:
        for _ in range(self.random.randint(1, 4)):
            group = self.random.choice((*GROUPS, ""))
            task = "t" if group == STRICT else self.random.choice("ttu")
            options: dict[str, Any] = {"group": group} if group else {}
            if group != STRICT:
                options |= self.random.choice(
                    [{}, {}, {"priority": "high"}, {"priority": "low"}, {"delay": 0.002}, {"delay": 60}]
                )
                if self.random.random() < 0.2:
                    key = f"k{self.random.randint(1, 3)}"
                    options |= {
                        "key": key,
                        "unique": Unique(conflict=self.random.choice(["keep", "queue", "replace", "latest"])),
                    }
            job = await self.app.enqueue("q", task, self.random.randint(0, 9), **options)
            if job.id not in self.groups:
                self.groups[job.id], self.tasks[job.id] = group, task
                self.unique[job.id] = options.get("key", "")
                if group == STRICT:
                    self.order.append(job.id)

    async def gate(self) -> None:
        if not self.client.exists(self.keys.passed):
            return  # no job of a group has come yet: no worker looks
        worker, free = self.random.choice(list(self.held)), self.random.randint(1, 4)
        while free > 0:
            said = (await self.store.delivery.through_gate(self.links, worker, {"q": (free, ())}))["q"]
            assert not isinstance(said, StreamqError), said
            came = [(lane, raw) for lane, entries in said.entries for raw in entries]
            self.take(worker, came)
            free -= len(came)
            if not said.more:
                break
        if free > 0:
            self.check_that_none_waits_in_vain()

    async def fetch(self) -> None:
        worker = self.random.choice(list(self.held))
        lane, entries = await self.store.delivery.fetch(self.links, "q", worker, 2)
        self.take(worker, [(lane, raw) for raw in entries])

    def take(self, worker: str, came: list[tuple[int, Any]]) -> None:
        lost = self.random.random() < 0.1
        for lane, raw in came:
            delivery = Delivery("q", lane, raw)
            group = str(delivery.headers.get("group", ""))
            if group == STRICT:
                assert delivery.job_id == self.order[0], "it has passed another of its group"
            if group == RATED and self.limits:
                assert lane == ALONE or self.rated < STARTS, "more starts than the rate allows"
                self.rated += 1
            if not lost:
                self.held[worker].append(delivery)

    async def settle(self) -> None:
        worker = self.random.choice(list(self.held))
        count = self.random.randint(1, 3)
        batch, self.held[worker] = self.held[worker][:count], self.held[worker][count:]
        settlements = [self._outcome(delivery) for delivery in batch]
        if settlements:
            await self.store.outcomes.settle(self.links, {"q": settlements})

    def _outcome(self, delivery: Delivery) -> Settlement:
        kind, due = self.random.choice(KINDS), ""
        key = self.unique.get(delivery.job_id, "")  # it may have been lost, found by others and deleted
        headers: dict[str, Any] = {"id": delivery.job_id, **json.loads(delivery.raw_headers or b"{}")}
        if kind == DELAYED:
            headers |= {"attempt": 1, "returned": 1}
            due, key = self.random.choice(["0", "1", "60000"]), ""
        if kind in {DELAYED, HELD}:
            raw = json.dumps(headers, separators=(",", ":")).encode()
            body, key = parked(delivery.task, raw, delivery.payload), ""
        else:
            body = record(kind, delivery, 1, 1, b"w", delivery.raw_headers, b"{}")
        return Settlement(kind, delivery.lane, delivery.entry, delivery.job_id, body, due, key)

    async def release(self) -> None:
        worker = self.random.choice(list(self.held))
        given, self.held[worker] = self.held[worker][:2], self.held[worker][2:]
        if given:
            await self.store.delivery.release(self.links, "q", [(each.lane, each.entry) for each in given])

    async def reclaim(self) -> None:
        await self.store.recovery.reclaim(self.links, "q", self.random.choice(list(self.held)), None)

    async def promote(self) -> None:
        await self.store.delayed.promote(self.links, ["q"], self.random.randint(1, 5))
        await RESUME.run(self.links.of("q"), self.keys, self.random.randint(1, 5))

    async def strand(self) -> None:
        lane = self.random.choice([self.keys.ready, self.keys.alone, self.keys.passed, self.keys.bell])
        with contextlib.suppress(redis.ResponseError):  # it is not there yet
            self.client.xgroup_delconsumer(lane, GROUP, self.random.choice(list(self.held)))

    async def audit(self) -> None:
        await self.store.recovery.audit(self.links, "q")

    async def requeue(self) -> None:
        for job_id in self.client.zrange(self.random.choice([self.keys.failures, self.keys.cancelled]), 0, 0):
            if self.groups[job_id] == STRICT and self.client.zscore(self.keys.cancelled, job_id):
                continue  # one that was cancelled in its line may find its old place there
            with contextlib.suppress(StreamqError):  # another job has its key
                await self.queue.retry(job_id)
                if self.groups[job_id] == STRICT:
                    self.order.append(job_id)

    async def change(self) -> None:
        job_id = self.some_job()
        act = self.random.choice(["cancel", "promote", "later", "soon", "priority", "delete", "edit"])
        if not job_id or (self.groups[job_id] == STRICT and act not in {"cancel", "delete"}):
            return
        with contextlib.suppress(WrongState):
            if act == "cancel":
                await self.queue.cancel(job_id)
            elif act == "promote":
                await self.queue.promote(job_id)
            elif act == "priority":
                await self.queue.change_priority(job_id, self.random.choice(["high", "normal", "low"]))
            elif act == "edit":
                await self.queue.edit(job_id, 7)
            elif act == "delete":
                await self.queue.delete(job_id)
                for known in (self.groups, self.tasks, self.unique):
                    del known[job_id]
            else:
                await self.queue.reschedule(job_id, delay=0.001 if act == "soon" else 60)

    def some_job(self) -> str:
        return self.random.choice(list(self.groups)) if self.groups else ""

    async def limit(self) -> None:
        scope, value = self.random.choice(["queue", "task:u", "group:a", "group:t", "group:t:1"]), None
        value = self.random.choice([1, 2, 3, None])
        name = scope.partition(":")[2]
        if scope in {"queue", "task:u"}:
            await self.queue.limit(concurrency=value, task=name or None)
        else:
            await self.queue.group(name).limit(concurrency=value)
        self.limits.pop(scope, None)
        if value:
            self.limits[scope] = value

    async def pause(self) -> None:
        group = self.random.choice(["a", "b", "t"])
        if group in self.paused:
            await self.queue.group(group).resume()
            self.paused.discard(group)
        else:
            await self.queue.group(group).pause()
            self.paused.add(group)

    async def pause_task(self) -> None:
        if not await self.queue.resume(task="u"):
            await self.queue.pause(task="u")

    # -- what must hold -------------------------------------------------------------------------------------

    def scopes_of(self, group: str, task: str) -> list[str]:
        tenant = group.partition(":")[0]
        own = ([f"group:{tenant}"] if group else []) + ([f"group:{group}"] if ":" in group else [])
        return ["queue", f"task:{task}", *own]

    def waiting(self) -> dict[str, str]:
        """Jobs in lines, and their groups: held, but by no pause of their task and no other job of their key."""
        delayed = set(self.client.zrange(self.keys.delayed, 0, -1))
        aside = {member.partition("\n")[2] for member in self.client.zrange(self.keys.held, 0, -1)}
        aside |= {each for told in self.client.hvals(self.keys.unique) for each in told.split()[2:]}
        for job_id, envelope in self.client.hgetall(self.keys.parked).items():
            task, headers, _ = envelope.split("\n", 2)
            self.tasks[job_id], self.groups[job_id] = task, json.loads(headers or "{}").get("group", "")
        parked_now = set(self.client.hkeys(self.keys.parked)) - delayed - aside
        return {job_id: self.groups[job_id] for job_id in parked_now}

    def is_open(self, scope: str) -> bool:
        name = scope.partition(":")[2]
        if scope.startswith("group:") and name in self.paused:
            return False
        if scope == f"group:{RATED}" and self.rated >= STARTS:
            return False
        limit = self.limits.get(scope)
        return limit is None or self.used.get(scope, 0) < limit

    def check_that_none_waits_in_vain(self) -> None:
        self.used = {scope: int(n) for scope, n in self.client.hgetall(self.keys.used).items()}
        may_go: dict[str, list[bool]] = {}
        for job_id, group in self.waiting().items():
            may = all(self.is_open(scope) for scope in self.scopes_of(group, self.tasks[job_id]))
            may_go.setdefault(group or f"*{self.tasks[job_id]}", []).append(may)
        idle = [group for group, each in may_go.items() if all(each)]
        assert not idle, f"slots are free and nothing closes {idle}"

    def check(self) -> None:
        found = census(self.client, self.prefix, "q")
        found.check()
        assert set(found.places) == set(self.groups), "jobs are lost, or came from nowhere"
        places = {job_id: place for job_id, (place,) in found.places.items()}
        ended = {job_id for job_id, place in places.items() if place in ENDED}
        self.order = [job_id for job_id in self.order if job_id in places and job_id not in ended]
        out = self.client.hgetall(self.keys.out)
        used: Counter[str] = Counter()
        for job_id, told in out.items():
            assert job_id in places.keys() - ended, f"{job_id} is past the gate and has ended"
            group, task = told.split("\n")
            used.update({f"group:{group}"})  # all that a job keeps of its slot until its next attempt
            if task:
                tenant = group.partition(":")[0]
                used.update({"queue", f"task:{task}", f"group:{tenant}"} - {f"group:{group}"})
        passed = {fields_id(fields["headers"]) for _, fields in self.client.xrange(self.keys.passed)}
        assert passed <= out.keys(), "jobs were let through and are not counted"
        told_used = {scope: int(n) for scope, n in self.client.hgetall(self.keys.used).items()}
        assert told_used == dict(used), "how many of each scope are past the gate"
        for scope, limit in self.limits.items():
            assert told_used.get(scope, 0) <= max(limit, self.used.get(scope, 0)), f"more than {scope} allows"
        self.used = told_used
        lines = {group: int(n) for group, n in self.client.zrange(self.keys.lines, 0, -1, withscores=True)}
        counted = Counter(group for group in self.waiting().values() if group)
        assert {group: n for group, n in lines.items() if group[0] != "*"} == dict(counted), "the lines"

    # -- all of it ------------------------------------------------------------------------------------------

    async def live(self, steps: int) -> None:
        acts: dict[Callable[[], Any], int] = {
            self.enqueue: 8, self.gate: 10, self.fetch: 2, self.settle: 12, self.release: 2, self.reclaim: 1,
            self.promote: 4, self.strand: 1, self.audit: 1, self.requeue: 2, self.change: 8, self.limit: 2,
            self.pause: 1, self.pause_task: 1,
        }  # fmt: skip
        await self.store.delivery.join(self.links, ["q"])
        await self.queue.group(STRICT).limit(concurrency=1)
        await self.queue.group(RATED).limit(rate=f"{STARTS}/h")
        for step, act in enumerate(self.random.choices(list(acts), weights=list(acts.values()), k=steps)):
            try:
                await act()
                self.check()
            except AssertionError as error:
                error.add_note(f"step {step}: {act.__name__}")
                raise

    async def end(self) -> None:
        """Everything opens and ends: nothing of the gate is left but what was told."""
        self.limits.clear()
        for scope in ("a", "b", "t", "t:1", STRICT, RATED):
            await self.queue.group(scope).unlimit()
            await self.queue.group(scope).resume()
        await self.queue.limit(concurrency=None)
        await self.queue.limit(concurrency=None, task="u")
        await self.queue.resume(task="u")
        for worker in self.held:
            await self.store.recovery.reclaim(self.links, "q", worker, None)
        await self.audit()
        for _ in range(200):
            for job_id in self.client.zrange(self.keys.delayed, 0, -1):
                await self.queue.promote(job_id)
            await RESUME.run(self.links.of("q"), self.keys, 1000)
            lane, raws = await self.store.delivery.fetch(self.links, "q", "w1", 100)
            came = [Delivery("q", lane, raw) for raw in raws]
            said = (await self.store.delivery.through_gate(self.links, "w1", {"q": (500, ())}))["q"]
            assert not isinstance(said, StreamqError), said
            came += [Delivery("q", lane, raw) for lane, entries in said.entries for raw in entries]
            batch = [
                Settlement(COMPLETED, each.lane, each.entry, each.job_id,
                    record(COMPLETED, each, 1, 1, b"w", each.raw_headers, b"{}"), "", self.unique[each.job_id])
                for each in came
            ]  # fmt: skip
            self.check()
            if not batch:
                break
            await self.store.outcomes.settle(self.links, {"q": batch})
        found = census(self.client, self.prefix, "q")
        assert found.counts().keys() <= ENDED, "nothing closes the gate, and jobs wait"
        self.check()


def fields_id(headers: str) -> str:
    return str(json.loads(headers)["id"])


@ON_ONE_SERVER
@pytest.mark.keeps_keys
@pytest.mark.parametrize("seed", [1033, 467178571, 2014393494, 1983729356, 2922502396, None])
async def test_after_any_interleaving_the_gate_counts_what_is_past_it_and_nobody_waits_for_an_open_one(
    app: App, client: redis.Redis, prefix: str, seed: int | None
) -> None:
    seed = seed or secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201  # shown when the test fails
    links, keys = app.client.store.links(), Keys(prefix, "q")
    house = Gatehouse(app, links, client, prefix, seed)
    try:
        await house.live(STEPS)
        assert not (await app.client.store.unique.compare("q", mend=False)).held, "nothing holds them"
        await house.end()
        left = set(client.keys(keys.gate + ":*")) - {keys.bell, keys.limits, keys.starts + f"group:{RATED}"}
        assert not left, "of an empty group no key is left"
    finally:
        await links.close()
