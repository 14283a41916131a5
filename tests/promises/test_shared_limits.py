"""A shared limit under random steps of several queues: no window and no moment has more than it allows, whoever is lost
in the midst of a lease, and all that waits has its turn."""

from __future__ import annotations

import asyncio
import random
import secrets
from typing import Any, Final

import pytest
import redis

from streamq import App, Limit, StreamqError
from streamq.model.envelope import Delivery
from streamq.model.headers import parse_headers
from streamq.model.keys import Keys
from streamq.model.outcomes import COMPLETED
from streamq.model.record import record
from streamq.redis import scripts
from streamq.store.outcomes import Settlement

from ..rig import ON_ONE_SERVER

QUEUES: Final = ("a", "b", "c")
STARTS, WINDOW, AT_ONCE = 30, 100, 7
"""Units in any so many milliseconds, and units of jobs that run."""
JOBS: Final = 16
NAME: Final = "provider"


class Provider:
    """Some queues that draw from it, and what has started of them by the server's clock."""

    def __init__(self, app: App, client: redis.Redis, prefix: str, seed: int) -> None:
        self.app, self.store, self.client, self.random = app, app.client.store, client, random.Random(seed)  # noqa: S311
        self.links = app.client.store.links()
        self.keys = {queue: Keys(prefix, queue) for queue in QUEUES}
        self.starts: list[tuple[int, int]] = []
        """When, in ms, and how many units."""
        self.running: list[tuple[Delivery, int]] = []
        self.done, self.bounded = 0, False

    async def prepare(self) -> None:
        self.bounded = True
        await self.app.shared(NAME).limit(concurrency=AT_ONCE, rate=(STARTS, WINDOW / 1000))
        for queue in QUEUES:
            await self.store.delivery.join(self.links, [queue])
            await self.app.queue(queue).limit(shared=NAME)
            for _ in range(JOBS):
                group = self.random.choice([None, "x", "y:1"])
                await self.app.enqueue(queue, "t", 1, group=group, units=self.random.choice([1, 1, 2, 5]))

    async def fetch(self, queue: str = "", most: int = 0) -> None:
        queue = queue or self.random.choice(QUEUES)
        passed = (
            await self.store.delivery.through_gate(
                self.links, "w", {queue: (most or self.random.choice([1, 3, 20]), ())}
            )
        )[queue]
        assert not isinstance(passed, StreamqError), passed
        for lane, entries in passed.entries:
            for raw in entries:
                delivery = Delivery(queue, lane, raw)
                units = parse_headers(delivery.raw_headers).get("units", 1)
                self.starts.append((int(delivery.entry.split(b"-")[0]), units))
                self.running.append((delivery, units))
        assert not self.bounded or sum(units for _, units in self.running) <= AT_ONCE

    async def settle(self) -> None:
        if not self.running:
            return
        delivery, _ = self.running.pop(self.random.randrange(len(self.running)))
        body = record(COMPLETED, delivery, 1, 1, b"w", delivery.raw_headers, b"")
        outcome = Settlement(COMPLETED, delivery.lane, delivery.entry, delivery.job_id, body)
        await self.store.outcomes.settle(self.links, {delivery.queue: [outcome]}, {})
        self.done += 1

    async def lease(self) -> None:
        await self.store.shared_limits.lease(self.links, self.random.choice(QUEUES), NAME)

    async def lease_slowly(self, queue: str = "", fetched: int = 0) -> None:
        """Others come between what it takes back and what it is granted."""
        queue, run = queue or self.random.choice(QUEUES), scripts.Script.run

        async def slow(script: scripts.Script, *arguments: Any) -> Any:
            reply = await run(script, *arguments)
            if script in (scripts.LEASE_TAKE, scripts.SHARED_LEASE):
                await self.fetch(queue, fetched)
            return reply

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(scripts.Script, "run", slow)
            await self.store.shared_limits.lease(self.links, queue, NAME)

    async def lose(self, queue: str = "") -> None:
        """Whoever leases is lost: what it has taken back nobody is granted."""
        keys = self.keys[queue or self.random.choice(QUEUES)]
        await scripts.LEASE_TAKE.run(self.links.home, keys, NAME)

    async def rest(self) -> None:
        await asyncio.sleep(self.random.choice([0.005, 0.015, 0.03]))

    def check_windows(self) -> None:
        starts = sorted(self.starts)
        for place, (at, _) in enumerate(starts):
            within = sum(units for when, units in starts[place:] if when <= at + WINDOW)
            assert within <= STARTS, f"{within} units in {WINDOW} ms from {at} on"


@ON_ONE_SERVER
@pytest.mark.keeps_keys
@pytest.mark.parametrize("seed", [1, None])
async def test_no_window_has_more_starts_and_no_moment_more_jobs_than_a_shared_limit_allows(
    app: App, client: redis.Redis, prefix: str, seed: int | None
) -> None:
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    print("seed", seed)  # noqa: T201
    provider = Provider(app, client, prefix, seed)
    await provider.prepare()
    acts = (
        [provider.fetch] * 6
        + [provider.settle] * 4
        + [provider.lease] * 4
        + [provider.lease_slowly] * 3
        + [provider.lose, provider.rest]
    )
    async with asyncio.timeout(30):
        while provider.done < JOBS * len(QUEUES):
            await provider.random.choice(acts)()
    provider.check_windows()
    for queue in QUEUES:
        assert not client.exists(provider.keys[queue].used, provider.keys[queue].out)
        for _ in range(2):  # the first may still be asked for a job that was short and has started since
            await provider.store.shared_limits.lease(provider.links, queue, NAME)
    status = await app.shared(NAME).status()
    assert (status.held, status.queues, status.waiting) == (0, {}, ()), "nobody draws from it any more"
    assert status.limit == Limit(concurrency=AT_ONCE, rate=(STARTS, WINDOW / 1000))
    await provider.links.close()


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_what_was_started_late_of_a_lease_that_is_lost_counts_from_its_end(
    app: App, client: redis.Redis, prefix: str
) -> None:
    """Nobody has told when it was started, nor how much."""
    provider = Provider(app, client, prefix, 1)
    await app.shared(NAME).limit(rate=(STARTS, WINDOW / 1000))
    await provider.store.delivery.join(provider.links, ["a"])
    await app.queue("a").limit(shared=NAME)
    await app.enqueue_many("a", "t", range(3 * STARTS))
    await provider.fetch("a", 50)
    while not provider.starts:
        await provider.store.shared_limits.lease(provider.links, "a", NAME)
        await asyncio.sleep(0.012)  # the lease lasts for 20 ms
        await provider.fetch("a", 50)
    await provider.lose("a")
    before = len(provider.starts)
    while len(provider.starts) == before:
        await provider.store.shared_limits.lease(provider.links, "a", NAME)
        await provider.fetch("a", 50)
    provider.check_windows()
    await provider.links.close()


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_between_what_is_taken_back_and_what_is_granted_no_more_jobs_start(
    app: App, client: redis.Redis, prefix: str
) -> None:
    """The limit is told how much is held at the moment, and lets another queue have the rest."""
    provider = Provider(app, client, prefix, 1)
    await app.shared(NAME).limit(concurrency=AT_ONCE)
    for queue in ("a", "b"):
        await provider.store.delivery.join(provider.links, [queue])
        await app.queue(queue).limit(shared=NAME)
        await app.enqueue_many(queue, "t", range(20))
        await provider.fetch(queue, 20)
        await provider.store.shared_limits.lease(provider.links, queue, NAME)
    provider.bounded = True
    await provider.fetch("a", 1)
    await provider.lease_slowly("a", 20)  # and then for b, which waits for what a has given back
    for queue in ("b", "a"):
        await provider.fetch(queue, 20)
    assert {delivery.queue for delivery, _ in provider.running} == {"a", "b"}
    await provider.links.close()
