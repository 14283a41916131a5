"""Tracebacks show code and paths: they are told once, and to those alone who may change something."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from streamq_service.settings import ServiceSettings

from streamq import App, Job

from ..rig import ON_ONE_SERVER, until
from .conftest import Service, running, working

pytestmark = [ON_ONE_SERVER, pytest.mark.keeps_keys]
KEYS = "only-reads-of-jobs=read,writes-also-jobs=write"
READS, WRITES = ({"Authorization": f"Bearer {key}"} for key in ("only-reads-of-jobs", "writes-also-jobs"))


@pytest.fixture
async def failed(settings: Callable[..., ServiceSettings]) -> AsyncIterator[tuple[Service, Job[Any]]]:
    """A service with a job that has failed at its second attempt."""
    given = settings(api_keys=KEYS)
    app = App(given)

    @app.task(queue="q", attempts=2, backoff=None)
    async def crash(x: int) -> None:
        raise ValueError(f"attempt at {x}")

    async with running(given, app) as service, working(app):
        job = await crash.enqueue(1)

        async def is_over() -> bool:
            return (await job.status()).state == "failed"

        await until(is_over)
        yield service, job


def where(job: Job[Any]) -> list[str]:
    """Every route that tells a job."""
    of = "/api/v1/queues/q/jobs"
    return [f"{of}/{job.id}", f"/api/v1/jobs/{job.id}", f"{of}?state=failed", f"{of}?q=state:failed", of]


async def test_a_traceback_is_told_once_to_those_who_may_write(failed: tuple[Service, Job[Any]]) -> None:
    service, job = failed
    for path in where(job):
        _, _, said = await service.get(path, **WRITES)
        found = said["data"][0] if "data" in said else said
        assert "ValueError" in found["error"]["traceback"], path
        first, last = found["history"]
        assert ("traceback" in first, "traceback" in last) == (True, False), path


async def test_who_may_only_read_is_told_what_went_wrong_and_no_traceback(
    failed: tuple[Service, Job[Any]],
) -> None:
    service, job = failed
    for path in where(job):
        _, _, said = await service.get(path, **READS)
        found = said["data"][0] if "data" in said else said
        assert found["error"]["message"] == "attempt at 1", path
        assert '"traceback"' not in json.dumps(found), path
    for key, is_told in ((READS, False), (WRITES, True)):
        path = f"{service.url}/api/v1/queues/q/jobs/{job.id}/events"
        async with service.http.get(path, headers=key) as answer:
            assert (b"Traceback" in await answer.read()) is is_told
