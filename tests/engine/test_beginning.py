"""A role begins although the server is lost while it does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from streamq import App, OutcomeUnknown, Rejected, Scheduler, Unavailable, Worker
from streamq.redis.ready import begin_when_ready
from streamq.schedules import Schedules

from ..rig import ON_ONE_SERVER, until, working
from ..servers import Server


@ON_ONE_SERVER
@pytest.mark.parametrize("role", [Worker, Scheduler])
async def test_a_role_begins_once_the_server_is_back_that_was_lost_while_it_began(
    own_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, role: type[Worker | Scheduler]
) -> None:
    server = own_server()
    app = App(redis_url=server.url, ready_timeout=20)
    app.schedule(every=3600, name="hourly")(app.task(queue="q", name="t")(lambda: None))
    async with app:
        declare = Schedules.declare

        async def lost(schedules: Schedules) -> None:
            monkeypatch.undo()
            server.kill()
            asyncio.get_running_loop().call_later(0.2, server.start)
            await declare(schedules)

        monkeypatch.setattr(Schedules, "declare", lost)
        running = asyncio.create_task(role(app).run())
        await until(lambda: _names(app), 10)
        assert not running.done()
        running.cancel()
        await asyncio.wait([running])


async def _names(app: App) -> list[str]:
    with contextlib.suppress(Unavailable):
        return [schedule.name for schedule in await app.schedules.list()]
    return []


@pytest.mark.parametrize("error", [Unavailable("away"), OutcomeUnknown("lost")])
async def test_a_role_that_finds_no_server_begins_again_until_its_time_is_over(
    app: App, error: Unavailable
) -> None:
    tries = []

    async def begin() -> None:
        tries.append(1)
        raise error

    async with app:
        with pytest.raises(type(error)):
            await begin_when_ready(app.client.store.servers, 0.3, begin)
    assert len(tries) > 2


async def test_a_role_that_the_server_refuses_does_not_begin_again(app: App) -> None:
    tries = []

    async def begin() -> None:
        tries.append(1)
        raise Rejected("no right")

    async with app:
        with pytest.raises(Rejected):
            await begin_when_ready(app.client.store.servers, 5, begin)
    assert tries == [1]


@ON_ONE_SERVER
@pytest.mark.keeps_keys
@pytest.mark.parametrize("pause", [0.0, 0.0005, 0.001, 0.002])
async def test_the_first_job_of_a_group_that_comes_as_a_worker_begins_to_read_waits_for_no_next_look(
    make_app: Callable[..., App], pause: float
) -> None:
    app, other = make_app(), make_app()
    app.task(queue="q", name="t")(lambda: None)
    async with app, working(app) as worker, other:
        await worker.is_ready.wait()
        await asyncio.sleep(pause)
        job = await other.enqueue("q", "t", group="a")
        await job.result(timeout=3)  # the next look is after five seconds
