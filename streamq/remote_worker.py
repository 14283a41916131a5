"""A worker, wherever it runs, to look at and to steer."""

from __future__ import annotations

from typing import Any

from streamq.audited import note
from streamq.client.client import Client
from streamq.model.shown import as_given
from streamq.model.worker_info import WorkerInfo, as_known
from streamq.model.worker_load import QUIET, STOP
from streamq.noun_errors import WorkerNotFound, WorkerStopping


class RemoteWorker:
    """Made by ``app.worker("host-7-0a1b2c3d")``. What is asked of it, it does within a second, or at its next beat.

    Every method raises ``WorkerNotFound``, and ``Unavailable`` when the server cannot be reached.
    """

    def __init__(self, name: str, client: Client) -> None:
        self.name, self._client = name, client

    def __repr__(self) -> str:
        return f"<RemoteWorker {as_given(self.name)}>"

    async def status(self) -> WorkerInfo:
        """What it says of itself, and what it does now."""
        found = [as_known(worker) for worker in await self._client.store.workers.with_loads()]
        for worker in found:
            if worker.name == self.name:
                return worker
        raise WorkerNotFound(self.name, [worker.name for worker in found])

    async def quiet(self) -> None:
        """It takes no new jobs until it is resumed; what runs there goes on. Raises ``WorkerStopping``."""
        await self._ask(QUIET, "quiet")

    async def resume(self) -> None:
        """It takes jobs again. Raises ``WorkerStopping``."""
        await self._ask("", "resume")

    async def stop(self) -> None:
        """It ends as by SIGTERM: it takes no new jobs, and what runs there has the grace to end.

        Whoever supervises its process may start another.
        """
        await self._ask(STOP, "stop")

    async def _ask(self, ask: str, action: str) -> None:
        store: Any = self._client.store.workers
        before = await store.ask(self.name, ask)
        if before is None:
            raise WorkerNotFound(self.name, [worker.name for worker in await store.listed()])
        if before == STOP and ask != STOP:
            raise WorkerStopping(self.name)
        await note(self._client, "", f"worker.{action}", self.name, is_gone=True)
