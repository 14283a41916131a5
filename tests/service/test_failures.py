"""Search, kinds of failures, operations by filter and copies of jobs through the API."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from streamq_service.settings import ServiceSettings

from streamq import App, Worker

from ..rig import ON_ONE_SERVER, until
from .conftest import Service

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

Work = Callable[[App], AbstractAsyncContextManager[Worker]]
Start = Callable[..., AbstractAsyncContextManager[Service]]
JOBS = "/api/v1/queues/sums/jobs"


@pytest.fixture
def sums(settings: Callable[..., ServiceSettings]) -> App:
    app = App(settings())

    @app.task(queue="sums", attempts=1)
    async def halve(number: int) -> int:
        if number % 2:
            raise ValueError(f"{number} is odd")
        return number // 2

    return app


async def test_jobs_are_found_by_a_filter_and_what_is_none_says_where(
    sums: App, settings: Callable[..., ServiceSettings], start: Start, work: Work
) -> None:
    async with start(settings(), sums) as service:
        async with work(sums):
            jobs = await sums.tasks["halve"].enqueue_many(range(10))
            await until(lambda: no_more_to_do(sums))
        _, _, page = await service.get(f"{JOBS}?q=payload%3E4&state=failed&limit=2")
        assert [job["payload"] for job in page["data"]] == [9, 7]
        assert page["page"]["looked"] >= 2
        _, _, rest = await service.get(f"{JOBS}?q=payload%3E4&state=failed&cursor={page['page']['next']}")
        assert [job["payload"] for job in rest["data"]] == [5]
        assert rest["page"]["next"] is None
        assert len((await service.get(f"{JOBS}?task=halve"))[2]["data"]) == len(jobs)
        status, _, refusal = await service.get(f"{JOBS}?q=state:failed%20age%3E")
        assert (status, refusal["code"], refusal["place"]) == (422, "invalid-filter", 17)
        assert (await service.get(f"{JOBS}?q=age%3E0s&cursor=failed.x"))[0] == 400


async def no_more_to_do(app: App) -> bool:
    counts = await app.queue("sums").counts()
    return counts.waiting + counts.active == 0


async def test_jobs_that_failed_alike_are_one_group_and_are_retried_together(
    sums: App, settings: Callable[..., ServiceSettings], start: Start, work: Work
) -> None:
    async with start(settings(), sums) as service:
        async with work(sums):
            await sums.tasks["halve"].enqueue_many(range(1, 20, 2))
            await until(lambda: no_more_to_do(sums))
        (group,) = (await service.get("/api/v1/failures"))[2]["data"]
        assert (await service.get("/api/v1/queues/sums/failures"))[2]["data"] == [group]
        assert (group["task"], group["type"], group["failed"], sum(group["trend"])) == (
            "halve",
            "ValueError",
            10,
            10,
        )
        assert group["frame"].endswith("halve")
        assert group["first_at"] <= group["last_at"]
        wanted = {
            "action": "retry",
            "q": f"fingerprint:{group['fingerprint']}",
            "by": "ada",
            "rate": "1000/s",
        }
        status, headers, begun = await service.post(f"{JOBS}/bulk", wanted)
        assert (status, begun["kind"], begun["filter"], begun["rate"]) == (202, "retry", wanted["q"], 1000.0)
        status, _, refusal = await service.post(f"{JOBS}/bulk", wanted)
        assert (status, refusal["code"], refusal["other"]) == (409, "operation-conflict", begun["id"])
        await sums.operation(begun["id"]).wait(10)
        assert (await service.get(headers["Location"]))[2]["done"] == 10
        (group,) = (await service.get("/api/v1/failures"))[2]["data"]
        assert (group["failed"], group["count"]) == (0, 10), "one sees that it has been there"
        status, _, refusal = await service.post(f"/api/v1/operations/{begun['id']}/cancel", {})
        assert (status, refusal["code"], refusal["state"]) == (409, "operation-ended", "done")


@pytest.mark.parametrize(("body", "status", "said"), [
    ({"action": "retry", "q": "state:waiting"}, 422, "cannot be retried"),
    ({"action": "retry", "q": "stat:failed"}, 422, "did you mean state"),
    ({"action": "burn", "q": "state:failed"}, 422, "/action"), ({"action": "retry"}, 422, "/q"),
    ({"action": "delete", "q": "state:failed", "canary": 2}, 422, "/canary"),
    ({"action": "retry", "q": "state:failed", "rate": "much"}, 422, "rate"),
    ({"action": "retry", "q": "state:failed", "canary": 0}, 422, "/canary"),
])  # fmt: skip
async def test_what_cannot_be_done_to_many_is_refused(
    sums: App, settings: Callable[..., ServiceSettings], start: Start, body: Any, status: int, said: str
) -> None:
    async with start(settings(), sums) as service:
        answered, _, refusal = await service.post(f"{JOBS}/bulk", body)
        assert answered == status
        assert said in str(refusal)
        assert not (await service.get("/api/v1/operations"))[2]["data"]


async def test_a_failed_job_is_edited_and_retried_as_a_copy_that_says_where_it_comes_from(
    sums: App, settings: Callable[..., ServiceSettings], start: Start, work: Work
) -> None:
    async with start(settings(), sums) as service, work(sums):
        job = await sums.tasks["halve"].enqueue(5)
        await until(lambda: no_more_to_do(sums))
        status, headers, copy = await service.post(f"{JOBS}/{job.id}/retry", {"payload": 6})
        assert (status, copy["clone_of"], copy["payload"]) == (201, job.id, 6)
        await until(lambda: no_more_to_do(sums))
        made = (await service.get(headers["Location"]))[2]
        assert (made["state"], made["result"], made["clone_of"], made["history"]) == (
            "completed",
            3,
            job.id,
            [],
        )
        old = (await service.get(f"{JOBS}/{job.id}"))[2]
        assert (old["state"], old["cloned_as"], old["payload"]) == ("failed", copy["id"], 5)
        status, _, refusal = await service.post(f"{JOBS}/{job.id}/retry", {"payload": "six"})
        assert (status, refusal["errors"][0]["pointer"]) == (422, "/payload")
        assert (await service.post(f"{JOBS}/{copy['id']}/retry", {"payload": 1}))[0] == 409
