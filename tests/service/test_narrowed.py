"""A key for some queues is told of these alone, by every route that tells of all."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from streamq_service.api import ROUTES
from streamq_service.http import made_keys
from streamq_service.http.auth import Scope
from streamq_service.http.made_keys import MadeKeys
from streamq_service.settings import ServiceSettings

from streamq import App

from ..rig import ON_ONE_SERVER, until
from .conftest import Service, running, working

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

TOLD = ("me", "queues", "failures", "tasks", "workers", "operations", "stats", "stats?by=queue")
"""What tells of all queues, and does so to a key for some."""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """API processes look for keys often."""
    monkeypatch.setattr(made_keys, "LOOK", 0.1)


def two_queues(settings: ServiceSettings) -> App:
    """One that is ours, and a secret one; both have a task that fails."""
    app = App(settings)
    for queue in ("ours", "secret"):

        @app.task(name=f"work-{queue}", queue=queue, attempts=1)
        async def fail(given: dict[str, int]) -> float:
            await asyncio.sleep(given.get("seconds", 0))
            return 1 / given["by"]

    return app


async def told(service: Service, key: str, path: str) -> Any:
    status, _, document = await service.get(f"/api/v1/{path}", Authorization=f"Bearer {key}")
    assert status == 200, path
    return document


async def key_for(service: Service, *queues: str, scope: Scope = Scope.ADMIN) -> str:
    """A key that the API knows already."""
    _, text = await MadeKeys(service.engine).create(scope, queues=queues)

    async def is_known() -> bool:
        with_it, _, _ = await service.get("/api/v1/me", Authorization=f"Bearer {text}")
        return (with_it, (await service.get("/api/v1/me"))[0]) == (200, 401)

    await until(is_known)
    return text


async def busy(service: Service) -> None:
    """Each queue has jobs that failed, one that runs, one that waits, a pause and an operation."""
    for queue in ("ours", "secret"):
        failed = await service.engine.enqueue(queue, f"work-{queue}", {"by": 0})
        with pytest.raises(Exception, match="division"):
            await failed.result(10)
        await service.engine.enqueue(queue, f"work-{queue}", {"by": 1, "seconds": 3})
        await service.engine.queue(queue).pause("for a test")
        await service.engine.enqueue(queue, f"work-{queue}", {"by": 1})
        await service.engine.queue(queue).purge()


async def test_no_listing_tells_a_key_of_queues_that_it_is_not_for(
    settings: Callable[..., ServiceSettings],
) -> None:
    said = settings(beat=0.3)
    async with running(said, two_queues(said)) as service, working(service.engine):
        await busy(service)
        key, whole = await key_for(service, "ours"), await key_for(service)

        async def is_told() -> bool:
            every = [json.dumps(await told(service, whole, path)) for path in TOLD if path != "me"]
            return all("secret" in text for text in every)

        await until(is_told)
        for path in TOLD:
            document = await told(service, key, path)
            assert "secret" not in json.dumps(document), path
            assert document.get("data") != [], path
        figures = await told(service, key, "stats?by=queue")
        assert figures["total"]["failed"] == 1
        assert (await told(service, key, "me"))["queues"] == ["ours"]
        assert (await told(service, whole, "me"))["queues"] == []


async def test_the_live_counts_are_those_of_its_queues(settings: Callable[..., ServiceSettings]) -> None:
    said = settings(feed_interval=0.1)
    async with running(said, two_queues(said)) as service, working(service.engine):
        await busy(service)
        bearer = {"Authorization": f"Bearer {await key_for(service, 'ours')}"}
        url = service.url + "/api/v1/events"
        heard = ""
        async with aiohttp.ClientSession() as http, http.get(url, headers=bearer) as response:
            async with asyncio.timeout(10):
                async for line in response.content:
                    heard += line.decode()
                    if "event: change" in heard and heard.endswith("\n\n") and heard.count("ours") > 2:
                        break
                    if heard.count("event:") == 1 and heard.endswith("\n\n"):
                        await service.engine.enqueue("ours", "work-ours", {"by": 1})
                        await service.engine.enqueue("secret", "work-secret", {"by": 1})
        assert "event: snapshot" in heard
        assert "secret" not in heard


async def test_what_tells_of_no_queue_tells_such_a_key_nothing(
    settings: Callable[..., ServiceSettings],
) -> None:
    said = settings()
    async with running(said, two_queues(said)) as service:
        key = await key_for(service, "ours")
        for route in ROUTES:
            if route.method != "GET" or route.scope is None or route.narrowed is not None:
                continue
            path = route.path.replace("{queue}", "secret").replace("{", "").replace("}", "")
            status, _, problem = await service.get(path, Authorization=f"Bearer {key}")
            assert (status, problem.get("code")) == (403, "other-queues"), (path, problem)
        status, _, _ = await service.get("/api/v1/stats?by=workspace", Authorization=f"Bearer {key}")
        assert status == 403


NEAR = ("secre", "secrett", "work-secre", "nobody", "vm", "a" * 63)
"""Close to what there is, or to nothing."""


@pytest.mark.parametrize("scope", list(Scope))
async def test_no_error_names_what_the_key_may_not_see(
    settings: Callable[..., ServiceSettings], scope: Scope
) -> None:
    said = settings()
    async with running(said, two_queues(said)) as service, working(service.engine):
        await service.engine.enqueue("secret", "work-secret", {"by": 1})
        await until(service.engine.workers)
        workers = {worker.name for worker in await service.engine.workers()}
        for near in (*NEAR, next(iter(workers))[:-1]):
            key = await key_for(service, near, "ours", scope=scope)
            for route in ROUTES:
                path = re.sub(r"{(\w+)}", near, route.path)
                if route.scope is None or route.is_stream:
                    continue
                headers = {"Authorization": f"Bearer {key}"}
                body = {"task": near, "payload": {}} if route.says_json else None
                url = service.url + path
                async with service.http.request(route.method, url, headers=headers, json=body) as answer:
                    text = (await answer.text()).replace(near, "")
                    told = [name for name in ("secret", *workers) if name in text and answer.status >= 400]
                    assert not told, (route.method, path, text)


async def test_a_worker_of_others_is_none_to_such_a_key(settings: Callable[..., ServiceSettings]) -> None:
    said = settings()
    async with running(said, two_queues(said)) as service, working(service.engine):
        await until(service.engine.workers)
        (worker,) = await service.engine.workers()
        bearer = {"Authorization": f"Bearer {await key_for(service, 'nothing')}"}
        found = [await service.get(f"/api/v1/workers/{name}", **bearer) for name in (worker.name, "nobody")]
        assert [status for status, _, _ in found] == [404, 404]
        details = [
            problem["detail"].replace(name, "")
            for (_, _, problem), name in zip(found, (worker.name, "nobody"), strict=True)
        ]
        assert details[0] == details[1]


async def test_an_operation_is_followed_and_ended_by_whoever_may_begin_it_and_by_no_other(
    settings: Callable[..., ServiceSettings],
) -> None:
    given = settings()
    async with running(given, two_queues(given)) as service:
        await service.engine.enqueue("ours", "work-ours", {"by": 1})
        await service.engine.enqueue("secret", "work-secret", {"by": 1})
        bearer = {"Authorization": f"Bearer {await key_for(service, 'ours')}"}
        status, _, mine = await service.post("/api/v1/queues/ours/purge", {"confirm": "ours"}, **bearer)
        assert status == 202, mine
        theirs = await service.engine.queue("secret").purge()
        for operation, expected in ((mine["id"], 200), (theirs.id, 403), ("ours", 403), ("ours.none", 404)):
            status, _, _ = await service.get(f"/api/v1/operations/{operation}", **bearer)
            assert status == expected, operation
        status, _, _ = await service.post(f"/api/v1/operations/{mine['id']}/cancel", {}, **bearer)
        assert status in (200, 409), "it may have ended"
        status, _, _ = await service.post(f"/api/v1/operations/{theirs.id}/cancel", {}, **bearer)
        assert status == 403
