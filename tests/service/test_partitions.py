"""A queue with partitions over HTTP: one queue, whose ids say where the jobs are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from streamq_service.settings import ServiceSettings

from streamq import App, Worker

from ..rig import ON_ONE_SERVER, until
from .conftest import JSON, Service
from .declared import check

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

Work = Callable[[App], AbstractAsyncContextManager[Worker]]
Start = Callable[..., AbstractAsyncContextManager[Service]]
QUEUE = "/api/v1/queues/sums"


async def partition(service: Service, count: object) -> tuple[int, dict[str, object]]:
    async with service.http.patch(service.url + QUEUE, headers=JSON, json={"partitions": count}) as response:
        document = await response.json(content_type=None)
        check("PATCH", QUEUE, response.status, document)
        return response.status, document


async def test_jobs_of_all_partitions_are_made_found_and_listed_by_their_ids(
    sums: App, settings: Callable[..., ServiceSettings], start: Start, work: Work
) -> None:
    async with start(settings(), sums) as service:
        status, changed = await partition(service, 4)
        assert (status, changed["partitions"]) == (
            200, {
                "count": 4, "reach": 4, "was": 4, "phase": "settled", "told": True, "staying": 0, "examples": [],
            },
        )  # fmt: skip
        jobs = [(await service.post(f"{QUEUE}/jobs", {"task": "add", "payload": n}))[2] for n in range(8)]
        assert len({job["id"].partition(".")[2] for job in jobs}) == 4
        for job in jobs:
            assert (await service.get(f"{QUEUE}/jobs/{job['id']}"))[2]["id"] == job["id"]
        found = (await service.get("/api/v1/queues"))[2]["data"]
        assert [(queue["name"], queue["counts"]["waiting"]) for queue in found] == [("sums", 8)]
        listed = (await service.get(f"{QUEUE}/jobs?state=waiting&limit=3"))[2]
        rest = (await service.get(f"{QUEUE}/jobs?state=waiting&limit=50&cursor={listed['page']['next']}"))[2]
        assert [job["id"] for job in [*listed["data"], *rest["data"]]] == [job["id"] for job in jobs]
        status, _, cancelled = await service.post(f"{QUEUE}/jobs/{jobs[3]['id']}/cancel", {})
        assert (status, cancelled["state"]) == (200, "cancelled")
        async with work(sums):
            await until(lambda: done(service, 7))


async def done(service: Service, count: int) -> bool:
    return bool((await service.get(QUEUE))[2]["counts"]["completed"] == count)


async def test_a_number_that_cannot_be_and_one_change_too_many_are_refused_in_one_sentence(
    sums: App, settings: Callable[..., ServiceSettings], start: Start
) -> None:
    async with start(settings(), sums) as service:
        for wrong in (0, 65, -1):
            status, problem = await partition(service, wrong)
            assert status == 422
            assert "use a whole number from 1 to 64" in str(problem["detail"])
        assert (await partition(service, "4"))[0] in (400, 422)
        await service.post(f"{QUEUE}/jobs", {"task": "add", "payload": 1, "group": "g"})
        for count in (4, 8, 16, 32):
            its = (await partition(service, count))[1]["partitions"]
        assert (its["phase"], its["staying"], its["examples"]) == ("moving", 1, ["group g"])
        status, problem = await partition(service, 5)
        assert (status, problem["was"], problem["count"], problem["former"]) == (409, 16, 32, [16, 8, 4, 1])
