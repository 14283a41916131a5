"""Slow jobs over HTTP."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamq_service.settings import ServiceSettings

from streamq import App

from ..rig import ON_ONE_SERVER, until
from .conftest import running, working


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_what_ran_longest_in_the_last_hour_is_told(
    sums: App, settings: Callable[..., ServiceSettings]
) -> None:
    async with running(settings(), sums) as service, working(sums):
        job = await sums.enqueue("sums", "add", 3)
        await job.result(5)

        async def slowest() -> list[str]:
            return [each["job"] for each in (await service.get("/api/v1/slow"))[2]["finished"]]

        assert await until(slowest) == [job.id]
        assert (await service.get("/api/v1/slow?limit=0"))[0] == 422
