"""An operation is counted, confirmed by the token of that count, followed and cancelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamq_service.settings import ServiceSettings

from streamq import App

from ..rig import ON_ONE_SERVER, until
from .conftest import Service, running, working

pytestmark = [ON_ONE_SERVER, pytest.mark.keeps_keys]
BULK = "/api/v1/queues/sums/jobs/bulk"
WANTED = {"action": "promote", "q": "task:add"}


async def test_what_was_counted_is_confirmed_once_and_done(
    sums: App, settings: Callable[..., ServiceSettings]
) -> None:
    async with running(settings(), sums) as service:
        await sums.enqueue_many("sums", "add", range(40), delay=60)
        status, _, counted = await service.post(BULK, {**WANTED, "dry_run": True})
        assert (status, counted["count"], counted["exact"]) == (200, 40, True)
        assert (await sums.queue("sums").counts()).delayed == 40
        confirm = {"confirm": counted["confirm"]}
        for other in ({"q": "task:add age>0s"}, {"action": "cancel"}):
            assert await _refused(service, {**WANTED, **confirm, **other})
        status, _, begun = await service.post(BULK, {**WANTED, **confirm})
        assert status == 202
        assert await _refused(service, {**WANTED, **confirm}), "it is taken once"
        async with working(sums):

            async def is_over() -> bool:
                _, _, said = await service.get(f"/api/v1/operations/{begun['id']}")
                return (said["state"], said["done"]) == ("done", 40)

            await until(is_over)
        status, _, problem = await service.post(f"/api/v1/operations/{begun['id']}/cancel", {})
        assert (status, problem["code"]) == (409, "operation-ended")


async def _refused(service: Service, body: Any) -> bool:
    status, _, problem = await service.post(BULK, body)
    return (status, problem["errors"][0]["code"]) == (422, "not-confirmed")


async def test_an_operation_that_was_confirmed_is_cancelled_where_it_is(
    sums: App, settings: Callable[..., ServiceSettings]
) -> None:
    async with running(settings(), sums) as service:
        await sums.enqueue_many("sums", "add", range(40), delay=60)
        _, _, counted = await service.post(BULK, {**WANTED, "dry_run": True})
        _, _, begun = await service.post(BULK, {**WANTED, "rate": 1, "confirm": counted["confirm"]})
        status, _, ended = await service.post(f"/api/v1/operations/{begun['id']}/cancel", {})
        assert (status, ended["state"]) == (200, "cancelled")
        assert ended["done"] < 40
