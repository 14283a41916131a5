"""Random interleavings of everything that moves a job: at the end each job is in exactly one place."""

from __future__ import annotations

import contextlib
import random
import secrets
from collections import Counter
from collections.abc import Callable

import pytest
import redis

from streamq import App, WrongState
from streamq.model.envelope import Delivery, New, Place, parked
from streamq.model.keys import GROUP, Keys
from streamq.model.outcomes import COMPLETED, DELAYED, FAILED, MARKS
from streamq.model.record import record
from streamq.redis.links import Links
from streamq.store.jobs import Change
from streamq.store.outcomes import Settlement
from streamq.store.store import Store

from ..rig import census, enqueue_batch

STEPS = 400


class House:
    """A queue and all who act on it, at random. ``held`` is what each worker believes to hold."""

    def __init__(self, store: Store, link: Links, client: redis.Redis, keys: Keys, seed: int) -> None:
        self.store, self.link, self.client, self.keys = store, link, client, keys
        self.random = random.Random(seed)  # noqa: S311  # not a secret
        self.held: dict[str, list[Delivery]] = {"w1": [], "w2": [], "w3": []}
        self.reads: dict[Place, list[bytes]] = {}
        self.ids: list[str] = []
        self.batch = 0
        self.accepted: Counter[str] = Counter()
        self.to_end: set[str] = set()
        """Jobs that somebody has cancelled: none of them is delivered again, unless it is tried again."""

    async def enqueue(self) -> None:
        self.batch += 1
        dues = self.random.choices(["", "", "0", "1", "3"], k=self.random.randint(1, 4))
        jobs = [New("t", b"%d" % number, due=due) for number, due in enumerate(dues)]
        for _ in range(self.random.choice([1, 1, 2])):  # an answer may be lost
            ids = await enqueue_batch(self.store, self.link, "q", "p", self.batch, jobs, "memory")
        self.ids += ids

    async def fetch(self) -> None:
        worker = self.random.choice(list(self.held))
        lane, entries = await self.store.delivery.fetch(self.link, "q", worker, self.random.randint(1, 3))
        if self.random.random() < 0.9:  # else the answer is lost
            deliveries = [Delivery("q", lane, raw) for raw in entries]
            assert not self.to_end & {delivery.job_id for delivery in deliveries}, "it was to end"
            self.held[worker] += deliveries
            if entries:
                self.reads["q", lane, entries[0][0]] = [raw[0] for raw in entries]

    async def settle(self) -> None:
        worker = self.random.choice(list(self.held))
        count = self.random.randint(1, 3)
        batch, self.held[worker] = self.held[worker][:count], self.held[worker][count:]
        kinds = self.random.choices([COMPLETED, COMPLETED, FAILED, DELAYED], k=2)
        settlements = [self._outcome(delivery, self.random.choice(kinds)) for delivery in batch]
        if not settlements:
            return
        refused = set(await self.store.outcomes.settle(self.link, {"q": settlements}, self.reads))
        for delivery, settlement in zip(batch, settlements, strict=True):
            if delivery.entry not in refused and settlement.kind in MARKS:
                self.accepted[delivery.job_id] += 1
                self.to_end.discard(delivery.job_id)  # too late

    def _outcome(self, delivery: Delivery, kind: str) -> Settlement:
        due = ""
        if kind == DELAYED:
            headers, due = (
                b'{"id":"%b","attempt":1}' % delivery.job_id.encode(),
                str(self.random.randint(0, 3)),
            )
            body = parked("t", headers, delivery.payload)
        else:
            body = record(kind, delivery, 1, 1, b"w", delivery.raw_headers, b"{}")
        return Settlement(kind, delivery.lane, delivery.entry, delivery.job_id, body, due)

    async def release(self) -> None:
        worker = self.random.choice(list(self.held))
        given, self.held[worker] = self.held[worker][:2], self.held[worker][2:]
        if given:
            await self.store.delivery.release(
                self.link, "q", [(delivery.lane, delivery.entry) for delivery in given]
            )

    async def reclaim(self) -> None:
        await self.store.recovery.reclaim(
            self.link, "q", self.random.choice(list(self.held)), None
        )  # it may live on

    async def promote(self) -> None:
        await self.store.delayed.promote(self.link, ["q"], self.random.randint(1, 5))

    async def strand(self) -> None:
        lane = self.random.choice([self.keys.ready, self.keys.alone])
        self.client.xgroup_delconsumer(lane, GROUP, self.random.choice(list(self.held)))

    async def audit(self) -> None:
        await self.store.recovery.audit(self.link, "q")

    async def requeue(self) -> None:
        index = self.random.choice([self.keys.failures, self.keys.cancelled])
        for job_id in self.client.zrange(index, 0, 0):
            await self.store.jobs.requeue("q", job_id)
            self.accepted[job_id] = 0
            self.to_end.discard(job_id)

    async def cancel(self) -> None:
        if not self.ids:
            return
        with contextlib.suppress(WrongState):
            job_id = self.random.choice(self.ids)
            await self.store.jobs.cancel("q", job_id, "no", "")
            self.to_end.add(job_id)

    async def change(self) -> None:
        """Whatever changes a job that is to run; often it is none."""
        due, priority = self.random.choice(["", "", "now", "0", "2"]), self.random.choice(["", "normal"])
        change = Change(due, priority, self.random.choice([b"", b'"new"']))
        with contextlib.suppress(WrongState):
            if change.actions and self.ids:
                await self.store.jobs.change("q", self.random.choice(self.ids), change)

    async def delete(self) -> None:
        if self.ids and self.random.random() < 0.2:
            job_id = self.random.choice(self.ids)
            with contextlib.suppress(WrongState):
                await self.store.jobs.remove("q", job_id)
                self.ids.remove(job_id)

    async def live(self, steps: int) -> None:
        acts: dict[Callable[[], object], int] = {
            self.enqueue: 4, self.fetch: 6, self.settle: 6, self.release: 1, self.reclaim: 1,
            self.promote: 3, self.strand: 1, self.audit: 1, self.requeue: 1, self.cancel: 2, self.change: 4,
            self.delete: 1,
        }  # fmt: skip
        await self.store.delivery.join(self.link, ["q"])
        for act in self.random.choices(list(acts), weights=list(acts.values()), k=steps):
            await act()  # type: ignore[misc]


@pytest.mark.parametrize("seed", [1, 2, 3, None])
async def test_after_any_interleaving_each_job_is_in_one_place_and_none_is_lost(
    app: App, client: redis.Redis, prefix: str, seed: int | None
) -> None:
    seed = seed or secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201  # shown when the test fails
    link = app.client.store.links()
    house = House(app.client.store, link, client, Keys(prefix, "q"), seed)
    try:
        await house.live(STEPS)
        await house.audit()
        found = census(client, prefix, "q")
        found.check()
        assert set(found.places) == set(house.ids)
        counts = (await app.queue("q").counts()).asdict()
        assert {state: n for state, n in counts.items() if n} == found.counts()
        assert sum(counts.values()) == len(house.ids)
        for job_id, (place,) in found.places.items():
            assert (await app.queue("q").get(job_id)).state.value == place
            assert house.accepted[job_id] <= 1, "two outcomes of one job were accepted"
    finally:
        await link.close()
