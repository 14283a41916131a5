"""A job by its id alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from streamq import App, UsageError

from .conftest import Service

pytestmark = pytest.mark.keeps_keys

Start = Callable[..., AbstractAsyncContextManager[Service]]


async def test_a_job_is_found_by_its_id_whatever_its_queue(
    start: Start, settings: Callable[..., Any], sums: App
) -> None:
    async with start(settings(), sums) as service:
        for queue in ("sums", "far-away"):
            for options in ({}, {"delay": 3600}):
                job = await service.engine.enqueue(queue, "other" if queue != "sums" else "add", 1, **options)
                status, headers, found = await service.get(f"/api/v1/jobs/{job.id}")
                assert (status, found["queue"], found["id"]) == (200, queue, job.id)
                _, own, same = await service.get(f"/api/v1/queues/{queue}/jobs/{job.id}")
                assert (found, headers["ETag"]) == (same, own["ETag"])


async def test_a_job_is_told_again_only_where_anything_of_it_has_changed(
    start: Start, settings: Callable[..., Any], sums: App
) -> None:
    async with start(settings(), sums) as service:
        job = await service.engine.enqueue("sums", "add", 1, delay=60)
        for path in (f"/api/v1/jobs/{job.id}", f"/api/v1/queues/sums/jobs/{job.id}"):
            status, headers, found = await service.get(path)
            known = {"If-None-Match": headers["ETag"]}
            status, again, nothing = await service.get(path, **known)
            assert (status, again["ETag"], nothing) == (304, headers["ETag"], None)
            await service.post(f"/api/v1/queues/sums/jobs/{job.id}/promote", {})
            status, _, other = await service.get(path, **known)
            assert status == (200 if found["state"] == "delayed" else 304)
            assert other is None or other["state"] == "waiting"


async def test_what_no_queue_has_is_told_with_where_to_look(service: Service) -> None:
    for name in ("1-0", "nonsense", "%00"):
        status, _, problem = await service.get(f"/api/v1/jobs/{name}")
        assert (status, problem["code"]) == (404, "job-not-found")
        assert "/api/v1/queues" in problem["detail"]


async def test_an_id_that_two_queues_have_is_told_with_both(service: Service) -> None:
    engine = service.engine
    job = await engine.enqueue("one", "t", 1)
    await engine.client.store.queues.announce("two")
    keys = [engine.client.store.keys(queue).ready for queue in ("one", "two")]
    entry = (await engine.client.store.pool.call_home("XRANGE", keys[0], job.id, job.id))[0]
    await engine.client.store.pool.call_home("XADD", keys[1], entry[0], *entry[1])
    status, _, problem = await service.get(f"/api/v1/jobs/{job.id}")
    assert (status, problem["code"], problem["queues"]) == (409, "several-jobs", ["one", "two"])


async def test_an_id_is_a_text(service: Service) -> None:
    with pytest.raises(UsageError, match="no id of a job"):
        await service.engine.find(7)  # type: ignore[arg-type]
