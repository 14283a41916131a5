"""What the scenarios of speed, latency and growth stand on: arrivals, latencies, and drains that are counted whole."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable

import pytest
from redis.exceptions import ResponseError

from bench import bare, server
from bench.draining import NotWhole, bare_by_many, bare_loop, check, ours, ours_by_many
from bench.openloop import latencies, play, poisson
from bench.process import Gone
from bench.rig import Rig
from bench.tasks import QUEUE, Counter, messages

from ..rig import ON_ONE_SERVER
from ..servers import Server


@pytest.fixture
async def rig(own_server: Callable[..., Server]) -> AsyncIterator[Rig]:
    """On a server of its own, which is as empty afterwards as before."""
    lent = server.Server(own_server().url, None)
    yield Rig(lent, quick=True, repeat=1, say=lambda _: None)
    left = await lent.client.keys()
    await lent.client.aclose()
    assert not left


def test_the_same_seed_gives_the_same_arrivals_and_another_gives_others() -> None:
    assert poisson(200, 2, seed=1) == poisson(200, 2, seed=1)
    assert poisson(200, 2, seed=1) != poisson(200, 2, seed=2)


@pytest.mark.parametrize(("rate", "seconds"), [(200, 4.0), (5_000, 0.5), (0.5, 20.0)])
def test_as_many_arrive_as_the_rate_says_in_order_and_in_time(rate: float, seconds: float) -> None:
    arrivals = poisson(rate, seconds, seed=3)
    assert len(arrivals) == rate * seconds
    assert arrivals == sorted(arrivals)
    assert arrivals[0] >= 0
    assert arrivals[-1] <= seconds * 1e9


def test_arrivals_are_as_uneven_as_those_of_a_poisson_process() -> None:
    arrivals = poisson(1_000, 20, seed=4)
    gaps = [b - a for a, b in itertools.pairwise(arrivals)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert deviation / mean == pytest.approx(1, abs=0.05), "the gaps of a Poisson process are exponential"


async def test_each_arrival_is_sent_though_none_before_it_was_answered() -> None:
    sent: list[int] = []
    all_are_sent = asyncio.Event()

    async def send(number: int) -> None:
        sent.append(number)
        if len(sent) == 20:
            all_are_sent.set()
        await all_are_sent.wait()

    offsets = poisson(1_000, 0.02, seed=5)
    due = await play(offsets, send)
    assert sent == list(range(20))
    assert [at - due[0] for at in due] == [offset - offsets[0] for offset in offsets]


async def test_a_sender_that_fails_is_not_passed_over() -> None:
    async def send(number: int) -> None:
        if number == 2:
            raise ResponseError("no more")

    with pytest.raises(ResponseError):
        await play(poisson(1_000, 0.01, seed=6), send)


def test_a_latency_counts_from_the_intended_arrival() -> None:
    """A stall of 100 ms delays all that were to arrive meanwhile, not one alone."""
    due = [at * 1_000_000 for at in range(100)]  # one each millisecond
    starts = dict.fromkeys(range(100), 100_000_000)
    assert latencies(due, starts) == [100_000.0 - 1_000 * number for number in range(100)]


def test_a_job_that_never_began_has_no_latency_but_fails_the_measurement() -> None:
    with pytest.raises(NotWhole, match="1 jobs ran where 2 were enqueued"):
        latencies([10, 20], {0: 30})


@pytest.mark.parametrize("ran", [99, 101])
def test_a_lost_or_a_repeated_job_fails_a_drain(ran: int) -> None:
    told: list[dict[str, int]] = []
    counter = Counter(expected=100, report=told.append)
    for _ in range(ran):
        counter.count()
    counter.tell()
    with pytest.raises(NotWhole, match=f"{ran} jobs ran where 100 were enqueued"):
        check(told[-1]["ran"], 100)


@ON_ONE_SERVER
async def test_drains_run_every_job_and_leave_nothing(rig: Rig) -> None:
    assert (await ours(rig, messages(300), concurrency=50)).drain > 0
    assert (await bare_loop(rig, messages(300), batch=50)).drain > 0


@ON_ONE_SERVER
async def test_a_drain_leaves_as_many_waiting_as_there_were(rig: Rig) -> None:
    async with rig.app() as app:
        await app.tasks["count"].enqueue_many(messages(200))
        await ours(rig, messages(100), concurrency=50, waiting=200)
        assert (await app.queue(QUEUE).counts()).waiting == 200
    await rig.server.clear()


@ON_ONE_SERVER
async def test_several_processes_share_a_drain(rig: Rig) -> None:
    assert await ours_by_many(rig, messages(300), concurrency=50, processes=2) > 0
    assert await bare_by_many(rig, messages(300), batch=50, processes=2) > 0


@ON_ONE_SERVER
async def test_a_bare_loop_that_misses_entries_says_so(rig: Rig, capfd: pytest.CaptureFixture[str]) -> None:
    await bare.join(rig.server.client)
    await bare.enqueue(rig.server.client, [1, 2])
    async with rig.child("bare", expected=3, batch=10, tasks=True) as loop:
        with pytest.raises(Gone):
            await loop.told()
    await rig.server.clear()
    assert "1 of 3 entries are missing" in capfd.readouterr().err
