"""Several worker processes under one parent: it restarts them, and gives the jobs of a dead one back at once."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from streamq.duties.duty import tick
from streamq.duties.upkeep import Share, upkeep
from streamq.errors import Unavailable
from streamq.liveness import recovery
from streamq.liveness.identity import new_name
from streamq.model.clock import monotonic
from streamq.program import Program
from streamq.settings.variables import environment_with

log = logging.getLogger("streamq.supervisor")

QUICK: Final = 10.0
"""Seconds: a worker that ends sooner is restarted with growing pauses, as it most likely fails at each start."""
LONGEST_PAUSE: Final = 30.0
"""Seconds of the longest pause: a faulty deployment is corrected within minutes, not seconds."""


class Supervisor:
    """Keeps ``count`` processes of ``python -m streamq worker`` with ``arguments`` running until ``stop``.

    ``variables`` are added to their environment.
    """

    def __init__(
        self, app: Program, queues: Sequence[str], count: int, arguments: Sequence[str],
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        self._app, self._queues, self._count, self._arguments = app, queues, count, arguments
        self._environment = environment_with(**variables)
        self._children: set[asyncio.subprocess.Process] = set()
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Pass the signal on to every worker; a second call is a second signal."""
        self._stop.set()
        for child in self._children:
            if child.returncode is None:
                child.terminate()

    async def run(self) -> None:
        """Until stopped and every worker has ended."""
        partitions = self._app.client.store.partition
        (voucher,) = upkeep(self._app, lambda: partitions.known_of_each(self._queues), Share.VOUCH)
        async with asyncio.TaskGroup() as group:
            vouching = group.create_task(tick(voucher), name="voucher")
            keeping = [
                group.create_task(self._keep(number), name=f"worker {number}")
                for number in range(self._count)
            ]
            await asyncio.wait(keeping)
            vouching.cancel()

    async def _keep(self, number: int) -> None:
        pause = 0.0
        while not self._stop.is_set():
            name, began = new_name(), monotonic()
            # its own session: we pass Ctrl-C on ourselves; a pipe as its stdin: it stops when the pipe closes with us
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "streamq", "worker", *self._arguments, "--name", name,
                env=self._environment, stdin=asyncio.subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
            self._children.add(child)
            if self._stop.is_set():
                child.terminate()
            code = await child.wait()
            self._children.discard(child)
            if self._stop.is_set():
                return
            log.warning("worker process %d (%s) ended with %d; starting another", number, name, code)
            await self._hand_back(name)
            pause = min(LONGEST_PAUSE, 2 * pause or 1.0) if monotonic() - began < QUICK else 0.0
            try:
                async with asyncio.timeout(pause):
                    await self._stop.wait()
            except TimeoutError:
                continue

    async def _hand_back(self, name: str) -> None:
        store = self._app.client.store
        links = store.links()
        try:
            names = await store.partition.of_each(self._queues)
            for queue in names:
                await recovery.recover(store, links, queue, name, None, "its process ended")
            await recovery.forget(store, links, name, names)
        except Unavailable as error:
            log.warning("cannot hand the jobs of %s back (%s); others will", name, error)
        finally:
            await links.close()
