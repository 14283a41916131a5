"""What the doctor says of the server itself, and what it repairs when it is asked to."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import redis

from streamq import App
from streamq.doctor import doors, examine, holes
from streamq.model.keys import GROUP, Keys

from ..rig import ON_ONE_SERVER, census
from ..servers import Server


@ON_ONE_SERVER
async def test_a_server_that_may_lose_jobs_or_is_nearly_full_is_told(
    own_server: Callable[..., Server],
) -> None:
    server = own_server(aof=True)
    verdicts = []
    with server.client() as client:
        used = int(client.info("memory")["used_memory"])
        async with App(redis_url=server.url) as app:
            for settings in (
                {"maxmemory-policy": "noeviction", "appendonly": "yes", "maxmemory": 2 * used},
                {"maxmemory-policy": "allkeys-lru", "appendonly": "no", "maxmemory": int(used * 1.1)},
            ):
                for name, value in settings.items():
                    client.config_set(name, value)
                found = {finding.check: finding for finding in await examine(app)}
                assert all(finding.remedy for finding in found.values() if finding.verdict != "ok")
                verdicts.append([found[check].verdict for check in ("eviction", "persistence", "memory")])
    assert verdicts == [["ok", "ok", "ok"], ["fail", "warn", "warn"]]


async def test_a_version_with_a_hole_is_a_warning_with_the_version_without_it_and_the_day_of_the_table() -> (
    None
):
    told: Any = SimpleNamespace(infos={"node": {"redis_version": "7.2.10"}})
    (finding,) = await holes.look(told)
    assert (finding.verdict, finding.code) == ("warn", "known-holes")
    assert f"(as of {holes.AS_OF})" in finding.said
    assert holes.open_in("Redis", finding.remedy.split()[2]) == []


async def test_a_public_address_without_tls_is_told() -> None:
    plain: Any = SimpleNamespace(host="8.8.8.8", password="x")  # nobody is called
    assert [finding.code for finding in await doors._of_address(plain, "8.8.8.8")] == [
        "beyond",
        "not-encrypted",
    ]


@ON_ONE_SERVER
async def test_repair_gives_back_what_lost_workers_and_deleted_consumers_held(
    app: App, client: redis.Redis, prefix: str
) -> None:
    keys, link = Keys(prefix, "q"), app.client.store.links()
    await app.enqueue_many("q", "t", range(20))
    await app.client.store.delivery.join(link, ["q"])
    await link.close()
    for worker in ("lost", "deleted"):
        client.xreadgroup(GROUP, worker, {keys.ready: ">"}, count=10)
    client.xgroup_delconsumer(keys.ready, GROUP, "deleted")
    assert census(client, prefix, "q").counts() == {"active": 10, "stranded": 10}
    await examine(app)
    assert census(client, prefix, "q").counts() == {"active": 10, "stranded": 10}, "a look changes nothing"
    await examine(app, repair=True)
    found = census(client, prefix, "q")
    found.check()
    assert found.counts() == {"waiting": 20}
