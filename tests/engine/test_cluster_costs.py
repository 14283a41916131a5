"""What a job costs on a cluster, beside what it costs on a server of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
import redis

from streamq import App

from ..clusters import Alone
from ..rig import ON_ONE_SERVER, QUICK, until, working
from ..servers import Server, binary_of

JOBS = 60


def commands_run(client: redis.Redis) -> Counter[str]:
    """How often the server has run each command, those of scripts among them."""
    return Counter({name[8:]: row["calls"] for name, row in client.info("commandstats").items()})


async def of_lone_jobs(server: Server) -> Counter[str]:
    """The commands while jobs come to an empty queue, one after the other."""
    async with App(redis_url=server.url, **QUICK) as app:
        work = app.task(name="t", queue="q")(lambda number: number)
        with server.client() as client:
            async with working(app):
                assert await (await work.enqueue(1)).result(5) == 1
                before = commands_run(client)
                for number in range(JOBS):
                    assert await (await work.enqueue(number)).result(5) == number
                return commands_run(client) - before


async def of_many_jobs(server: Server) -> int:
    """The commands by which many jobs are sent at once, and run."""
    done = list[int]()
    async with App(redis_url=server.url, **QUICK) as app:

        @app.task(queue="q")
        async def work(number: int) -> None:
            done.append(number)

        with server.client() as client:
            before = commands_run(client)
            await work.enqueue_many(range(5_000))
            async with working(app, concurrency=200):
                await until(lambda: len(done) == 5_000)
            return (commands_run(client) - before).total()


@ON_ONE_SERVER
async def test_a_lone_job_costs_three_commands_more_and_many_together_none(
    own_server: Callable[..., Server], server_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker is put on the list of those that wait, is taken off, and is told. It looks once, as elsewhere."""
    monkeypatch.setattr("streamq.store.waiting.LOOK", 60.0, raising=False)
    binary = binary_of(server_kind)
    assert binary is not None
    with Alone(binary) as alone:
        single, there = await of_lone_jobs(own_server()), await of_lone_jobs(alone)
        assert (
            there["spublish"] - single["spublish"] < 2.2 * JOBS
        )  # by the ends of jobs, which are told as well
        assert there["xreadgroup"] <= single["xreadgroup"] + 5
        assert there["lrem"] <= 5
        assert (there["lpop"] - single["lpop"], there["rpush"] - single["rpush"]) <= (JOBS + 5, JOBS + 5)
        assert there.total() - single.total() < 4.5 * JOBS  # with what beats bring
        with alone.client() as client:
            client.flushall()
        assert await of_many_jobs(alone) < 1.1 * await of_many_jobs(own_server()) + 100
