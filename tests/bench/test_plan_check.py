"""The planner beside the engine: what it reads of it, what it assumes, and what counts as a good prediction."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bench.cluster import open_cluster
from bench.planning import footprint
from bench.planning.capacity import SHIPPED
from bench.planning.check import CLUSTERS, CONFIGURATIONS, Compared, Configuration, cpu_of_busiest, passed
from bench.planning.coefficients import load
from bench.planning.measure import AWAITED, TRIALS, at_one_pace
from bench.planning.memory import Curve
from bench.planning.plan import ATTEMPTS, MOST_SLOTS, SENT
from bench.planning.throughput import READ
from bench.planning.trial import TASK, Trial, payloads, trial
from bench.rig import Rig
from bench.server import open_server
from streamq import App
from streamq.client.outbox import BATCH
from streamq.worker.reads import READ_LIMIT

JOBS = 600


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with open_server(None) as server:
        yield Rig(server, quick=True, repeat=1, say=lambda _: None)
        assert await server.client.dbsize() == 0


async def test_a_trial_runs_all_its_jobs_and_the_curves_tell_what_they_take(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names, headers and records are the engine's: a job of another task, with another payload, is predicted."""
    monkeypatch.setattr(footprint, "SIZES", (200, 600))
    curves = await footprint.curves(rig)
    found = await trial(
        rig, payloads([250 + n % 300 for n in range(JOBS)], 1), slots=50, delayed=0.5, keep=JOBS
    )
    assert found.jobs == JOBS
    assert min(found.rate, found.enqueue, found.run, found.worker) > 0
    assert 1 <= found.batch <= 2 * 50, "as many as end while the last are on their way"
    waiting, delayed, completed = (curve.mean((250, 550), TASK) for curve in curves)
    assert found.stored / JOBS == pytest.approx((waiting + delayed) / 2, rel=0.1)
    assert found.kept / JOBS == pytest.approx(completed + 20, rel=0.1), "half have their id in their headers"


async def test_what_a_worker_takes_is_read_from_one(rig: Rig) -> None:
    worker, connections = await footprint.of_a_worker(rig)
    assert 1 <= connections.of_producer < connections.of_worker < 20
    assert 0 <= worker < 50_000, "its name and its beats, beside connections"


def test_the_planner_knows_what_the_engine_allows() -> None:
    assert (READ, SENT) == (READ_LIMIT, BATCH) == (500, 500)
    assert READ <= MOST_SLOTS, "more slots of a process shall bring no larger batches"
    assert READ < footprint.HELD, "so many active jobs are more than one read brings"
    assert ATTEMPTS == App().task(_nothing).attempts == 5, "as the page says"


async def test_a_failed_job_is_as_large_as_the_plan_says_after_any_number_of_attempts(rig: Rig) -> None:
    """Measured after some numbers of attempts; between them the engine keeps a summary of each, to a bound."""
    points = (await footprint.failed(rig, (1, 3, 20, 8, 26))).points
    known = Curve(points[:3])
    assert [known.at(attempts) for attempts, _ in points[3:]] == pytest.approx(
        [size for _, size in points[3:]], rel=0.2
    )
    assert 4_000 < known.at(1) < 6_000, "the page says how much of a traceback is kept"
    assert known.at(20) < 19_000, "and of a history"


async def _nothing() -> None:
    """A task with every default."""


def test_what_kinds_of_jobs_differ_by_is_told_at_one_pace_of_the_machine() -> None:
    def took(cpu: float) -> Trial:
        return Trial(JOBS, 1e6 / cpu, enqueue=cpu, run=cpu, worker=cpu, batch=100, stored=0, kept=0)

    rounds = [{"small": took(20 * slow), "large": took(30 * slow)} for slow in (2.0, 1.0, 1.5)]
    found = at_one_pace(rounds)
    assert (found["small"].worker, found["large"].run) == pytest.approx((20, 30))
    assert found["large"].rate == pytest.approx(1e6 / 30)


def test_the_coefficients_of_cpu_come_from_handlers_that_await() -> None:
    assert AWAITED > 0
    assert [name for name, how in TRIALS.items() if "ms" in how] == ["alone"], "which tells of time"


def compared(off: float) -> Compared:
    return Compared(CONFIGURATIONS[0], {"rate": (100 * (1 + off), 100), "kept": (100, 100)})


def test_nine_in_ten_must_be_within_a_fifth() -> None:
    assert passed([compared(0.19)] * 9 + [compared(0.5)])
    assert not passed([compared(0.19)] * 8 + [compared(0.5)] * 2)
    assert not compared(-0.21).good
    assert not Compared(CONFIGURATIONS[0], {"rate": (1, 1), "kept": (1.3, 1)}).good, "memory counts too"


def test_ten_different_configurations_are_checked_and_two_on_clusters() -> None:
    assert len(set(CONFIGURATIONS)) == 10
    assert {one.nodes for one in CONFIGURATIONS} == {1}
    assert [(one.nodes, one.partitions) for one in CLUSTERS] == [(3, 12), (3, 4)]
    assert not Compared(CLUSTERS[0], {"cpu": (1.3, 1)}).good


async def test_a_cluster_of_the_bench_runs_jobs_in_all_partitions_and_accounts_for_each_node() -> None:
    async with open_cluster() as cluster:
        rig = Rig(cluster, quick=True, repeat=1, say=lambda _: None)
        before = await cluster.cpu_of_each()
        found = await trial(rig, payloads([200] * JOBS, 1), slots=50, partitions=12, keep=JOBS)
        spent = [new - old for old, new in zip(before, await cluster.cpu_of_each(), strict=True)]
        assert found.jobs == JOBS
        assert min(spent) > 0.2 * max(spent), "all nodes have a part of the work"
        assert found.stored > 0
        assert [await client.dbsize() for client in cluster.clients] == [0, 0, 0]


def test_a_job_is_dearer_on_a_cluster_and_by_the_share_of_its_fullest_node() -> None:
    known = load(SHIPPED)
    even, odd = (
        cpu_of_busiest(known, Configuration(300, 300, 20, 400, nodes=3, partitions=count))
        for count in (12, 4)
    )
    alone = cpu_of_busiest(known, Configuration(300, 300, 20, 400))
    assert alone / 3 < even < alone / 2
    assert odd > 1.2 * even
