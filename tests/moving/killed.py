"""A command that is killed with SIGKILL at any moment, as often as it takes."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from ..processes import ROOT, without_settings
from ..proxy import Fate, Proxy

KILLS = int(os.environ.get("STREAMQ_TEST_MOVE_KILLS", "12"))
"""How often; the time of the suite is the reason for so few."""


class Killed:
    """A command as a process behind proxies, which is killed at one of the next messages that it
    sends; or its connection is cut, where it does not kill."""

    def __init__(self, proxies: Sequence[Proxy], folder: Path, *words: str, kills: bool = True) -> None:
        self._words, self._kills = words, kills
        self._folder, self._chance, self._left = folder, random.Random(), 0  # noqa: S311  # it is no secret
        self._process: asyncio.subprocess.Process | None = None
        self.said = ""
        """What it has complained of last."""
        for proxy in proxies:
            proxy.judge = self._judge

    def _judge(self, data: bytes) -> Fate | None:
        self._left -= 1
        if self._left:
            return None
        part = self._chance.choice((0, self._chance.randrange(len(data) + 1), len(data)))
        return Fate(part, self._kill if self._kills else lambda: None)

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)

    async def run(self, at_most: int | None) -> int:
        """Run it until it has sent so many messages, or to its end. Returns how it ended."""
        self._left = -1 if at_most is None else self._chance.randint(1, at_most)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "streamq", *self._words,
            env=without_settings(PYTHONPATH=str(ROOT)), cwd=self._folder,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await self._process.communicate()
        self.said = said.decode()
        assert self._process.returncode in (0, -signal.SIGKILL if self._kills else 69), self.said
        return self._process.returncode
