"""A request with an ``Idempotency-Key`` makes one job, and is answered alike however often it comes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
import redis
from streamq_service.settings import ServiceSettings

from streamq import App, Fail, RequestRunning, once
from streamq.model.keys import Keys
from streamq.store import requests

from ..rig import ON_ONE_SERVER, client  # noqa: F401  # pytest finds it here
from .conftest import Service, working

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

Start = Callable[..., AbstractAsyncContextManager[Service]]
JOBS = "/api/v1/queues/sums/jobs"
BODY = {"task": "add", "payload": {"left": 1, "right": 2}}
KEY = {"Idempotency_Key": '"order-991"'}


@pytest.fixture
def sums(settings: Callable[..., ServiceSettings]) -> App:
    app = App(settings())

    @app.task(queue="sums", attempts=1)
    async def add(left: int, right: int) -> int:
        if not right:
            raise Fail("nothing to add")
        await asyncio.sleep(0.3)
        return left + right

    return app


async def test_the_first_answer_comes_again_also_from_another_process(
    settings: Callable[..., ServiceSettings], sums: App, start: Start
) -> None:
    async with start(settings(), sums) as service:
        first = await service.post(JOBS, BODY, **KEY)
        again = await service.post(JOBS, BODY, Idempotency_Key="order-991")
        assert (await service.engine.queue("sums").counts()).waiting == 1
    async with start(settings(), sums) as service:
        later = await service.post(JOBS, BODY, **KEY)
    assert first[0] == again[0] == later[0] == 201
    assert first[2] == again[2] == later[2]
    assert first[1]["Location"] == again[1]["Location"] == later[1]["Location"]
    assert [said[1].get("Idempotency-Replayed") for said in (first, again, later)] == [None, "true", "true"]


async def test_of_many_at_once_one_makes_the_job_and_the_others_are_told_to_come_back(
    settings: Callable[..., ServiceSettings], sums: App, start: Start
) -> None:
    async with start(settings(), sums) as service, working(service.engine):
        waiting = asyncio.create_task(service.post(JOBS, BODY, Prefer="wait=10", **KEY))
        await asyncio.sleep(0.1)
        said = await asyncio.gather(*(service.post(JOBS, BODY, Prefer="wait=10", **KEY) for _ in range(8)))
        assert {status for status, _, _ in said} == {409}
        assert {problem["code"] for _, _, problem in said} == {"idempotency-key-in-flight"}
        assert {headers["Retry-After"] for _, headers, _ in said} == {"1"}
        status, _, first = await waiting
        assert (status, first["state"], first["result"]) == (200, "completed", 3)
        assert (await service.post(JOBS, BODY, **KEY))[::2] == (200, first)
        counts = await service.engine.queue("sums").counts()
        assert counts.completed == 1


async def test_another_body_or_what_is_no_key_is_refused_and_makes_nothing(
    settings: Callable[..., ServiceSettings], sums: App, start: Start
) -> None:
    async with start(settings(), sums) as service:
        await service.post(JOBS, BODY, **KEY)
        for other in ({**BODY, "payload": {"left": 1, "right": 3}}, {**BODY, "delay": 5}):
            status, _, problem = await service.post(JOBS, other, **KEY)
            assert (status, problem["code"]) == (422, "idempotency-key-reused")
            assert problem["detail"].count("was used for another request") == 1, problem["detail"]
        for odd in ("", '""', "k" * 256, "kö"):
            status, _, problem = await service.post(JOBS, BODY, Idempotency_Key=odd)
            assert (status, problem["code"]) == (400, "bad-idempotency-key"), odd
        assert (await service.engine.queue("sums").counts()).waiting == 1


async def test_what_was_refused_may_be_sent_again_under_its_key_when_it_is_put_right(
    settings: Callable[..., ServiceSettings], sums: App, start: Start
) -> None:
    async with start(settings(), sums) as service:
        wrong = await service.post(JOBS, {**BODY, "payload": {"left": 1}}, **KEY)
        assert wrong[0] == 422
        assert (await service.post(JOBS, BODY, **KEY))[0] == 201


async def test_a_key_is_each_callers_own(
    settings: Callable[..., ServiceSettings], sums: App, start: Start
) -> None:
    one, two = "a" * 20, "b" * 20
    async with start(settings(api_keys=f"{one}=write,{two}=write"), sums) as service:
        made = [
            await service.post(JOBS, BODY, Authorization=f"Bearer {key}", **KEY) for key in (one, two, one)
        ]
    assert made[0][2] == made[2][2]
    assert made[0][2]["id"] != made[1][2]["id"]


async def test_a_unique_key_in_the_body_goes_with_it(
    settings: Callable[..., ServiceSettings], sums: App, start: Start
) -> None:
    async with start(settings(), sums) as service:
        first = await service.post(JOBS, {**BODY, "key": "k"}, **KEY)
        assert (await service.post(JOBS, {**BODY, "key": "k"}, **KEY))[2] == first[2]
        status, _, other = await service.post(JOBS, {**BODY, "key": "k"}, Idempotency_Key="another")
        assert (status, other["id"], other["disposition"]) == (200, first[2]["id"], "existing")


@pytest.mark.parametrize("unique", [{}, {"window": "30s"}, {"fields": ["left"], "until": "started"}, None])
async def test_terms_of_uniqueness_in_the_body_are_part_of_what_is_asked(
    settings: Callable[..., ServiceSettings], sums: App, start: Start, unique: object
) -> None:
    async with start(settings(), sums) as service:
        first = await service.post(JOBS, {**BODY, "unique": unique}, **KEY)
        again = await service.post(JOBS, {**BODY, "unique": unique}, **KEY)
        other = await service.post(JOBS, {**BODY, "unique": {"window": "31s"}}, **KEY)
    assert (first[0], again[::2], other[0]) == (201, first[::2], 422)


async def test_a_process_that_died_between_the_job_and_its_answer_is_taken_over_and_adds_nothing(
    settings: Callable[..., ServiceSettings],
    sums: App,
    start: Start,
    client: redis.Redis,  # noqa: F811
    prefix: str,
) -> None:
    keys = Keys(prefix, "sums")
    async with start(settings(), sums) as service:
        first = await service.post(JOBS, BODY, **KEY)
        (request,) = client.keys(f"{keys.request}*")
        client.hdel(request, "answer")  # as it is after a kill: the job is there, and its claim
        assert (await service.post(JOBS, BODY, **KEY))[0] == 409
        client.hset(request, "until", 1)
        again = await service.post(JOBS, BODY, **KEY)
        assert (again[0], again[2]["id"]) == (201, first[2]["id"])
        assert (await service.engine.queue("sums").counts()).waiting == 1
        assert 86_000_000 < client.pttl(request) <= 86_400_000


PROGRAM = """
import asyncio, os, sys
from streamq import App
async def main():
    step = int(sys.argv[3])
    async with App(redis_url=sys.argv[1], prefix=sys.argv[2]) as app:
        async with app.once("sums", f"k{step}", b"body") as request:
            if step:
                await request.enqueue("add", {"left": 1, "right": 2})
            if step == 2:
                await request.keep(b"kept")
            os.kill(os.getpid(), 9)
asyncio.run(main())
"""


async def test_a_request_whose_process_is_killed_makes_one_job_when_it_comes_again(
    sums: App,
    client: redis.Redis,  # noqa: F811
    prefix: str,
    server_url: str,
) -> None:
    """The claim, the job and the answer are three steps; who is killed after one leaves what the next goes on with."""
    words = (sys.executable, "-c", PROGRAM, server_url, prefix)
    killed = [await asyncio.create_subprocess_exec(*words, str(step)) for step in range(3)]
    assert [await process.wait() for process in killed] == [-9, -9, -9]
    async with sums:
        assert (await sums.queue("sums").counts()).waiting == 2
        for request in client.keys(f"{Keys(prefix, 'sums').request}*"):
            client.hset(request, "until", 1)
        for step in range(3):
            async with sums.once("sums", f"k{step}", b"body") as asked:
                assert asked.answer == (b"kept" if step == 2 else None)
                await asked.enqueue("add", {"left": 1, "right": 2})
        assert (await sums.queue("sums").counts()).waiting == 3


async def test_a_claim_is_renewed_as_long_as_the_request_runs(
    sums: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "LEASE_MS", 300)
    monkeypatch.setattr(once, "RENEWED", 0.05)
    async with sums:
        async with sums.once("sums", "k", b"body") as request:
            await asyncio.sleep(0.6)
            with pytest.raises(RequestRunning):
                async with sums.once("sums", "k", b"body"):
                    pass
            await request.keep(b"1")
        async with sums.once("sums", "k", b"body") as request:
            assert request.answer == b"1"
