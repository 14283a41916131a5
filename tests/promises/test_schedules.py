"""Schedules outlive whoever runs them: each planned time is run once, by its misfire policy."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import psutil

from streamq import App
from streamq.model import codec
from streamq.model.keys import Keys
from streamq.model.misfire import LATE

from ..processes import Fleet, kill
from ..rig import ON_ONE_SERVER, until
from ..servers import Server

Producer = Callable[..., Awaitable[App]]
AWAY = float(os.environ.get("STREAMQ_TEST_AWAY", "3.5"))
"""Seconds for which the server is away: past the bound of what is late. With 32 it holds as well, in 40 s."""
SECOND = 1_000
"""Milliseconds."""


class Run(NamedTuple):
    """A planned time that was run, and when its job was born."""

    planned: int
    born: int


def runs(server: Server, schedule: str) -> list[Run]:
    """All runs of a schedule, in the order of their jobs, which nobody runs."""
    with server.client() as client:
        entries = client.xrange(Keys("sq", "q").ready)
    found = [(codec.loads(fields["headers"]), entry) for entry, fields in entries]
    return [
        Run(headers["planned"], int(entry.partition("-")[0]))
        for headers, entry in found
        if headers["schedule"] == schedule
    ]


@ON_ONE_SERVER
async def test_each_planned_time_is_run_once_while_schedulers_are_killed_and_the_server_is_away(
    breakable: Server, fleet: Fleet, producer: Producer
) -> None:
    app = await producer(breakable.url)
    for misfire in ("all", "once", "skip"):
        await app.schedules.put(misfire, queue="q", task="work", payload={"number": 1, "seconds": 0}, every=1,
                                misfire=misfire)  # type: ignore[arg-type]  # fmt: skip
    schedulers = psutil.Process(fleet.run("tests.programs.schedulers").pid)
    await until(lambda: len(runs(breakable, "skip")) > 1, 20)
    chance = random.Random()  # noqa: S311  # whom it hits is no secret
    for _ in range(5):
        kill(chance.choice(schedulers.children()))
        await asyncio.sleep(chance.uniform(0.1, 0.3))
    await asyncio.to_thread(breakable.stop)
    away = time.time() * 1000
    await asyncio.sleep(AWAY)
    await asyncio.to_thread(breakable.start)
    back = time.time() * 1000
    await until(lambda: (made := runs(breakable, "all")) and made[-1].planned > back + SECOND, 20 + AWAY)

    every = runs(breakable, "all")
    planned = [run.planned for run in every]
    assert planned == list(range(planned[0], planned[-1] + 1, SECOND)), (
        "each once, in order, and none left out"
    )
    for policy in ("once", "skip"):
        made = [run.planned for run in runs(breakable, policy)]
        assert made == sorted(set(made)), f"{policy}: none twice"
        assert [at for at in made if at < away]
        assert [at for at in made if at > back]
    assert len([run for run in runs(breakable, "once") if away < run.planned < back - LATE]) <= 1, (
        "one for all"
    )
    assert not [run for run in runs(breakable, "skip") if run.born - run.planned > LATE + SECOND / 2], (
        "none late"
    )
    before = {policy: len(runs(breakable, policy)) for policy in ("all", "once", "skip")}
    for of in await app.schedules.list():
        assert before[of.name] <= of.runs <= len(runs(breakable, of.name)), "it is told as it is"
