"""Capacity: what the load of now takes, by the planner of the bench, told by the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamq_bench.planning.capacity import capacity as planned
from streamq_service.api import capacity
from streamq_service.settings import ServiceSettings

from streamq import App

from ..rig import ON_ONE_SERVER, until
from .conftest import Service, running, working

Make = Callable[..., ServiceSettings]
WHERE = "/api/v1/capacity"


async def work_of(service: Service, jobs: int) -> None:
    """Run so many jobs of a task that takes a while, until they are counted."""
    engine: App = service.engine

    @engine.task(name="slow", queue="works")
    async def slow(_number: int) -> None:
        await asyncio.sleep(0.05)

    async with working(engine):
        await slow.enqueue_many(range(jobs))
        await until(lambda: counted(engine, jobs))


async def counted(engine: App, jobs: int) -> bool:
    found = (await engine.statistics("1h")).get("works")
    return found is not None and found.total.completed == jobs


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_the_load_of_now_is_planned_and_what_is_asked_for_instead(service: Service) -> None:
    await work_of(service, 40)
    status, _, found = await service.get(WHERE)
    assert status == 200
    now = found["now"]
    assert now["peak"] >= now["rate"] > 0
    assert 0.04 < now["handler"] < 1, "the mean of what was run"
    assert now["payload"] in {1, 2}, "whole numbers of one or two digits"
    assert found["assumed"]["rate"] == pytest.approx(now["peak"], rel=0.01)
    assert found["reachable"], found["gauges"]
    assert found["measured"]["at"]
    _, _, more = await service.get(f"{WHERE}?rate=200000&handler=80ms&payload=300&spare=0")
    assert (more["assumed"]["rate"], more["assumed"]["handler"], more["assumed"]["payload"]) == (
        200_000,
        0.08,
        [300, 300],
    )
    assert more["processes"] * more["concurrency"] >= 200_000 * 0.08, "a slot for each that runs at once"
    assert more["partitions"] > 1, "one server does not carry so many"


@ON_ONE_SERVER
async def test_where_nothing_has_run_the_smallest_set_up_is_told(service: Service) -> None:
    status, _, found = await service.get(WHERE)
    assert (status, found["now"]["handler"], found["now"]["payload"], found["reach"]) == (
        200,
        None,
        None,
        None,
    )
    assert (found["processes"], found["partitions"]) == (2, 1), "one, and a spare one"


@ON_ONE_SERVER
async def test_what_cannot_be_planned_is_a_problem_in_a_sentence(service: Service) -> None:
    for query, status, code in (
        ("rate=0", 422, "validation"), ("rate=x", 422, "validation"), ("since=never", 422, "validation"),
        ("handler=1000h&rate=1000000", 422, "no-plan"), ("p99=0.1ms", 422, "no-plan"), ("slots=2", 422, "validation"),
    ):  # fmt: skip
        answered, _, problem = await service.get(f"{WHERE}?{query}")
        assert (answered, problem["code"]) == (status, code), query


@ON_ONE_SERVER
async def test_coefficients_of_ones_own_are_a_setting_and_a_wrong_file_is_told(
    settings: Make, tmp_path: Path
) -> None:
    wrong = tmp_path / "none.json"
    async with running(settings(capacity_coefficients=wrong)) as service:
        status, _, problem = await service.get(WHERE)
    assert (status, problem["code"]) == (422, "no-plan")
    assert "none.json cannot be read" in problem["detail"]


@ON_ONE_SERVER
async def test_without_a_planner_there_is_nothing_at_the_path(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "_planner", lambda: None)
    status, _, problem = await service.get(WHERE)
    assert (status, problem["code"]) == (404, "no-planner")


@pytest.mark.parametrize("handler", [0.0, 0.05, 2.0])
def test_the_workers_of_now_reach_further_the_more_they_are_and_never_past_their_slots(
    handler: float,
) -> None:
    def reach(processes: int, slots: int) -> float:
        wishes: dict[str, Any] = {"rate": 10.0, "handler": handler}
        found = planned(wishes, processes=processes, concurrency=slots)["reach"]
        assert isinstance(found, float)
        return found

    small, larger, more = reach(1, 20), reach(1, 100), reach(4, 100)
    assert 0 < small <= larger <= more
    if handler:
        assert more <= 4 * 100 / handler
