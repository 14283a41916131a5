"""A move that is killed with SIGKILL at any moment goes on: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from streamq import App

from ..processes import ROOT, without_settings
from ..proxy import Fate, Proxy
from ..rig import ON_ONE_SERVER, census, until, working
from ..servers import Server
from .rich import QUEUE, Anywhere, declared, fill, known

KILLS = int(os.environ.get("STREAMQ_TEST_MOVE_KILLS", "12"))
"""How often; the time of the suite is the reason for so few."""


class Killed:
    """``streamq migrate`` as a process behind proxies, which is killed at one of the next messages that it sends."""

    def __init__(self, source: Proxy, target: Proxy, folder: Path) -> None:
        self._words = ["migrate", "--redis-url", source.url, "--to", target.url]
        self._folder, self._chance, self._left = folder, random.Random(), 0  # noqa: S311  # it is no secret
        self._process: asyncio.subprocess.Process | None = None
        source.judge = target.judge = self._judge

    def _judge(self, data: bytes) -> Fate | None:
        self._left -= 1
        if self._left:
            return None
        part = self._chance.choice((0, self._chance.randrange(len(data) + 1), len(data)))
        return Fate(part, self._kill)

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)

    async def run(self, at_most: int | None) -> int:
        """Run it until it has sent so many messages, or to its end. Returns how it ended."""
        self._left = -1 if at_most is None else self._chance.randint(1, at_most)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "streamq", *self._words, "--queue", QUEUE,
            env=without_settings(PYTHONPATH=str(ROOT)), cwd=self._folder,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await self._process.communicate()
        assert self._process.returncode in (0, -signal.SIGKILL), said.decode()
        return self._process.returncode


@ON_ONE_SERVER
async def test_a_move_that_is_killed_again_and_again_brings_all_there_is(
    own_server: Callable[..., Server], tmp_path: Path
) -> None:
    old, new = own_server(), own_server()
    (source, _), (target, _) = declared(old.url), declared(new.url)
    async with source, target, Proxy(old.socket) as first, Proxy(new.socket) as second:
        await fill(source)
        before, kills = await _known(source), 0
        way = [(first, source), (second, target)]
        while kills < KILLS:  # there and back
            killed = Killed(way[0][0], way[1][0], tmp_path)
            while await killed.run(250 if kills < KILLS else None):
                kills += 1
            assert await _known(way[1][1]) == before
            way.reverse()
    for server in (old, new):
        with server.client() as client:
            assert not [*client.scan_iter("*aside:*")]


@ON_ONE_SERVER
async def test_a_move_that_is_killed_while_all_goes_on_runs_each_job_once(
    own_server: Callable[..., Server], tmp_path: Path
) -> None:
    old, new = own_server(), own_server()
    (source, here), (target, there) = declared(old.url), declared(new.url)
    async with source, target, Proxy(old.socket) as first, Proxy(new.socket) as second:
        async with working(source), working(target):
            producer, killed = Anywhere(source, target), Killed(first, second, tmp_path)
            producing = asyncio.create_task(producer.send(1_500))
            await until(lambda: len(producer.sent) > 100)
            for _ in range(KILLS // 3):
                if not await killed.run(150):
                    break
            await killed.run(None)
            await producing
            await until(lambda: len(here) + len(there) >= 1_500, 40)
        ran = Counter(number for _, number in here + there)
        assert (sorted(ran), set(ran.values())) == (list(range(1_500)), {1})
    with new.client() as client:
        census(client, "sq", QUEUE).check()


async def _known(app: App) -> dict[str, object]:
    """What is known of the queue, without what is no part of it."""
    return {**await known(app), "records": None}
