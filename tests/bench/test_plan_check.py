"""The planner's check: trials on a server, and what counts as a good prediction."""

from __future__ import annotations

from bench.planning.check import CONFIGURATIONS, Compared, passed
from bench.planning.trial import payloads, trial
from bench.rig import Rig
from bench.server import open_server


async def test_a_trial_runs_all_its_jobs_on_a_server_and_leaves_it_clean() -> None:
    async with open_server(None) as server:
        rig = Rig(server, quick=True, repeat=1, say=lambda _: None)
        found = await trial(rig, payloads([300] * 400, 1), slots=50, delayed=0.5, keep=400)
        assert await server.client.dbsize() == 0
    assert found.jobs == 400
    assert min(found.rate, found.enqueue, found.run, found.worker) > 0
    assert min(found.stored, found.kept) > 400 * 300
    assert min(found.parked_text, found.record_text) > 300


def compared(off: float) -> Compared:
    return Compared(CONFIGURATIONS[0], (100 * (1 + off), 100), (100, 100), (100, 100))


def test_nine_in_ten_must_be_within_a_fifth() -> None:
    assert passed([compared(0.19)] * 9 + [compared(0.5)])
    assert not passed([compared(0.19)] * 8 + [compared(0.5)] * 2)
    assert not compared(-0.21).good
    assert not Compared(CONFIGURATIONS[0], (1, 1), (1, 1), (1.3, 1)).good, "memory counts too"


def test_ten_different_configurations_are_checked() -> None:
    assert len(set(CONFIGURATIONS)) == 10
