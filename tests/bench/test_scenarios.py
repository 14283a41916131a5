"""What single scenarios promise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from bench.bounds import judged
from bench.figures import Figure
from bench.rig import Rig
from bench.scenarios import tuning
from bench.scenarios.footprint import _growth
from bench.server import Server as Measured
from bench.tasks import Errand
from streamq import State

from ..measured.mixed import _wrong
from ..servers import Server

ERRANDS = [Errand(number=1, fate="complete"), Errand(number=2, fate="retry"), Errand(number=3, fate="fail")]
IDS = {1: "a", 2: "b", 3: "c"}
ENDS = {("a", State.COMPLETED): 1, ("b", State.COMPLETED): 1, ("c", State.FAILED): 1}
STARTS = {1: 1, 2: 2, 3: 1}


def broken(ends: dict[tuple[str, State], int], starts: dict[int, int]) -> set[str]:
    return {name for name, count in _wrong(ERRANDS, IDS, Counter(ends), Counter(starts)).items() if count}


def test_a_mixed_load_as_it_should_be_breaks_nothing() -> None:
    assert not broken(ENDS, STARTS)


@pytest.mark.parametrize(
    ("ends", "starts", "breaches"),
    [
        (ENDS | {("a", State.COMPLETED): 0}, STARTS, {"jobs that did not end"}),
        (ENDS | {("a", State.COMPLETED): 2}, STARTS, {"ends too many"}),
        (ENDS | {("a", State.FAILED): 1}, STARTS, {"ends too many"}),
        (ENDS | {("x", State.COMPLETED): 1}, STARTS, {"ends too many"}),
        (ENDS, STARTS | {2: 1}, {"starts too few"}),
        (ENDS, STARTS | {1: 2}, {"starts too many"}),
    ],
)
def test_each_breach_of_a_mixed_load_is_seen(
    ends: dict[tuple[str, State], int], starts: dict[int, int], breaches: set[str]
) -> None:
    assert broken(ends, starts) == breaches


def test_a_leak_is_seen_and_the_growth_of_a_start_is_not_one() -> None:
    def grown(sizes: list[float]) -> Figure:
        return _growth("worker", [(float(second), size) for second, size in enumerate(sizes)])

    warm, leaking = grown([30 + min(n, 40) for n in range(100)]), grown([50 + n / 10 for n in range(100)])
    assert warm.value == 0
    bound = judged("footprint", leaking).bound
    assert bound is not None
    assert bound.met is False


async def _failing(server: Measured, knobs: dict[str, str]) -> None:
    async with server.configured(knobs):
        assert await server.client.config_get(*knobs) == knobs
        _ = 1 / 0


async def test_a_knob_is_turned_back_also_after_an_error(own_server: Callable[..., Server]) -> None:
    server = Measured(own_server().url, None)
    try:
        before = await server.client.config_get("*")
        knobs = {"stream-node-max-bytes": "512", "maxmemory": "123456789"}
        with pytest.raises(ZeroDivisionError):
            await _failing(server, knobs)
        assert await server.client.config_get("*") == before
    finally:
        await server.client.aclose()


async def test_the_configuration_of_a_lent_server_is_left_as_it_is_which_is_said(
    own_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "WORKER_KNOBS", ())  # they take long, and are no part of this promise
    server = Measured(own_server().url, None)
    try:
        before = await server.client.config_get("*")
        found = await tuning.measure(Rig(server, quick=True, repeat=1, say=lambda _: None))
        assert await server.client.config_get("*") == before
    finally:
        await server.client.aclose()
    assert isinstance(found[-1], Figure)
    assert "server that was lent is left as it is" in found[-1].note
