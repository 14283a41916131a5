"""Workers over HTTP: what they do now, and the acts on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from streamq_service.settings import ServiceSettings

from streamq import App

from ..rig import ON_ONE_SERVER, until
from .conftest import Service, running, working

PATH = "/api/v1/workers"


async def only(service: Service) -> Any:
    """The one worker."""
    _, _, found = await service.get(PATH)
    return found["data"][0] if found["data"] else {"state": None}


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_a_worker_is_looked_at_made_quiet_resumed_and_stopped(
    sums: App, settings: Callable[..., ServiceSettings]
) -> None:
    async with running(settings(), sums) as service, working(sums) as worker:
        said = await until(lambda: _in(service, "working"))
        assert (said["busy"], said["running"], said["asked"]) == (0, [], "")
        assert said["memory"] > 0
        one = f"{PATH}/{said['name']}"
        assert (await service.get(one))[2]["name"] == said["name"]
        status, _, asked = await service.post(f"{one}/quiet", {})
        assert (status, asked["asked"]) == (202, "quiet")
        await until(lambda: _in(service, "quiet"))
        assert (await service.post(f"{one}/resume", {}))[2]["asked"] == ""
        await until(lambda: _in(service, "working"))
        assert (await service.post(f"{one}/stop", {}))[0] == 202
        await asyncio.wait_for(worker._stop.wait(), 5)


async def _in(service: Service, state: str) -> Any:
    said = await only(service)
    return said if said["state"] == state else None


@ON_ONE_SERVER
async def test_a_worker_that_is_not_there_is_not_found(service: Service) -> None:
    for method, path in (("GET", f"{PATH}/w1"), ("POST", f"{PATH}/w1/quiet")):
        status, _, problem = await service.send(method, path, {})
        assert (status, problem["code"]) == (404, "worker-not-found")
