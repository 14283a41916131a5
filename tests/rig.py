"""What the tests of the engine stand on: apps on the session's server, workers beside the test, raw looks at Redis."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis

from streamq import App, Rejected, Worker
from streamq.model.envelope import New
from streamq.model.headers import id_of
from streamq.model.keys import APP_KEYS, GROUP, QUEUE_KEYS, TOGETHER, AppKeys, Key, Keys
from streamq.model.outcomes import COMPLETED, FAILED, MARKS
from streamq.redis.links import Links
from streamq.redis.thread_link import ThreadLink
from streamq.store.batch import Batch
from streamq.store.store import Store

from .servers import IS_CLUSTER, KINDS, Server

ON_ONE_SERVER = pytest.mark.parametrize("server_kind", KINDS[:1], indirect=True)
"""For a promise in which the kind of the server plays no part: it is tried on one, to save time."""


def of_one_server(why: str) -> pytest.MarkDecorator:
    """For a promise about one server's own nature, which a cluster does not make: ``why`` says what it is."""
    return pytest.mark.skipif(IS_CLUSTER, reason=f"of one server: {why}")


QUICK: dict[str, Any] = {"shutdown_grace": 2.0, "beat": 0.5, "lease": 2.0, "enqueue_timeout": 3.0}
"""Settings under which a test does not wait for what takes seconds in the field."""


def _known(table: Mapping[str, Key]) -> str:
    """The ends of the names of keys; a word in capitals stands for any."""
    return "|".join(
        re.sub("[A-Z]+", "[0-9a-z:*#-]+", key.end.replace("{shared limits}:", "(?:{shared limits}:)?"))
        for key in table.values()
        if key.type != "channel"
    )


KNOWN_KEY = re.compile(
    rf"[^:]+:((?:\{{{TOGETHER}\}}:)?(?:{_known(APP_KEYS)})|\{{[^}}]+\}}:({_known(QUEUE_KEYS)}))"
)


@pytest.fixture
def client(shared_server: Server, prefix: str) -> Iterator[redis.Redis]:
    """A plain client of the session's server. After the test, only keys that are documented may be there."""
    with shared_server.client() as client:
        yield client
        left = list(client.scan_iter(f"{prefix}*", count=1000))
        for key in left:  # one by one: of a cluster they may be in several slots
            client.delete(key)
        strange = [key for key in left if not KNOWN_KEY.fullmatch(key)]
        assert not strange, f"keys that streamq/model/keys.py does not name: {strange}"


@pytest.fixture
def make_app(server_url: str, prefix: str, client: redis.Redis) -> Callable[..., App]:
    """``make_app(lease=5, …)``: an app on the session's server, not yet open."""
    return lambda **overrides: App(redis_url=server_url, prefix=prefix, **{**QUICK, **overrides})


@pytest.fixture
async def app(make_app: Callable[..., App]) -> AsyncIterator[App]:
    """An open app on the session's server."""
    async with make_app() as app:
        yield app


def shared_keys(prefix: str) -> AppKeys:
    """The keys that all queues share, as they are called on the session's server."""
    return AppKeys(prefix, in_one_slot=IS_CLUSTER)


def queue_keys(prefix: str, queue: str) -> Keys:
    """The keys of a queue and its channels, likewise."""
    return Keys(prefix, queue, sharded=IS_CLUSTER)


async def enqueue_batch(
    store: Store,
    links: Links,
    queue: str,
    producer: str,
    number: int,
    jobs: Sequence[New],
    durability: Any = "memory",
) -> list[str]:
    """Send one producer's batch under its number, and return its ids; again under the same number adds nothing."""
    batch = Batch(store.producers.producer(queue, producer), number, jobs)
    (answer,) = await store.producers.submit(links.of(queue), [batch], durability)
    if isinstance(answer, Exception):
        raise answer
    return answer


@contextlib.asynccontextmanager
async def working(app: App, **options: Any) -> AsyncIterator[Worker]:
    """A worker of the app beside the test, stopped in order at the end, and quickly when the test failed."""
    worker = Worker(app, **{"concurrency": 10, **options})
    run = asyncio.create_task(worker.run(), name="worker under test")
    try:
        yield worker
    except BaseException:
        worker.stop()
        worker.stop()
        raise
    finally:
        if not worker._stop.is_set():
            worker.stop()
        await run


async def refused(url: str, said: str) -> None:
    """An address that is of the wrong kind is refused in these words, in the event loop and in a thread."""
    async with App(redis_url=url) as app:
        with pytest.raises(Rejected, match=said):
            await app.enqueue("q", "t", 1)
        thread = ThreadLink(app.client.store.servers.home, "thread")
        with pytest.raises(Rejected, match=said):
            await asyncio.to_thread(thread.connect)


async def until(met: Callable[[], Any | Awaitable[Any]], seconds: float = 10.0) -> Any:
    """What ``met`` says, once that is true. Fails when that takes longer than ``seconds``."""
    async with asyncio.timeout(seconds):
        while True:
            said = met()
            if asyncio.iscoroutine(said):
                said = await said
            if said:
                return said
            await asyncio.sleep(0.01)


@dataclass
class Census:
    """Where each job of a queue lies, by a raw look at every key of it."""

    places: dict[str, list[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def put(self, job_id: str, place: str) -> None:
        self.places.setdefault(job_id, []).append(place)

    def counts(self) -> dict[str, int]:
        """How many jobs are in each place."""
        found = [place for places in self.places.values() for place in places]
        return {place: found.count(place) for place in sorted(set(found))}

    def check(self) -> None:
        """Each job is in exactly one place, and nothing points to where there is nothing."""
        twice = {job: places for job, places in self.places.items() if len(places) > 1}
        assert not twice, f"in two places at once: {twice}"
        assert not self.faults, self.faults


def census(client: redis.Redis, prefix: str, queue: str) -> Census:
    """Take the census. The client must answer with text."""
    keys, found = Keys(prefix, queue), Census()
    entries = [_lane(client, lane, found) for lane in keys.lanes]
    for job_id, target in client.hgetall(keys.moved).items():
        lane, entry = target.split()
        if entry not in entries[int(lane) - 1]:
            found.faults.append(f"moved says {job_id} is at {target}; it is not there")
    _parked(client, keys, found)
    _finished(client, keys, found)
    return found


def _lane(client: redis.Redis, lane: str, found: Census) -> set[str]:
    listed = client.xrange(lane)
    pending: dict[str, Any] = {}
    last = "0-0"
    if listed and (groups := [g for g in client.xinfo_groups(lane) if g["name"] == GROUP]):
        last = groups[0]["last-delivered-id"]
        pending = {row["message_id"]: row for row in client.xpending_range(lane, GROUP, "-", "+", 100_000)}
    for entry, fields in listed:
        job_id = id_of(fields.get("headers", "").encode()) or entry
        delivered = _order(entry) <= _order(last)
        found.put(job_id, "active" if entry in pending else "stranded" if delivered else "waiting")
    found.faults += [f"pending without an entry: {entry}" for entry in pending if entry not in dict(listed)]
    return set(dict(listed))


def _order(entry: str) -> tuple[int, ...]:
    return tuple(int(part) for part in entry.split("-"))


def _parked(client: redis.Redis, keys: Keys, found: Census) -> None:
    parked, delayed = client.hkeys(keys.parked), set(client.zrange(keys.delayed, 0, -1))
    for job_id in parked:
        found.put(job_id, "delayed" if job_id in delayed else "held")
    found.faults += [f"{job_id} is due and has no envelope" for job_id in delayed - set(parked)]


def _finished(client: redis.Redis, keys: Keys, found: Census) -> None:
    kinds = {mark.decode(): kind for kind, mark in MARKS.items()}
    ended = {job_id: kinds[record[0]] for job_id, record in client.hgetall(keys.finished).items()}
    for job_id, kind in ended.items():
        found.put(job_id, kind)
    orders = {COMPLETED: client.lrange(keys.completed, 0, -1), FAILED: client.zrange(keys.failures, 0, -1)}
    printed = client.hgetall(keys.fingerprints)
    members = sorted(f"{fingerprint}\n{job_id}" for job_id, fingerprint in printed.items())
    if members != sorted(client.zrange(keys.fingerprinted, 0, -1)) or printed.keys() - set(orders[FAILED]):
        found.faults.append(
            f"{len(printed)} jobs are of a kind of failures, {len(orders[FAILED])} have failed"
        )
    for kind, listed in orders.items():
        have = {job_id for job_id, as_what in ended.items() if as_what == kind}
        if sorted(listed) != sorted(have):
            found.faults.append(f"{kind}: {len(listed)} jobs are listed, {len(have)} have a record")
