"""What goes wrong in one queue, or in one read, stops nobody else, and no job stays with a worker that never saw it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamq import App
from streamq.model.keys import GROUP, Keys
from streamq.redis import troubles as trouble
from streamq.worker import reads, unseen

from ..engine.fetching import Hands, fill, settle
from ..proxy import Proxy
from ..rig import ON_ONE_SERVER, QUICK, census, until, working
from ..servers import Server

# -- a read that the client gave up and the server did not --------------------------------------------------------


class Behind:
    """A worker behind a proxy, and a client beside it. ``ran`` has the jobs it ran."""

    def __init__(self, server: Server, proxy: Proxy, client: redis.Redis) -> None:
        self.proxy, self.client, self.keys, self.ran = proxy, client, Keys("sq", "q"), list[int]()
        self.direct = App(redis_url=server.url, prefix="sq")
        self.app = App(redis_url=proxy.url, prefix="sq", connect_timeout=0.5, **QUICK)
        self.app.task(name="work", queue="q")(self._work)

    async def _work(self, x: int) -> int:
        self.ran.append(x)
        return x

    def blocked_reads(self) -> list[dict[str, Any]]:
        """The clients that the server shows in a blocked read under the worker's name."""
        return [c for c in self.client.client_list() if c["name"] == "w1" and "b" in c["flags"]]


@pytest.fixture
async def behind(own_server: Callable[..., Server]) -> AsyncIterator[Behind]:
    server = own_server()
    async with Proxy(str(server.socket)) as proxy:
        proxy.linger = 20.0
        with server.client() as client:
            yield Behind(server, proxy, client)


async def test_a_job_taken_by_a_read_that_the_worker_had_given_up_is_run(behind: Behind) -> None:
    """The proxy ends the client's side at once and the server's much later; meanwhile the server delivers into it."""
    async with behind.direct, behind.app, working(behind.app, name="w1"):
        (read,) = await until(behind.blocked_reads)
        behind.proxy.closed = True
        behind.proxy.cut()
        job = await behind.direct.enqueue("q", "work", 1)
        await until(lambda: behind.client.xpending(behind.keys.ready, GROUP)["pending"] == 1)
        assert read["id"] in {c["id"] for c in behind.client.client_list()}, "the server still has it"
        behind.proxy.closed = False
        assert await job.result(10) == 1
        assert (await job.status()).crashes == 0
    assert behind.ran == [1]
    census(behind.client, "sq", "q").check()


async def test_a_read_that_the_worker_has_given_up_is_ended_when_it_is_back(behind: Behind) -> None:
    async with behind.direct, behind.app, working(behind.app, name="w1"):
        (read,) = await until(behind.blocked_reads)
        behind.proxy.cut()
        (other,) = await until(lambda: [c for c in behind.blocked_reads() if c["id"] != read["id"]])
        await until(lambda: [c["id"] for c in behind.blocked_reads()] == [other["id"]], 3)
        assert read["id"] in {c["id"] for c in behind.client.client_list()}
        jobs = [await behind.direct.enqueue("q", "work", number) for number in range(5)]
        assert await asyncio.gather(*[job.result(4) for job in jobs]) == list(range(5))
    assert behind.ran == list(range(5))


@ON_ONE_SERVER
async def test_without_the_right_to_end_a_given_up_read_the_audit_finds_what_it_took(
    own_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unseen, "EVERY", 0.3)
    monkeypatch.setattr(reads, "BLOCK_MS", 2_000)
    server = own_server(users=["default on nopass ~* &* +@all -client|unblock"])
    async with Proxy(str(server.socket)) as proxy:
        proxy.linger = 20.0
        with server.client() as client:
            behind = Behind(server, proxy, client)
            async with behind.direct, behind.app, working(behind.app, name="w1"):
                await until(behind.blocked_reads)
                proxy.cut()
                await until(lambda: len(behind.blocked_reads()) > 1)
                jobs = [await behind.direct.enqueue("q", "work", number) for number in range(4)]
                assert await asyncio.gather(*[job.result(10) for job in jobs]) == list(range(4))
            assert sorted(behind.ran) == list(range(4))


# -- many faults at once ------------------------------------------------------------------------------------------

FAULTS: dict[str, Callable[[redis.Redis, Keys], object]] = {
    "ready is a string": lambda client, keys: (client.delete(keys.ready), client.set(keys.ready, "x")),
    "ready is a hash": lambda client, keys: (client.delete(keys.ready), client.hset(keys.ready, "x", "y")),
    "ready is gone": lambda client, keys: client.delete(keys.ready),
    "its group is gone": lambda client, keys: _drop_group(client, keys.ready),
    "alone is a list": lambda client, keys: (client.delete(keys.alone), client.lpush(keys.alone, "x")),
    "alone is gone": lambda client, keys: client.delete(keys.alone),
    "both groups are gone": lambda client, keys: [_drop_group(client, lane) for lane in keys.lanes],
    "the claim is a set": lambda client, keys: (
        client.delete(keys.alone_claim),
        client.sadd(keys.alone_claim, "x"),
    ),
    "a strange entry waits": lambda client, keys: _add(
        client, keys.ready, {b"\xff": b"\x00", "headers": "[[["}
    ),
    "a strange suspect waits": lambda client, keys: _add(client, keys.alone, {"headers": '{"id":7}'}),
}


def _drop_group(client: redis.Redis, lane: str) -> None:
    if client.type(lane) == "stream":
        client.xgroup_destroy(lane, GROUP)


def _add(client: redis.Redis, lane: str, fields: dict[Any, Any]) -> None:
    if client.type(lane) in {"stream", "none"}:
        client.xadd(lane, fields)


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "streamq")
    monkeypatch.setattr(trouble, "PAUSE", (0.02, 0.05))
    monkeypatch.setattr("streamq.worker.suspects.LOOK", 0.05)
    monkeypatch.setattr(reads, "BLOCK_MS", 100)


BROKEN = [f"broken{number}" for number in range(4)]


@ON_ONE_SERVER
@settings(
    max_examples=40, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    faults=st.lists(
        st.tuples(st.sampled_from(BROKEN), st.sampled_from(sorted(FAULTS))), min_size=1, max_size=12
    ),
    slots=st.integers(1, 12),
)
def test_whatever_is_wrong_in_some_queues_the_others_are_read_at_once(
    make_app: Callable[..., App], client: redis.Redis, prefix: str, quick_retries: None,
    faults: list[tuple[str, str]], slots: int,
) -> None:  # fmt: skip
    asyncio.run(_neighbours_go_on(make_app(), client, prefix, faults, slots))
    for key in client.scan_iter(f"{prefix}*"):
        client.delete(key)


async def _neighbours_go_on(
    app: App, client: redis.Redis, prefix: str, faults: list[tuple[str, str]], slots: int
) -> None:
    async with app, _in_hand(Hands(app, [*BROKEN[:2], "well1", *BROKEN[2:], "well2"], slots)) as hands:

        def came(count: int) -> Callable[[], bool]:
            def look() -> bool:
                settle(client, prefix, [d for d in hands.let_go() if d.queue.startswith("well")])
                return hands.taken["well1"] == hands.taken["well2"] == count

            return look

        for number, (queue, fault) in enumerate(faults):
            FAULTS[fault](client, Keys(prefix, queue))
            fill(client, prefix, ["well1", "well2"], 2)
            await until(came(2 * (number + 1)), 3)


@asynccontextmanager
async def _in_hand(hands: Hands) -> AsyncIterator[Hands]:
    async with hands.fetching():
        yield hands
