"""A worker's name is its own: claimed before the first job, refused when taken, and read with tolerance."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamq import App, ConfigurationError, NameTaken, Worker
from streamq.duties.reclaimer import Reclaimer
from streamq.liveness.identity import new_name
from streamq.model.keys import GROUP, Keys
from streamq.store.workers import UNREADABLE, parse_worker

from ..rig import ON_ONE_SERVER, census, shared_keys, until, working


def entry(name: str = "w1", **members: Any) -> dict[str, Any]:
    """What a worker of another version says of itself."""
    return {
        "name": name, "host": "h", "pid": 1, "queues": ["q"], "concurrency": 1, "version": "0",
        "started_at": "2030-01-01T00:00:00Z", **members,
    }  # fmt: skip


def _token(said: str) -> str:
    return str(json.loads(said)["token"])


@pytest.fixture
def hold(app: App) -> Any:
    """A task whose jobs run until they are let go."""
    end = asyncio.Event()

    @app.task(queue="q")
    async def hold(x: int) -> int:
        await end.wait()
        return x

    hold.end = end  # type: ignore[attr-defined]
    return hold


def test_a_made_name_is_one_of_four_thousand_million_for_its_host_and_process() -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,24}-\d+-[0-9a-f]{8}", new_name())
    assert len({new_name() for _ in range(1_000)}) == 1_000


@pytest.mark.parametrize("name", ["x" * 65, "two words", "a:b", "ä", "new\nline"])
@ON_ONE_SERVER
async def test_a_name_that_cannot_name_a_worker_is_refused(app: App, name: str) -> None:
    app.task(name="t", queue="q")(lambda x: x)
    with pytest.raises(ConfigurationError, match="1 to 64 letters"):
        Worker(app, name=name)


@ON_ONE_SERVER
async def test_a_name_of_64_characters_works(app: App) -> None:
    task = app.task(name="t", queue="q")(lambda x: x)
    async with working(app, name="x" * 64):
        assert await (await task.enqueue(1)).result(5) == 1
        assert [info.name for info in await app.workers()] == ["x" * 64]


@ON_ONE_SERVER
@pytest.mark.parametrize("beat", [0.5, 20.0])
async def test_a_second_worker_of_a_name_is_refused_before_it_fetches_a_job(
    make_app: Callable[..., App], client: redis.Redis, prefix: str, beat: float
) -> None:
    """Also when the first does not happen to beat meanwhile: its connections show that it lives."""
    app = make_app(beat=beat, lease=4 * beat)

    async def sleep(x: int) -> None:
        await asyncio.sleep(0.2)

    app.task(name="sleep", queue="q")(sleep)
    async with app, working(app, name="w1", concurrency=1), make_app() as other:
        other.task(name="sleep", queue="q")(sleep)
        await until(app.workers)
        before = _token(client.hget(shared_keys(prefix).workers, "w1"))
        jobs = await app.enqueue_many("q", "sleep", range(5))
        with pytest.raises(NameTaken, match=r"'w1' is taken by a living worker .*another name"):
            await Worker(other, name="w1").run()
        assert _token(client.hget(shared_keys(prefix).workers, "w1")) == before
        assert client.zscore(Keys(prefix, "q").workers, "w1"), "nothing of the first is taken away"
        for job in jobs:
            await job.result(5)
            assert (await job.status()).crashes == 0


@ON_ONE_SERVER
async def test_a_name_that_a_dead_worker_left_is_taken_over_and_its_jobs_start_again(
    app: App, client: redis.Redis, prefix: str
) -> None:
    keys = Keys(prefix, "q")
    task = app.task(name="t", queue="q")(lambda x: x)
    job = await task.enqueue(1)
    async with app.client.store.pool.links() as link:
        await app.client.store.delivery.join(link, ["q"])
    client.xreadgroup(GROUP, "w1", {keys.ready: ">"})
    client.zincrby(keys.workers, 7, "w1")
    client.hset(shared_keys(prefix).workers, "w1", json.dumps(entry(client_id=999_999)))
    async with working(app, name="w1"):
        assert await job.result(5) == 1
    assert (await job.status()).crashes == 1


@ON_ONE_SERVER
async def test_a_worker_introduces_itself_and_its_queues_again_after_everything_was_deleted(
    make_app: Callable[..., App], client: redis.Redis, prefix: str
) -> None:
    """With its next beat, long before it would say again who it is."""
    app = make_app(beat=2.0, lease=20.0)
    task = app.task(name="t", queue="q")(lambda x: x)
    async with app, working(app, name="w1"):
        await until(app.workers)
        client.delete(*client.scan_iter(f"{prefix}*"))
        await until(lambda: client.hget(shared_keys(prefix).workers, "w1"), 6)
        assert client.smembers(shared_keys(prefix).queues) == {"q"}
        job = await app.enqueue("q", "t", 3, delay=0.05)
        assert await job.result(5) == 3
        assert await (await task.enqueue(4)).result(5) == 4


@ON_ONE_SERVER
async def test_a_worker_whose_name_was_claimed_while_it_was_off_the_list_stops_and_gives_its_jobs_back(
    app: App, hold: Any, client: redis.Redis, prefix: str
) -> None:
    run = asyncio.create_task(Worker(app, name="w1", concurrency=3).run())
    jobs = await hold.enqueue_many(range(3))
    await until(lambda: census(client, prefix, "q").counts() == {"active": 3})
    other = json.dumps(entry(token="another", pid=77))
    client.hset(shared_keys(prefix).workers, "w1", other)
    client.zincrby(Keys(prefix, "q").workers, 1, "w1")  # as the other does
    with pytest.raises(NameTaken, match="process 77 on h"):
        await asyncio.wait_for(run, 10)
    assert client.hget(shared_keys(prefix).workers, "w1") == other
    assert client.zscore(Keys(prefix, "q").workers, "w1"), "the other's place on the list is left alone"
    found = census(client, prefix, "q")
    found.check()
    assert found.places == {job.id: ["waiting"] for job in jobs}
    assert {(await job.status()).crashes for job in jobs} == {0}


@ON_ONE_SERVER
async def test_an_entry_that_cannot_be_read_is_left_out_and_the_lost_are_recovered_all_the_same(
    app: App, client: redis.Redis, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    keys = Keys(prefix, "q")
    client.hset(shared_keys(prefix).workers, "newer", "\x80 not JSON")
    client.hset(shared_keys(prefix).workers, "older", json.dumps({"name": "older"}))
    client.hset(
        shared_keys(prefix).workers, "w1", json.dumps(entry(client_id=999_999, colour="blue", lease="long"))
    )
    client.zincrby(keys.workers, 1, "w1")
    await app.enqueue("q", "t", 1)
    async with app.client.store.pool.links() as link:
        await app.client.store.delivery.join(link, ["q"])
    client.xreadgroup(GROUP, "w1", {keys.ready: ">"})
    reclaimer = Reclaimer(app.client.store, lambda: ["q"])
    try:
        await until(reclaimer.once, 5)
        await reclaimer.watch.read_list()
        await reclaimer.watch.read_list()
    finally:
        await reclaimer.close()
    assert census(client, prefix, "q").counts() == {"waiting": 1}
    assert [
        caplog.text.count(f"description of worker {name} cannot be read") for name in ("newer", "older")
    ] == [1, 1]


TEXT = st.text("aZ9-_. \n\x00é\ud800", max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
MEMBERS = [*entry(), "client_id", "token", "lease", "beat", "stuck", "host_id", "process_start", "strange"]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from(MEMBERS), JSON), st.binary(max_size=8))
def test_whatever_an_entry_says_it_is_read_or_known_to_be_unreadable(
    said: dict[str, Any], noise: bytes
) -> None:
    for raw in (json.dumps(entry() | said).encode(), json.dumps(said).encode() + noise, noise):
        try:
            info = parse_worker(b"w1", raw)
        except UNREADABLE:
            continue
        assert info.name == "w1"
        assert all(0 <= number < 1e9 for number in (info.lease, info.beat, info.stuck))
        assert all(isinstance(queue, str) for queue in info.queues)
        info.asdict()


@pytest.mark.parametrize(("theirs", "lost"), [(0.5, True), (60.0, False)])
@ON_ONE_SERVER
async def test_a_worker_lives_by_the_lease_it_says_not_by_that_of_who_watches(
    make_app: Callable[..., App], client: redis.Redis, prefix: str, theirs: float, lost: bool
) -> None:
    keys = Keys(prefix, "q")
    async with make_app(lease=1.0 if not lost else 60.0, beat=0.1) as app:
        await app.enqueue("q", "t", 1)
        link = app.client.store.links("w1")
        client_id = await link.home.call("CLIENT", "ID")
        client.hset(shared_keys(prefix).workers, "w1", json.dumps(entry(client_id=client_id, lease=theirs)))
        client.zincrby(keys.workers, 1, "w1")
        await app.client.store.delivery.join(link, ["q"])
        client.xreadgroup(GROUP, "w1", {keys.ready: ">"})
        reclaimer = Reclaimer(app.client.store, lambda: ["q"])
        try:
            for _ in range(25):
                await reclaimer.once()
                await asyncio.sleep(0.1)
        finally:
            await reclaimer.close()
            await link.close()
    assert census(client, prefix, "q").counts() == {"waiting" if lost else "active": 1}
