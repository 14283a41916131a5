"""Unique jobs: of several with one key, which stands, and when the key is free again."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
import redis

from streamq import App, Backoff, ConfigurationError, InvalidPayload, State, Unique, UsageError
from streamq.doctor import examine
from streamq.duties.pruner import Pruner
from streamq.model.keys import GROUP, Keys

from ..rig import ON_ONE_SERVER, until, working


@pytest.fixture
def task(app: App) -> Any:
    @app.task(queue="q")
    async def t(x: dict[str, Any]) -> None: ...

    return t


async def test_while_a_job_has_the_key_its_handle_is_what_everybody_gets(task: Any, app: App) -> None:
    first = await task.enqueue({"n": 1}, key="k")
    second = await task.enqueue({"n": 2}, key="k", delay=60)
    assert (first.disposition, second.disposition) == ("created", "existing")
    assert first.id == second.id
    assert (await second.status()).payload == {"n": 1}
    assert (await app.queue("q").counts()).waiting == 1


@pytest.mark.parametrize(
    "options", [{}, {"delay": 60}, {"priority": "high"}], ids=["waiting", "delayed", "high"]
)
async def test_the_one_that_has_not_begun_is_replaced_under_its_id(
    task: Any, app: App, options: dict[str, Any]
) -> None:
    replace = Unique(conflict="replace")
    first = await task.enqueue({"n": 1}, key="k", unique=replace, **options)
    before = await first.status()
    second = await task.enqueue({"n": 2}, key="k", unique=replace, **options)
    after = await first.status()
    assert (second.id, second.disposition) == (first.id, "replaced")
    assert (after.payload, after.state, after.due_at) == ({"n": 2}, before.state, before.due_at)


async def test_the_first_of_a_window_wins_and_after_it_the_next_does(
    task: Any, client: redis.Redis, prefix: str
) -> None:
    window = Unique(window=60)
    first = await task.enqueue({"n": 1}, key="k", unique=window)
    assert (await task.enqueue({"n": 2}, key="k", unique=window)).id == first.id
    client.hset(Keys(prefix, "q").unique, "k", f"{first.id} 1")  # as if it had ended long ago
    third = await task.enqueue({"n": 3}, key="k", unique=window)
    assert (third.id != first.id, third.disposition) == (True, "created")


async def test_a_debounced_job_is_put_off_by_each_further_one_but_not_beyond_its_limit(task: Any) -> None:
    last_wins = Unique(debounce=30, at_most=40)
    first = await task.enqueue({"n": 1}, key="k", unique=last_wins)
    born = (await first.status()).created_at
    second = await task.enqueue({"n": 2}, key="k", unique=Unique(debounce=3600, at_most=40))
    after = await second.status()
    assert (second.id, second.disposition, after.payload) == (first.id, "replaced", {"n": 2})
    assert after.due_at is not None
    assert born is not None
    assert (after.due_at - born).total_seconds() == pytest.approx(40, abs=0.01)


async def test_jobs_that_follow_are_held_in_their_order(task: Any, app: App) -> None:
    queued = Unique(conflict="queue")
    jobs = [await task.enqueue({"n": n}, key="k", unique=queued) for n in range(3)]
    assert [job.disposition for job in jobs] == ["created", "following", "following"]
    assert [(await job.status()).state.value for job in jobs] == ["waiting", "held", "held"]


@ON_ONE_SERVER
@pytest.mark.parametrize("mode", ["queue", "latest"])
async def test_one_that_follows_and_was_delayed_does_not_start_before_its_time(
    task: Any, app: App, client: redis.Redis, prefix: str, mode: Any
) -> None:
    unique, keys = Unique(conflict=mode), Keys(prefix, "q")
    first = await task.enqueue({"n": 1}, key="k", unique=unique)
    async with app.client.store.pool.links() as links:
        await app.client.store.delivery.join(links, ["q"])
    client.xreadgroup(GROUP, "w", {keys.ready: ">"})
    second = await task.enqueue({"n": 2}, key="k", unique=unique, delay=60)
    held = await second.status()
    assert (held.state, (held.due_at - held.created_at).total_seconds()) == (State.HELD, 60)
    if mode == "latest":
        assert (await task.enqueue({"n": 3}, key="k", unique=unique)).id == second.id
    async with app.client.store.pool.links() as links:
        await app.client.store.jobs.cancel("q", first.id, "", "")
        await app.client.store.delivery.release(links, "q", [(1, first.id.encode())])
    after = await second.status()
    assert (after.state, after.due_at, client.hget(keys.unique, "k")) == (
        State.DELAYED, held.due_at, f"{second.id} done",
    )  # fmt: skip
    assert (await second.promote()).state is State.WAITING


async def test_the_key_is_made_of_the_fields_that_the_task_names(app: App) -> None:
    @app.task(queue="q", unique=Unique(fields=["order", "who.id"]))
    async def pay(x: dict[str, Any]) -> None: ...

    first = await pay.enqueue({"order": 1, "who": {"id": 7}, "note": "a"})
    again = await pay.enqueue({"order": 1, "who": {"id": 7}, "note": "b"})
    other = await pay.enqueue({"order": 1, "who": {"id": 8}})
    assert (again.id, again.disposition) == (first.id, "existing")
    assert other.id != first.id
    with pytest.raises(InvalidPayload, match=r"'who\.id'"):
        await pay.enqueue({"order": 1, "who": 5})
    many = await pay.enqueue_many([{"order": n % 3, "who": {"id": 9}} for n in range(9)])
    assert len({job.id for job in many}) == 3
    assert [job.disposition for job in many] == ["created"] * 3 + ["existing"] * 6


@pytest.mark.parametrize(
    "wrong",
    [
        {"until": "never"}, {"conflict": "merge"}, {"window": -1}, {"window": 1, "debounce": 1}, {"at_most": 5},
        {"fields": "order"}, {"fields": []}, {"window": 5, "conflict": "replace"}, {"debounce": "soon"},
        {"until": "started", "conflict": "latest"},
    ],
)  # fmt: skip
def test_what_cannot_be_says_what_can(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"Unique\(.*(use|give|leave|nothing to follow)"):
        Unique(**wrong)


@pytest.mark.parametrize("key", ["", "k" * 201, "a\nb", 5, b"k", "\ud800"])
async def test_a_key_that_cannot_be_is_refused_before_anything_is_sent(task: Any, app: App, key: Any) -> None:
    with pytest.raises(UsageError, match=r"key=.*200 characters"):
        await task.enqueue({}, key=key)
    assert (await app.queue("q").counts()).waiting == 0


LEFT: dict[str, Unique] = {
    "done": Unique(), "started": Unique(until="started"), "debounce": Unique(debounce=0.001),
    "latest": Unique(conflict="latest"), "queue": Unique(conflict="queue"), "replace": Unique(conflict="replace"),
}  # fmt: skip


@ON_ONE_SERVER
@pytest.mark.parametrize("mode", LEFT)
async def test_a_key_is_free_when_its_job_has_ended_however_that_was(
    app: App, client: redis.Redis, prefix: str, mode: str
) -> None:
    @app.task(queue="q", attempts=2, backoff=Backoff(0.01), timeout=0.3)
    async def t(x: str) -> None:
        if x == "fails":
            raise ValueError
        if x == "hangs":
            await asyncio.sleep(5)

    async with working(app, concurrency=3):
        for n, x in enumerate(("fine", "fails", "hangs")):
            await t.enqueue(x, key=f"k{n}", unique=LEFT[mode])
        await app.enqueue("q", "nobody", 1, key="k3", unique=LEFT[mode], expires=0.001)
        await until(lambda: client.hlen(Keys(prefix, "q").finished) >= 3)
    await until(lambda: client.hlen(Keys(prefix, "q").unique) <= 1)
    for held in (job for job in (await app.queue("q").jobs(State.DELAYED)).items):  # the one nobody knows
        await app.queue("q").cancel(held.id)
    assert client.hlen(Keys(prefix, "q").unique) == 0


@ON_ONE_SERVER
async def test_each_of_many_that_end_at_once_gives_up_its_own_key(
    app: App, client: redis.Redis, prefix: str
) -> None:
    release = asyncio.Event()

    @app.task(queue="q")
    async def t(x: int) -> None:
        await release.wait()

    async with working(app, concurrency=40):
        jobs = await asyncio.gather(*[t.enqueue(n, key=f"k{n}") for n in range(40)])
        await until(lambda: _active(app, 40))
        release.set()
        await asyncio.gather(*[job.result(5) for job in jobs])
    assert client.hlen(Keys(prefix, "q").unique) == 0


async def _active(app: App, count: int) -> bool:
    return (await app.queue("q").counts()).active == count


async def test_those_that_follow_run_one_after_the_other_and_the_latest_alone_of_many(app: App) -> None:
    ran: list[tuple[str, int]] = []
    all_sent = asyncio.Event()

    @app.task(queue="q")
    async def t(mode: str, n: int) -> None:
        ran.append((mode, n))
        await all_sent.wait()
        await asyncio.sleep(0.01)
        ran.append((mode, n))

    async with working(app, concurrency=10):
        for mode in ("queue", "latest"):
            unique = Unique(conflict=mode)  # type: ignore[arg-type]
            jobs = []
            all_sent.clear()
            for n in range(4):
                jobs.append(await t.options(key=mode, unique=unique).enqueue(mode, n))
                if n == 0:
                    await until(lambda: (mode, 0) in ran)  # noqa: B023
            all_sent.set()
            await jobs[-1].result(timeout=5)
    assert [n for mode, n in ran if mode == "queue"] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [n for mode, n in ran if mode == "latest"] == [0, 0, 3, 3]


async def test_a_purge_leaves_no_key_and_nobody_who_follows(
    task: Any, app: App, client: redis.Redis, prefix: str
) -> None:
    queued = Unique(conflict="queue")
    await app.queue("q").pause(task="t")
    for key in ("a", "b"):
        for n in range(4):
            await task.enqueue({"n": n}, key=key, unique=queued)
    await asyncio.sleep(0.002)  # only what was born before it is purged
    purge = await app.queue("q").purge(["held"])
    async with app.client.store.pool.links() as links:
        await app.client.store.operations.step(links, "q", purge.id)
    keys = Keys(prefix, "q")
    assert (client.hlen(keys.unique), client.hlen(keys.parked), client.xlen(keys.ready)) == (0, 0, 0)


async def test_the_doctor_finds_what_was_deleted_by_hand_and_mends_it(
    task: Any, app: App, client: redis.Redis, prefix: str
) -> None:
    keys, queued = Keys(prefix, "q"), Unique(conflict="queue")
    first = [await task.enqueue({}, key=key, unique=queued) for key in "abc"]
    second = [await task.enqueue({}, key=key, unique=queued) for key in "abc"]
    await task.enqueue({}, key="w", unique=Unique(window=60))
    assert not [f for f in await examine(app) if f.check == "unique"]
    client.xdel(keys.ready, first[0].id)  # a job with a follower
    client.hdel(keys.parked, second[1].id)  # one that follows
    client.hdel(keys.unique, "c")  # a key
    client.zrem(keys.windows, "w")
    client.hset(keys.unique, "x", "nonsense")
    (finding,) = [f for f in await examine(app) if f.check == "unique"]
    assert (finding.code, finding.verdict) == ("keys-left", "fail")
    (mended,) = [f for f in await examine(app, repair=True) if f.check == "unique"]
    assert mended.said == finding.said
    assert not [f for f in await examine(app) if f.check == "unique"]
    async with app.client.store.pool.links() as links:
        await app.client.store.steering.resume_held(links, "q")
    assert [(await job.status()).state.value for job in (second[0], first[1], second[2])] == ["waiting"] * 3
    assert client.hlen(keys.parked) == 0


async def test_a_window_is_forgotten_when_it_has_ended_and_its_queue_not_before(
    task: Any, app: App, client: redis.Redis, prefix: str
) -> None:
    keys, store = Keys(prefix, "q"), app.client.store
    job = await task.enqueue({}, key="k", unique=Unique(window=0.05))
    client.xdel(keys.ready, job.id)
    pruner = Pruner(store, lambda: ["q"])
    try:
        await pruner.see_to("q")
        assert await store.queues.names() == {"q"}
        await until(lambda: client.zcount(keys.windows, "-inf", float("inf")) == 1)
        await asyncio.sleep(0.06)
        await pruner.see_to("q")
    finally:
        await pruner.close()
    assert (client.hlen(keys.unique), client.zcard(keys.windows)) == (0, 0)
    assert await store.queues.names() == set()


async def test_of_many_producers_at_once_one_makes_the_job_and_all_get_it(
    task: Any, make_app: Any, app: App
) -> None:
    apps = [make_app() for _ in range(3)]
    async with contextlib.AsyncExitStack() as stack:
        for each in apps:
            await stack.enter_async_context(each)
        jobs = await asyncio.gather(
            *(each.enqueue("q", "t", {}, key=f"k{n % 5}") for each in (app, *apps) for n in range(50))
        )
    assert len({job.id for job in jobs}) == 5
    assert sorted(job.disposition for job in jobs) == ["created"] * 5 + ["existing"] * 195


@ON_ONE_SERVER
async def test_of_callers_at_once_whose_terms_differ_one_makes_the_job_too(task: Any, app: App) -> None:
    terms: list[dict[str, Any]] = [
        {}, {"priority": "high"}, {"priority": "low"}, {"unique": Unique(window=5)}, {"delay": 5},
        {"unique": Unique(until="started")}, {"unique": Unique(conflict="replace")},
    ]  # fmt: skip
    flying = app.enqueue("q", "t", {})  # so that the others leave together
    _, *jobs = await asyncio.gather(flying, *(task.enqueue({"n": 1}, key="k", **each) for each in terms))
    assert [job.disposition for job in jobs] == ["created", *["existing"] * 5, "replaced"]
    assert len({job.id for job in jobs}) == 1


@ON_ONE_SERVER
async def test_a_debounced_job_takes_no_key_from_one_that_has_it_until_it_is_done(
    task: Any, app: App, client: redis.Redis, prefix: str
) -> None:
    keys = Keys(prefix, "q")
    first = await task.enqueue({"n": 1}, key="k")
    async with app.client.store.pool.links() as links:
        await app.client.store.delivery.join(links, ["q"])
    client.xreadgroup(GROUP, "w", {keys.ready: ">"})
    second = await task.enqueue({"n": 2}, key="k", unique=Unique(debounce=5))
    third = await task.enqueue({"n": 3}, key="k", unique=Unique(debounce=5))
    assert [second.disposition, third.disposition, third.id] == ["following", "replaced", second.id]
    assert (await task.enqueue({"n": 4}, key="k")).id == first.id


@ON_ONE_SERVER
async def test_the_first_debounced_job_waits_no_longer_than_its_limit_either(task: Any) -> None:
    record = await (await task.enqueue({}, key="k", unique=Unique(debounce=60, at_most=5))).status()
    assert (record.due_at - record.created_at).total_seconds() == 5


def test_a_key_is_the_same_for_the_same_payload_and_another_for_another() -> None:
    whole, one = Unique(), Unique(fields=["a"])
    same = b'{"a":{"x":1,"y":2},"b":3}', b'{"b":3,"a":{"y":2,"x":1}}'
    for unique in (whole, one):
        assert len({unique.key_of("t", payload) for payload in same}) == 1
        assert len({unique.key_of("t", b'{"a":1234567890123456789012%d}' % n) for n in range(9)}) == 9


def test_the_fields_of_a_key_are_the_same_in_each_process_and_for_each_job() -> None:
    listed = ["a", "b"]
    unique = Unique(fields=listed)
    listed.clear()
    assert unique.key_of("t", b'{"a":1,"b":2}') == "t:[1,2]"
    for fields in ({"a", "b"}, (name for name in "ab"), 5, [""], [5]):
        with pytest.raises(ConfigurationError, match="use a list of names of fields"):
            Unique(fields=fields)  # type: ignore[arg-type]


async def test_the_key_of_a_job_that_crashes_too_often_is_free_and_who_follows_starts(
    task: Any, app: App, client: redis.Redis, prefix: str
) -> None:
    keys, queued = Keys(prefix, "q"), Unique(conflict="queue")
    first, second = [await task.enqueue({}, key="k", unique=queued) for _ in range(2)]
    alone = await task.enqueue({}, key="alone")
    async with app.client.store.pool.links() as links:
        await app.client.store.delivery.join(links, ["q"])
        for _ in range(3):
            client.xreadgroup(GROUP, "w", {keys.ready: ">", keys.alone: ">"})
            await app.client.store.recovery.reclaim(links, "q", "w", None)
    states = [(await job.status()).state for job in (first, second, alone)]
    assert states == [State.FAILED, State.WAITING, State.FAILED]
    assert client.hkeys(keys.unique) == ["k"]
