"""The gate under random steps: its accounts are right, no limit is exceeded, and no open group waits in vain."""

from __future__ import annotations

import contextlib
import secrets
from collections import Counter, defaultdict

import pytest
import redis

from streamq import App, Limit, StreamqError, WrongState
from streamq.model.envelope import Delivery, parked
from streamq.model.headers import parse_headers
from streamq.model.keys import Keys
from streamq.model.lanes import GATE
from streamq.model.outcomes import CANCELLED, COMPLETED, DELAYED, EXPIRED, FAILED
from streamq.model.record import record
from streamq.store.jobs import Change
from streamq.store.outcomes import Settlement

from ..rig import census
from .test_model import House

STEPS = 250
GROUPS = ("a", "b", "c:1", "c:2", "c", "s", "s:1")
LIMITS = {"a": 2, "c": 3, "c:1": 1, "s": 1}
"""How many of each may run at once."""


class Gate(House):
    """A queue whose jobs are of groups, some of which have limits."""

    def __init__(self, app: App, client: redis.Redis, keys: Keys, seed: int) -> None:
        self.app, self.links = app, app.client.store.links()
        super().__init__(app.client.store, self.links, client, keys, seed)
        self.limits = dict(LIMITS)
        self.late: set[str] = set()
        self.begun: dict[str, list[str]] = defaultdict(list)

    async def enqueue(self) -> None:
        group = self.random.choice([*GROUPS, None])
        for _ in range(self.random.randint(1, 3)):
            more = self.random.choice([{}, {}, {"delay": 0.002}, {"priority": "high"}])
            more = {} if group in ("s", "s:1") else more  # those are to start in the order of their births
            job = await self.app.enqueue("q", "t", 1, group=group, **more)
            self.ids.append(job.id)

    async def fetch(self) -> None:
        worker, wanted = self.random.choice(list(self.held)), self.random.randint(1, 4)
        passed = (await self.store.delivery.through_gate(self.links, worker, {"q": (wanted, ())}))["q"]
        assert not isinstance(passed, StreamqError), passed
        came = 0
        for lane, entries in passed.entries:
            for raw in entries:
                delivery = Delivery("q", lane, raw)
                assert delivery.job_id not in self.to_end, "it was to end"
                group = parse_headers(delivery.raw_headers).get("group")
                assert (lane == GATE) == (group is not None)
                if group in ("s", "s:1") and delivery.job_id not in self.begun[group]:
                    self.begun[group].append(delivery.job_id)
                self.held[worker].append(delivery)
                came += 1
            self.reads["q", lane, entries[0][0]] = [raw[0] for raw in entries]
        assert came <= wanted
        if came < wanted and not passed.more:
            self._check_that_none_waits_in_vain()

    def _check_that_none_waits_in_vain(self) -> None:
        used = self._used()
        for group in self.client.zrange(self.keys.lines, 0, -1):
            tenant = group.partition(":")[0]
            open_ = all(used[f"group:{scope}"] < self.limits.get(scope, 1_000) for scope in {tenant, group})
            assert not open_, f"{group} is open and waits, with {used}"

    def _used(self) -> Counter[str]:
        used = Counter[str]()
        for told in self.client.hgetall(self.keys.out).values():
            group, task = told.split("\n")
            used.update({f"group:{group}"})  # all that a job keeps of its slot until its next attempt
            if task:
                used.update(
                    {"queue", f"task:{task}", f"group:{group.partition(':')[0]}"} - {f"group:{group}"}
                )
        return used

    def _outcome(self, delivery: Delivery, kind: str) -> Settlement:
        if kind != DELAYED:
            body = record(kind, delivery, 1, 1, b"w", delivery.raw_headers, b"{}")
            return Settlement(kind, delivery.lane, delivery.entry, delivery.job_id, body)
        headers = parse_headers(delivery.raw_headers)
        group = b',"group":"%b"' % headers["group"].encode() if "group" in headers else b""
        said = b'{"id":"%b"%b,"attempt":1,"returned":true}' % (delivery.job_id.encode(), group)
        body, due = parked("t", said, delivery.payload), str(self.random.randint(0, 3))
        return Settlement(DELAYED, delivery.lane, delivery.entry, delivery.job_id, body, due)

    async def settle(self) -> None:
        worker = self.random.choice(list(self.held))
        count = self.random.randint(1, 3)
        batch, self.held[worker] = self.held[worker][:count], self.held[worker][count:]
        kinds = [COMPLETED, COMPLETED, FAILED, DELAYED, CANCELLED, EXPIRED]
        settlements = [self._outcome(delivery, self.random.choice(kinds)) for delivery in batch]
        if settlements:
            refused = set(await self.store.outcomes.settle(self.link, {"q": settlements}, self.reads))
            for delivery, settlement in zip(batch, settlements, strict=True):
                if delivery.entry not in refused and settlement.kind != DELAYED:
                    self.to_end.discard(delivery.job_id)  # too late

    async def requeue(self) -> None:
        """What is tried again by hand goes to the end of its line."""
        for index in (self.keys.failures, self.keys.cancelled):
            self.late |= set(self.client.zrange(index, 0, 0))
        await super().requeue()

    async def change(self) -> None:
        """A person lets a delayed job wait, puts one off, or makes it more or less urgent."""
        change = self.random.choice(
            [Change(due="now"), Change(due="2"), Change(priority="high"), Change(payload=b'"n"')]
        )
        if self.ids:
            self.late.add(job_id := self.random.choice(self.ids))
            with contextlib.suppress(WrongState):
                await self.store.jobs.change("q", job_id, change)

    async def limit(self) -> None:
        group, jobs = self.random.choice(["a", "b", "c", "c:2"]), self.random.choice([1, 2, 5])
        await self.app.queue("q").group(group).limit(concurrency=jobs)
        self.limits[group] = jobs

    async def purge(self) -> None:
        """Delete a held job, as a cancel and a removal would."""
        with contextlib.suppress(WrongState):
            if self.ids:
                await self.store.jobs.cancel("q", job_id := self.random.choice(self.ids), "no", "")
                self.to_end.add(job_id)

    async def strand(self) -> None:
        self.client.xgroup_delconsumer(self.keys.passed, "workers", self.random.choice(list(self.held)))

    def check(self) -> None:
        """The accounts, beside what there is."""
        out, used = self.client.hgetall(self.keys.out), self._used()
        assert {scope: int(n) for scope, n in self.client.hgetall(self.keys.used).items()} == dict(used)
        passed = {row[0] for row in self._entries()}
        assert passed <= out.keys(), "each job past the gate has its slot"
        held = Counter[str]()
        for job_id in set(self.client.hkeys(self.keys.parked)) - set(
            self.client.zrange(self.keys.delayed, 0, -1)
        ):
            headers = parse_headers(self.client.hget(self.keys.parked, job_id).split("\n")[1].encode())
            held[headers.get("group", "")] += 1
        del held[""]
        lines = {group: int(n) for group, n in self.client.zrange(self.keys.lines, 0, -1, withscores=True)}
        assert lines == dict(held)

    def _entries(self) -> list[tuple[str, str]]:
        return [
            (parse_headers(fields["headers"].encode())["id"], entry)
            for entry, fields in self.client.xrange(self.keys.passed)
        ]

    async def live(self, steps: int) -> None:
        acts = {
            self.enqueue: 4, self.fetch: 7, self.settle: 7, self.release: 1, self.reclaim: 1, self.promote: 3,
            self.strand: 1, self.audit: 1, self.requeue: 1, self.purge: 2, self.limit: 1, self.change: 3,
        }  # fmt: skip
        await self.store.delivery.join(self.link, ["q"])
        for group, jobs in LIMITS.items():
            await self.app.queue("q").group(group).limit(concurrency=jobs)
        self.ids.append(
            (await self.app.enqueue("q", "t", 1, group="b")).id
        )  # the lane of the gate is there from now
        for act in self.random.choices(list(acts), weights=list(acts.values()), k=steps):
            await act()  # type: ignore[operator]
            self.check()


@pytest.mark.parametrize("seed", [1, 2, 3, None])
async def test_after_any_interleaving_the_accounts_of_the_gate_are_right_and_no_open_group_waits(
    app: App, client: redis.Redis, prefix: str, seed: int | None
) -> None:
    assert Limit(concurrency=1).concurrency == 1
    seed = seed or secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201  # shown when the test fails
    gate = Gate(app, client, Keys(prefix, "q"), seed)
    try:
        await gate.live(STEPS)
        found = census(client, prefix, "q")
        assert set(found.places) == set(gate.ids)
        assert all(len(places) == 1 for places in found.places.values())
        for group, begun in gate.begun.items():
            in_order = [job_id for job_id in begun if job_id not in gate.late]
            assert in_order == sorted(in_order, key=gate.ids.index), f"{group} keeps its order"
    finally:
        await gate.links.close()
