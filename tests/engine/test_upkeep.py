"""The upkeep of queues is shared: two do it, the others stand by, and a fault in one queue is that queue's alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamq import App, Scheduler, Unavailable
from streamq.duties.auditor import Auditor
from streamq.duties.duty import Duty, tick
from streamq.duties.promoter import Promoter
from streamq.duties.pruner import Pruner
from streamq.duties.reclaimer import Reclaimer
from streamq.duties.seats import Seats
from streamq.duties.upkeep import Share, upkeep
from streamq.model.keys import GROUP, Keys
from streamq.redis.troubles import Troubles
from streamq.settings import Settings

from ..rig import ON_ONE_SERVER, QUICK, census, queue_keys, shared_keys, until, working
from ..servers import Server


@contextlib.asynccontextmanager
async def ticking(*duties: Duty) -> AsyncIterator[None]:
    """The duties beside the test."""
    tasks = [asyncio.create_task(tick(duty), name=duty.name) for duty in duties]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def holders(client: redis.Redis, prefix: str, queue: str = "q") -> list[str | None]:
    return [client.get(key) for key in Keys(prefix, queue).seats(1, 2, 3)]


async def test_one_is_chief_one_is_deputy_and_the_others_stand_by_until_a_seat_is_free(
    app: App, client: redis.Redis, prefix: str
) -> None:
    seats = [Seats(app.client.store, lambda: ["q"], f"w{n}") for n in range(4)]
    links = [app.client.store.links(f"w{n}") for n in range(2)]  # those without a connection are dismissed
    for link in links:
        await link.home.call("PING")
    for seat in seats:
        await seat.once()
    assert [(seat.chief(), seat.deputy(), seat.watched()) for seat in seats] == [
        (["q"], [], ["q"]), ([], ["q"], ["q"]), ([], [], []), ([], [], []),
    ]  # fmt: skip
    await seats[0].close()
    assert holders(client, prefix) == [None, "w1", None], "a clean stop gives the seat up at once"
    for seat in seats[1:]:
        seat.lost()
        await seat.once()
    assert holders(client, prefix) == ["w1", "w2", None]
    for seat in seats[1:]:
        await seat.close()
    assert holders(client, prefix) == [None, None, None]
    for link in links:
        await link.close()


@ON_ONE_SERVER
async def test_a_claim_that_is_not_renewed_ends(app: App, client: redis.Redis, prefix: str) -> None:
    first, second = (
        Seats(app.client.store, lambda: ["q"], who, seats=(1,), brief=True) for who in ("s1", "s2")
    )
    await first.once()
    async with ticking(second):
        await until(second.chief, 5)
        assert holders(client, prefix)[0] == "s2"
        first.lost()
        await first.once()
        assert first.chief() == []
    await first.close()


@ON_ONE_SERVER
async def test_workers_and_schedulers_share_the_seats_and_a_reclaimer_keeps_nobody_from_promoting(
    app: App, client: redis.Redis, prefix: str
) -> None:
    task = app.task(name="t", queue="q")(lambda x: x)
    await app.client.store.queues.announce("q")
    async with ticking(*upkeep(app, lambda: ["q"], Share.RECLAIM)):
        await until(lambda: holders(client, prefix)[2])
        async with working(app, name="w1"):
            await until(lambda: holders(client, prefix)[0] == "w1")
            job = await task.enqueue(1, delay=0.1)
            assert await job.result(5) == 1
            scheduling = asyncio.create_task(Scheduler(app).run())
            await until(lambda: (holders(client, prefix)[1] or "").startswith("scheduler-"))
            scheduling.cancel()
            await asyncio.wait([scheduling])
            assert holders(client, prefix)[1] is None


@ON_ONE_SERVER
async def test_a_deputy_promotes_what_a_chief_that_is_held_up_leaves_lying(
    app: App, client: redis.Redis, prefix: str
) -> None:
    task = app.task(name="t", queue="q")(lambda x: x)
    client.set(Keys(prefix, "q").seats(1)[0], "blocked", px=60_000)
    async with working(app):
        await until(lambda: holders(client, prefix)[1])
        await task.enqueue(1, delay=30)  # it has looked, and hears of nothing earlier
        start = time.monotonic()
        jobs = [await task.enqueue(n, delay=20) for n in range(3)]
        client.zadd(Keys(prefix, "q").delayed, {job.id: 0 for job in jobs})
        for job in jobs:
            await job.result(8)
        assert time.monotonic() - start < 7
        assert holders(client, prefix)[0] == "blocked"


@ON_ONE_SERVER
async def test_a_job_is_at_most_a_moment_late_while_the_chief_is_blocked(
    app: App, client: redis.Redis, prefix: str
) -> None:
    jobs = [await app.enqueue("q", "t", n, delay=0.2 + n / 50) for n in range(20)]
    client.set(Keys(prefix, "q").seats(1)[0], "blocked", px=60_000)
    async with ticking(*upkeep(app, lambda: ["q"])):
        start = time.monotonic()
        await until(lambda: census(client, prefix, "q").counts() == {"waiting": len(jobs)}, 5)
        assert time.monotonic() - start < 2, "the last is due after 0.6 s"


@ON_ONE_SERVER
async def test_the_cost_of_upkeep_does_not_grow_with_the_number_of_those_who_take_part(
    app: App, client: redis.Redis, prefix: str
) -> None:
    """Each due time used to wake all of them, and each asked the server."""
    duties = [duty for _ in range(20) for duty in upkeep(app, lambda: ["q"])]
    client.zadd(Keys(prefix, "q").workers, {f"w{n}": 1 for n in range(20)})
    await app.enqueue_many("q", "t", range(100), delay=60)
    first = int(time.time() * 1000) + 1_500
    client.zadd(Keys(prefix, "q").delayed, {
        job: first + 20 * n for n, job in enumerate(client.hkeys(Keys(prefix, "q").parked))
    })  # fmt: skip
    async with ticking(*duties):
        await until(lambda: holders(client, prefix)[1])
        before = client.info("commandstats")["cmdstat_evalsha"]["calls"]
        await until(lambda: census(client, prefix, "q").counts() == {"waiting": 100}, 10)
        calls = client.info("commandstats")["cmdstat_evalsha"]["calls"] - before
    assert calls < 350, f"{calls} calls for 100 due times, of which all 20 together would make 2,000"


async def test_where_claims_are_refused_everybody_does_the_upkeep(
    app: App, client: redis.Redis, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    task = app.task(name="t", queue="q")(lambda x: x)
    client.hset(Keys(prefix, "q").seats(1)[0], "not", "a string")
    async with working(app, name="w1"), working(app, name="w2"):
        assert await (await task.enqueue(1, delay=0.1)).result(5) == 1
        client.hset(shared_keys(prefix).workers, "lost", _entry("lost", "q"))
        await until(lambda: not client.hexists(shared_keys(prefix).workers, "lost"), 5)
    assert caplog.text.count("cannot share the upkeep of q: ") == 2, "once each"


@ON_ONE_SERVER
async def test_who_comes_after_all_were_killed_at_once_does_not_wait_for_the_end_of_their_claims(
    app: App, client: redis.Redis, prefix: str
) -> None:
    task = app.task(name="t", queue="q")(lambda x: x)
    for seat, dead in zip(Keys(prefix, "q").seats(1, 2), ("w1", "w2"), strict=True):
        client.set(seat, dead, px=60_000)
    async with working(app, name="w3"):
        await until(lambda: holders(client, prefix)[0] == "w3", 5)
        assert await (await task.enqueue(1, delay=0.1)).result(5) == 1


@ON_ONE_SERVER
async def test_whoever_has_a_seat_hears_at_once_of_who_comes(
    app: App, client: redis.Redis, prefix: str
) -> None:
    chief = Seats(app.client.store, lambda: ["q"], "w1")
    others = [Seats(app.client.store, lambda: ["q"], f"w{n}", seats=(1,)) for n in (2, 3)]
    async with ticking(chief):
        await until(chief.chief)
        assert not chief.others()
        await until(lambda: app.client.store.signals.of("q").hears(queue_keys(prefix, "q").signals))
        for number, seat in enumerate(others, 2):
            client.zadd(Keys(prefix, "q").workers, {f"w{n}": 1 for n in range(1, number + 1)})
            claiming = asyncio.create_task(seat.once())
            await until(lambda n=number: chief._workers["q"] == n, 5)
            await claiming
        assert chief.others()
    for seat in others:
        await seat.close()


# -- one bad queue ------------------------------------------------------------------------------------------


def _entry(name: str, *queues: str) -> str:
    return json.dumps({
        "name": name, "host": "h", "pid": 1, "queues": queues, "concurrency": 1, "version": "0",
        "started_at": "2030-01-01T00:00:00Z", "client_id": 999_999,
    })  # fmt: skip


class Good:
    """A queue in which every duty has something to do: a due job, an old record, a lost worker, a stranded entry."""

    def __init__(self, app: App, client: redis.Redis, prefix: str, name: str) -> None:
        self.app, self.client, self.prefix, self.name = app, client, prefix, name
        self.keys = Keys(prefix, name)

    async def prepare(self) -> None:
        async with self.app.client.store.pool.links() as link:
            await self.app.client.store.delivery.join(link, [self.name])
        for worker in ("lost", "deleted"):
            await self.app.enqueue(self.name, "t", worker)
            self.client.xreadgroup(GROUP, worker, {self.keys.ready: ">"})
        self.client.xgroup_delconsumer(self.keys.ready, GROUP, "deleted")
        self.client.zadd(self.keys.workers, {"lost": 1})
        self.client.hset(shared_keys(self.prefix).workers, "lost", _entry("lost", self.name))
        await self.app.enqueue(self.name, "t", "due", delay=0.001)
        self.client.hset(self.keys.finished, "1-1", "c5 0 w\nt\n\n1\nnull")
        self.client.rpush(self.keys.completed, "1-1")
        await asyncio.sleep(0.005)  # it is due now, also for who looks once

    def done(self) -> bool:
        pruned = not self.client.exists(self.keys.finished)
        return pruned and census(self.client, self.prefix, self.name).counts() == {"waiting": 3}


def _duties(app: App, queues: list[str]) -> list[Any]:
    return [
        Promoter(app.client.store, lambda: queues), Reclaimer(app.client.store, lambda: queues),
        Auditor(app.client.store, lambda: queues), Pruner(app.client.store, lambda: queues),
        Seats(app.client.store, lambda: queues, "someone"),
    ]  # fmt: skip


@ON_ONE_SERVER
@pytest.mark.parametrize("key", ["ready", "parked", "delayed", "moved", "finished", "completed", "workers"])
async def test_a_key_of_the_wrong_type_stops_the_upkeep_of_its_queue_alone(
    app: App, client: redis.Redis, prefix: str, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = Keys(prefix, "a"), Good(app, client, prefix, "b")
    await good.prepare()
    await app.enqueue("a", "t", 1, delay=0.001)
    client.hset(shared_keys(prefix).workers, "other", _entry("other", "a"))
    client.rpush(bad.completed, "1-1")
    client.delete(getattr(bad, key))
    client.set(getattr(bad, key), "wrong")
    async with ticking(*_duties(app, ["a", "b"])):
        await until(good.done)
        await asyncio.sleep(0.6)  # long enough for a second try
    told = [record.getMessage() for record in caplog.records if " of a: " in record.getMessage()]
    assert told
    assert len(told) == len(set(told)), "each once"
    assert not [text for text in told if " of b: " in text]


@ON_ONE_SERVER
@pytest.mark.parametrize("key", ["moved", "finished", "failures", "alone"])
async def test_a_lost_worker_whose_jobs_cannot_be_taken_is_told_of_once_and_recovered_when_they_can(
    app: App, client: redis.Redis, prefix: str, key: str,
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The beats of its queue can be read all the while: that they can does not mean that the trouble is over."""
    monkeypatch.setattr("streamq.redis.troubles.PAUSE", (0.05, 0.1))
    caplog.set_level(logging.INFO, "streamq")
    bad, good = Keys(prefix, "a"), Good(app, client, prefix, "b")
    await Good(app, client, prefix, "a").prepare()
    await good.prepare()
    client.hset(shared_keys(prefix).workers, "lost", _entry("lost", "a", "b"))
    client.delete(getattr(bad, key))
    client.set(getattr(bad, key), "wrong")
    reclaimer = Reclaimer(app.client.store, lambda: ["a", "b"])
    async with ticking(reclaimer):
        await until(lambda: client.zscore(good.keys.workers, "lost") is None)
        await asyncio.sleep(2.0)  # several looks at the beats, and at the connections
        client.delete(getattr(bad, key))
        await until(lambda: client.zscore(bad.workers, "lost") is None)
        await until(lambda: "can recover the jobs of lost workers on a again" in caplog.text)
    told = [record.getMessage() for record in caplog.records if "recover the jobs" in record.getMessage()]
    assert ["WRONGTYPE" in text for text in told] == [True, False], (
        "one line when it begins, one when it is over"
    )


@ON_ONE_SERVER
async def test_a_queue_whose_keys_are_forbidden_stops_no_other_and_is_told_of_when_it_works_again(
    own_server: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    server = own_server(users=["alice on >x resetkeys ~sq:{b}* ~sq:queues ~sq:workers &* +@all"])
    caplog.set_level("INFO")
    overrides = {**QUICK, "redis_url": f"unix://alice:x@{server.socket}"}
    with server.client() as client:
        async with (
            App(Settings.load(**overrides)) as app,
            App(Settings.load(**{**QUICK, "redis_url": server.url})) as all_,
        ):
            good = Good(all_, client, "sq", "b")
            await good.prepare()
            await all_.enqueue("a", "t", 1, delay=0.001)
            async with ticking(*_duties(app, ["a", "b"])):
                await until(good.done)
                assert (
                    "cannot promote jobs of a: the server refuses" in caplog.text
                    or "cannot promote jobs of a: the server says" in caplog.text
                )
                client.acl_setuser("alice", keys=["*"], enabled=True, reset=False)
                await until(lambda: "can promote jobs of a again" in caplog.text, 15)
                await until(lambda: census(client, "sq", "a").counts() == {"waiting": 1})


TYPES: dict[str, Callable[[redis.Redis, str], Any]] = {
    "string": lambda client, key: client.set(key, "\xff"),
    "list": lambda client, key: client.rpush(key, "x", "1-1", ""),
    "hash": lambda client, key: client.hset(key, mapping={"1-1": "x", "": "\n\n", "9" * 30: "c"}),
    "set": lambda client, key: client.sadd(key, "x"),
    "zset": lambda client, key: client.zadd(key, {"x": 1, "1-1": 0, "\x00": -5, "y" * 99: float("inf")}),
    "stream": lambda client, key: client.xadd(key, {"headers": '{"id": 7}', "other": "x"}),
}
KEYS = ["ready", "alone", "parked", "delayed", "moved", "finished", "completed", "failed", "workers"]
DAMAGE = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(sorted(TYPES)), min_size=1)


@ON_ONE_SERVER
@given(damage=st.lists(DAMAGE, min_size=10, max_size=10))
@settings(
    max_examples=10, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
async def test_whatever_lies_in_a_queue_its_neighbour_is_kept(
    app: App, client: redis.Redis, prefix: str, damage: list[dict[str, str]]
) -> None:
    for number, damaged in enumerate(damage):
        client.delete(*client.scan_iter(f"{prefix}*"), "none")
        bad, good = Keys(prefix, "a"), Good(app, client, prefix, f"b{number}")
        await good.prepare()
        for key, kind in damaged.items():
            TYPES[kind](client, getattr(bad, key))
        client.hset(shared_keys(prefix).workers, "x", _entry("x", "a", good.name))
        duties = _duties(app, ["a", good.name])
        reclaimer = duties[1]
        try:
            for duty in duties:
                await duty.once()
            home = app.client.store.servers.home
            reclaimer.watch._missing = dict.fromkeys(
                [(home, "lost"), (home, "x")], -1e9
            )  # as after the grace
            await reclaimer.once()
        finally:
            for duty in duties:
                await duty.close()
        assert good.done(), damaged


async def test_claims_over_many_queues_go_out_together_and_last_longer(
    app: App, client: redis.Redis, prefix: str
) -> None:
    queues = [f"q{n}" for n in range(200)]
    seats = Seats(app.client.store, lambda: queues, "w1")
    assert await seats.once() == 200
    assert len(seats.chief()) == 200
    assert client.pttl(Keys(prefix, "q0").seats(1)[0]) > 6_000
    await seats.close()
    assert not list(client.scan_iter(f"{prefix}*upkeep*"))


async def test_a_queue_in_which_a_call_takes_too_long_keeps_the_others_waiting_for_one_turn_at_most() -> None:
    """The server may be away, or this one call may be too much for it: who can tell? The others are tried next."""
    troubles, done = Troubles("look after", logging.getLogger("test")), list[str]()

    async def act(queue: str) -> int:
        if queue == "slow":
            raise Unavailable("no answer in time")
        done.append(queue)
        return 1

    for _ in range(2):
        with contextlib.suppress(Unavailable):
            await troubles.each(["slow", "a", "b"], act)
    assert done == ["a", "b"]
