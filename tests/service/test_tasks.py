"""Tasks over HTTP: with them a client knows what it may send."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamq_service.settings import ServiceSettings

from streamq import App

from ..rig import ON_ONE_SERVER
from .conftest import running, working


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_the_tasks_of_workers_are_told_with_the_schemas_of_their_payloads(
    sums: App, settings: Callable[..., ServiceSettings]
) -> None:
    async with running(settings(), sums) as service, working(sums) as worker:
        await worker.is_ready.wait()
        status, _, found = await service.get("/api/v1/tasks")
        assert status == 200
        (task,) = found["data"]
        assert (task["name"], task["queue"], task["workers"]) == ("add", "sums", 1)
        assert task["schema"]["type"] == "integer"
        assert (await service.get("/api/v1/tasks/add"))[2] == task
        status, _, problem = await service.get("/api/v1/tasks/ad")
        assert (status, problem["code"]) == (404, "task-not-found")
        assert "did you mean add" in problem["detail"]
