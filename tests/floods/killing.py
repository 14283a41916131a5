"""Whoever calls a script through the proxy is killed at it: before the server has the call, in its midst, or after it
has done it, so that nobody hears the answer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import psutil

from streamq.redis.scripts import Script

from ..processes import Fleet, kill
from ..proxy import Fate, Proxy


class Killer:
    """Kills the child of a program that keeps one, at its calls of a script.

    ``met`` is called at each such call, in time before the server has it.
    """

    def __init__(self, proxy: Proxy, script: Script, met: Callable[[], None] = lambda: None) -> None:
        self._proxy, self._sha, self._met = proxy, script.command((), ())[1], met
        self._chance = random.Random()  # noqa: S311  # whom it hits is no secret
        self._spared = self._left = 0
        self._done = asyncio.Event()
        self.parent: psutil.Process
        self._fates: list[str] = []
        """Those that are next."""
        proxy.judge = self._judge

    def begin(self, fleet: Fleet, program: str) -> None:
        """Start the program."""
        self.parent = psutil.Process(fleet.run(program).pid)

    async def kill(self, times: int, *, spared: tuple[int, int] = (0, 3), seconds: float = 60.0) -> None:
        """Do so as often, each time after some calls that are spared; an answer that is lost counts as well.

        Afterwards nobody is there, and nobody can come before ``let_in``, if the last one was killed.
        """
        for number in range(times):
            self._done.clear()
            self._spared, self._left = self._chance.randint(*spared), 1
            async with asyncio.timeout(seconds):
                await self._done.wait()
            if number < times - 1:
                self.let_in()

    def kill_now(self) -> None:
        """Whatever it does."""
        self._proxy.closed = True
        for child in self.parent.children():
            kill(child)

    def let_in(self) -> None:
        """Who comes next may connect."""
        self._proxy.closed = False

    @property
    def is_dead(self) -> bool:
        """Whether the last one was killed."""
        return self._proxy.closed

    def _judge(self, data: bytes) -> Fate | None:
        if self._sha not in data:
            return None
        self._met()
        if self._spared or not self._left:
            self._spared -= bool(self._spared)
            return None
        self._left = 0
        if not self._fates:
            self._fates = self._chance.sample(("before", "torn", "after"), 3)
            self._fates.append("answer lost")  # which is the first
        fate = self._fates.pop()
        passed = {"before": 0, "torn": self._chance.randrange(1, len(data))}.get(fate, len(data))
        return Fate(passed, self._done.set if fate == "answer lost" else self._end)

    def _end(self) -> None:
        self.kill_now()
        self._done.set()
