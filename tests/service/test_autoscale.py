"""Autoscaling: how many workers the present work takes, as a number that an autoscaler reads."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from streamq_service.api.autoscale import _Work, slots_for
from yarl import URL

from ..rig import ON_ONE_SERVER, until
from .conftest import Service, working

pytestmark = pytest.mark.keeps_keys
WHERE = "/api/v1/autoscale"
EXAMPLE = Path(__file__).parents[2] / "docs/keda.yml"


@pytest.mark.parametrize(
    ("work", "slots"),
    [
        (_Work(0, 0, 0, 0.0, None), 0), (_Work(0, 0, 0, 0.0, 0.5), 0), (_Work(0, 0, 3, 0.0, 0.5), 1),
        (_Work(0, 7, 0, 0.0, None), 7), (_Work(2, 7, 0, 0.0, None), 9), (_Work(5, 0, 0, 0.0, 0.001), 5),
        (_Work(0, 0, 0, 160.0, 0.5), 100), (_Work(0, 1_200, 0, 160.0, 0.5), 110), (_Work(0, 1, 0, 0.0, 0.001), 1),
    ],
)  # fmt: skip
def test_slots_are_for_what_comes_and_for_working_off_what_waits(work: _Work, slots: int) -> None:
    assert slots_for(work, within=60.0) == slots


@ON_ONE_SERVER
async def test_what_waits_asks_for_workers_and_what_is_held_or_paused_for_none_more(service: Service) -> None:
    engine = service.engine

    @engine.task(name="slow", queue="works")
    async def slow(_number: int) -> None: ...

    @engine.task(name="alone", queue="limited")
    async def alone(_number: int) -> None: ...

    async def told(more: str = "") -> Any:
        status, _, found = await service.get(f"{WHERE}?slots=10&queues=works{more}")
        assert status == 200
        return found

    assert (await told())["workers"] == 0
    await slow.enqueue_many(range(95))
    found = await told("&within=1s")
    assert (found["workers"], found["slots"], found["waiting"], found["workers_now"]) == (10, 95, 95, 0)
    assert (await service.get(f"{WHERE}?queues=limited,%20works&slots=10"))[2]["workers"] == 10
    assert (await service.get(f"{WHERE}?queues=limited"))[2]["workers"] == 0
    status, _, problem = await service.get(f"{WHERE}?queues=works,limitd")
    assert (status, problem["did_you_mean"][0]) == (404, "limited")
    await engine.queue("works").pause()
    assert (await told("&within=2s"))["workers"] == 0
    await service.send("PUT", "/api/v1/queues/limited/groups/shop", {"concurrency": 1})
    await alone.enqueue_many(range(50), group="shop")
    assert (await service.get(f"{WHERE}?queues=limited&slots=10"))[2]["workers"] == 1


@ON_ONE_SERVER
async def test_workers_that_are_there_tell_their_slots_and_what_ran_its_time(service: Service) -> None:
    engine, gate = service.engine, asyncio.Event()

    @engine.task(name="slow", queue="works")
    async def slow(number: int) -> None:
        await (gate.wait() if number < 0 else asyncio.sleep(0.05))

    async with working(engine):
        await slow.enqueue_many([*range(40), -1, -2])

        async def is_told() -> Any:
            _, _, found = await service.get(f"{WHERE}?queues=works")
            return found if found["rate"] and found["active"] == 2 else None

        found = await until(is_told)
        (worker,) = await engine.workers()
        await engine.worker(worker.name).quiet()
        _, _, alone = await service.get(f"{WHERE}?queues=works&within=59s")
        assert (alone["workers_now"], alone["slots_now"]) == (0, 0), "one that takes no new jobs is no worker"
        gate.set()
    assert (found["workers"], found["slots"], found["workers_now"]) == (1, 2, 1)
    assert 0.04 < found["run"] < 1
    assert found["slots_now"] == engine.settings.concurrency


def test_what_the_example_gives_keda_is_a_trigger_that_reads_a_number_of_the_answer() -> None:
    key, scaled = yaml.safe_load_all(EXAMPLE.read_text("utf-8"))
    trigger = scaled["spec"]["triggers"][0]
    assert trigger["authenticationRef"]["name"] == key["metadata"]["name"]
    assert (trigger["type"], trigger["metadata"]["valueLocation"]) == ("metrics-api", "workers")
    url = URL(trigger["metadata"]["url"])
    assert (url.path, set(url.query)) == (WHERE, {"queues", "within", "slots"})
