"""What is wrong with the queue server, or with all who run jobs: told to whoever looks, so that a page can say it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from time import time

import pytest
import redis
from streamq_service.settings import ServiceSettings

from streamq import App
from streamq.model.keys import Keys

from ..servers import Server
from .conftest import Service
from .test_dashboard import events

Start = Callable[..., AbstractAsyncContextManager[Service]]


@pytest.mark.keeps_keys
async def test_delayed_jobs_that_nobody_promotes_are_told_as_overdue(
    start: Start, settings: Callable[..., ServiceSettings], sums: App, shared_server: Server, prefix: str
) -> None:
    async with start(settings(), sums) as service, events(service) as hear:
        assert (await hear())[2]["overdue"] == {}
        job = {"task": "add", "payload": 1, "delay": 60}
        _, _, early = await service.post("/api/v1/queues/sums/jobs", job)
        await service.post("/api/v1/queues/sums/jobs", job)
        assert (await service.get("/api/v1/queues/sums"))[2]["overdue"] == 0
        with shared_server.client() as client:
            client.zadd(Keys(prefix, "sums").delayed, {early["id"]: (time() - 11) * 1000})
        assert (await service.get("/api/v1/queues/sums"))[2]["overdue"] == 1
        (told,) = (await service.get("/api/v1/queues"))[2]["data"]
        assert told["overdue"] == 1
        while "overdue" not in (change := (await hear())[2]):
            pass
        assert change["overdue"] == {"sums": 1}


async def test_a_server_that_may_forget_jobs_says_so(
    start: Start, settings: Callable[..., ServiceSettings], own_server: Callable[..., Server]
) -> None:
    server = own_server(aof=True)
    given = settings(redis_url=server.url)
    async with start(given, App(given)) as service:
        status, _, found = await service.get("/api/v1/server")
        assert (status, found["eviction_policy"], found["persistence"]) == (200, "noeviction", "on")
        assert (found["role"], found["memory_limit"]) == ("master", 0)
        assert found["memory"] > 100_000
    with redis.Redis.from_url(server.url) as link:
        link.config_set("maxmemory-policy", "allkeys-lru")
        link.config_set("maxmemory", "100mb")
        link.config_set("appendonly", "no")
    async with start(given, App(given)) as service:
        _, _, found = await service.get("/api/v1/server")
        assert (found["eviction_policy"], found["persistence"]) == ("allkeys-lru", "off")
        assert found["memory_limit"] == 100 * 2**20


async def test_a_server_that_tells_our_user_nothing_is_told_as_unknown(
    start: Start, settings: Callable[..., ServiceSettings], own_server: Callable[..., Server]
) -> None:
    server = own_server()
    given = settings(redis_url=server.url.replace("//", "//quiet:any@"))
    with redis.Redis.from_url(server.url) as link:
        link.execute_command("ACL", "SETUSER", "quiet", "on", "nopass", "~*", "&*", "+@all", "-info")
    async with start(given, App(given)) as service:
        status, _, found = await service.get("/api/v1/server")
        names = ("eviction_policy", "persistence", "role", "clock_apart", "memory_hours")
        unknown = {**dict.fromkeys(names), "troubles": []}
        assert (status, found) == (
            200,
            {"memory": 0, "memory_limit": 0, "memory_of_all": 0, "nodes": 1, **unknown},
        )
