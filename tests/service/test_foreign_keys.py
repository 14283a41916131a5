"""Keys of a queue that somebody else wrote, and queries that nobody knows: others go on, and a mistake is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis
from streamq_service.app import ROUTES
from streamq_service.lately import Lately

from streamq.model.keys import Keys

from ..rig import ON_ONE_SERVER
from ..servers import Server
from .conftest import Service

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]


@pytest.fixture
def server(shared_server: Server) -> Iterator[Redis]:
    with shared_server.client(decode_responses=False) as server:
        yield server


PAGES = (
    "/api/v1/queues", "/api/v1/stats", "/api/v1/stats?by=queue", "/api/v1/autoscale", "/api/v1/capacity",
    "/api/v1/failures", "/api/v1/operations", "/api/v1/schedules", "/api/v1/slow", "/api/v1/audit", "/metrics",
    "/api/v1/channels", "/api/v1/server",
)  # fmt: skip


def names(prefix: str, queue: str) -> list[str]:
    """The keys of a queue that have one name."""
    keys = Keys(prefix, queue)
    found = (getattr(keys, name) for name in dir(type(keys)) if not name.startswith("_"))
    return sorted({name for name in found if isinstance(name, str) and f"{{{queue}}}" in name})


async def test_one_queue_with_keys_of_others_takes_no_page_of_all_queues_away(
    service: Service, server: Redis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Lately, "told", lambda _self, _asked, _seconds, look: look()
    )  # nothing of a second ago
    await service.engine.enqueue("sound", "work", 1)
    await service.engine.enqueue("broken", "work", 1)
    there = names(prefix, "broken")
    assert len(there) > 20
    wrong: dict[str, Any] = {}
    for name in there:
        server.delete(name)
        server.set(name, "junk")
        for page in PAGES:
            async with service.http.get(service.url + page) as answer:
                if answer.status != 200:
                    wrong[f"{name} {page}"] = await answer.text()
        _, _, queues = await service.get("/api/v1/queues")
        sound = next(queue for queue in queues["data"] if queue["name"] == "sound")
        assert sound["counts"]["waiting"] == 1
        server.delete(name)
    assert not wrong


async def test_a_query_that_nobody_knows_is_told_by_every_route_of_the_api(service: Service) -> None:
    passed = []
    for route in ROUTES:
        if route.scope is None or route.method != "GET" or route.is_stream:
            continue
        status, _, problem = await service.get(
            f"{route.path.replace('{', '').replace('}', '')}?state=failed&zzz=1"
        )
        if status != 422 or "/zzz" not in str(problem):
            passed.append((route.path, status))
    assert not passed


async def test_what_is_given_twice_in_a_query_is_told(service: Service) -> None:
    status, _, problem = await service.get("/api/v1/audit?limit=5&limit=6")
    assert (status, problem["errors"][0]["pointer"], problem["errors"][0]["code"]) == (422, "/limit", "twice")
