"""The planner beside the engine: what it reads of it, what it assumes, and what counts as a good prediction."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bench.planning import footprint
from bench.planning.check import CONFIGURATIONS, Compared, passed
from bench.planning.memory import Histories
from bench.planning.plan import MOST_SLOTS
from bench.planning.trial import TASK, payloads, trial
from bench.rig import Rig
from bench.server import open_server

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
    assert min(found.rate, found.enqueue, found.run, found.worker, found.text) > 0
    waiting, delayed, completed = (curve.mean((250, 550), TASK) for curve in curves.values())
    late = (
        0.5 * found.text
    )  # of a delayed job, whose id is in its headers: most of what is beside its payload
    assert found.stored / JOBS == pytest.approx((waiting + delayed) / 2, rel=0.1)
    assert found.kept / JOBS == pytest.approx(completed + late / 2, rel=0.1)


async def test_what_the_engine_allows_is_read_from_what_it_does(rig: Rig) -> None:
    worker, limits = await footprint.limits(rig)
    assert limits.read <= MOST_SLOTS, "more slots of a process shall bring no larger batches"
    assert limits.read < footprint.HELD, "so many jobs do not tell how many it reads at once"
    assert 10 * limits.sent <= footprint.SENT, "so many jobs do not tell how many go in a call"
    assert (limits.read, limits.sent, limits.attempts) == (500, 500, 5), "as the page says"
    assert 1 <= limits.of_producer < limits.of_worker < 20
    assert worker > 0


async def test_a_failed_job_is_as_large_as_the_plan_says_after_any_number_of_attempts(rig: Rig) -> None:
    """Measured after one, two, three and many attempts; between them the engine keeps a summary of each, to a bound."""
    measured, others = (1, 2, 3, footprint.MANY), (8, 30, footprint.MANY + 10)
    texts = await footprint.texts_after(rig, measured + others)
    histories = Histories(*texts[:4])
    assert [histories.beside(attempts) for attempts in others] == pytest.approx(texts[4:], rel=0.1)
    assert 4_000 < histories.one < 5_000, "the page says how much of a traceback is kept"
    assert histories.bound < 17_000, "and of a history"


def compared(off: float) -> Compared:
    return Compared(CONFIGURATIONS[0], (100 * (1 + off), 100), (100, 100), (100, 100))


def test_nine_in_ten_must_be_within_a_fifth() -> None:
    assert passed([compared(0.19)] * 9 + [compared(0.5)])
    assert not passed([compared(0.19)] * 8 + [compared(0.5)] * 2)
    assert not compared(-0.21).good
    assert not Compared(CONFIGURATIONS[0], (1, 1), (1, 1), (1.3, 1)).good, "memory counts too"


def test_ten_different_configurations_are_checked() -> None:
    assert len(set(CONFIGURATIONS)) == 10
