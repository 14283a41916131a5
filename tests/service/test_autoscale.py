"""The load of a queue, by which workers are started and ended."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml
from streamq_service.api import ROUTES
from streamq_service.api.autoscale import Load

from ..rig import ON_ONE_SERVER, until
from .conftest import Service, working

WHERE = "/api/v1/queues/works/autoscale"
EXAMPLE = Path(__file__).parents[2] / "docs" / "keda.yml"


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_the_load_is_what_runs_and_what_waits_and_only_what_runs_while_the_queue_is_paused(
    service: Service,
) -> None:
    engine, end = service.engine, asyncio.Event()
    engine.settings = engine.settings.model_copy(update={"concurrency": 3})

    @engine.task(queue="works")
    async def work(_: int) -> None:
        await end.wait()

    async def load() -> dict[str, object]:
        return (await service.get(WHERE))[2]  # type: ignore[no-any-return]

    assert (await load())["load"] == 0, "a queue of the app that nothing was sent to"
    await work.enqueue_many(range(8))
    await work.enqueue(9, delay=60)
    async with working(engine):
        await until(lambda: _is(service, "active", 3))
        said = {"queue": "works", "load": 8, "waiting": 5, "active": 3, "workers": 1, "slots": 3}
        assert await load() == said
        await engine.queue("works").pause()
        assert await load() == {**said, "load": 3}
        await engine.queue("works").resume()
        end.set()
        await until(lambda: _is(service, "load", 0))


async def _is(service: Service, name: str, number: int) -> bool:
    return (await service.get(WHERE))[2][name] == number  # type: ignore[no-any-return]


@ON_ONE_SERVER
async def test_the_load_of_an_unknown_queue_is_an_error(service: Service) -> None:
    status, _, said = await service.get("/api/v1/queues/send-sms-queu/autoscale")
    assert (status, said["did_you_mean"][0]) == (404, "send-sms-queue")


def test_the_example_for_keda_asks_for_a_field_of_a_route_that_there_is() -> None:
    access, scaled = yaml.safe_load_all(EXAMPLE.read_text())
    (trigger,) = scaled["spec"]["triggers"]
    path = re.sub(r"^http://[^/]+", "", trigger["metadata"]["url"]).replace("/sms/", "/{queue}/")
    assert ("GET", path) in {(route.method, route.path) for route in ROUTES}
    assert get_type_hints(Load)[trigger["metadata"]["valueLocation"]] is int
    assert trigger["authenticationRef"]["name"] == access["metadata"]["name"]
    assert access["spec"]["secretTargetRef"][0]["parameter"] == "token"
