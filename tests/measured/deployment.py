"""What people run, as real processes: API, two workers, scheduler, sandbox provider, and their server."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import aiohttp

from bench.process import Gone, answers, free_port, program, streamq
from streamq import EmbeddedServer

QUEUES: Final = ("send-sms-queue", "scheduled-sms-queue")
WORKERS: Final = 2
KEEP: Final = {"STREAMQ_KEEP_COMPLETED": "1000000"}
"""Every job is looked at in the end."""


@dataclass
class Deployment:
    """Use it as ``async with``. Everything listens on loopback, and all files are in ``folder``."""

    folder: Path
    workers: list[Process] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self.server = await stack.enter_async_context(EmbeddedServer(self.folder / "data"))
            self._stack = stack
            await self._start()
            self._session = await stack.enter_async_context(aiohttp.ClientSession())
            self._whole = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._whole.aclose()

    async def _start(self) -> None:
        sandbox, api = free_port(), free_port()
        self.sandbox, self.api = f"http://127.0.0.1:{sandbox}", f"http://127.0.0.1:{api}"
        self.ledger = self.folder / "ledger.jsonl"
        provider = await self._program("sandbox", "--port", str(sandbox), "--ledger", str(self.ledger))
        await _up(f"{self.sandbox}/ledger?limit=1", provider)
        await _up(f"{self.api}/ready", await self._program("api", "--port", str(api)))
        self.scheduler = await self._program("scheduler")
        self.workers = [
            await self._program("worker", "streamq_service.messaging:app") for _ in range(WORKERS)
        ]

    async def _program(self, *arguments: str) -> Process:
        log = self.folder / f"{arguments[0]}.log"
        environment = {"STREAMQ_REDIS_URL": self.server.url, "SMS_API_URL": self.sandbox, **KEEP}
        return await self._stack.enter_async_context(
            program(*streamq(*arguments), cwd=self.folder, log=log, **environment)
        )

    async def restart_scheduler(self) -> None:
        """A new scheduler; the old one is gone."""
        self._stack = self._whole
        self.scheduler = await self._program("scheduler")

    @asynccontextmanager
    async def within(self, problem: str, seconds: float) -> AsyncIterator[None]:
        """A time limit that says what the processes logged last. Raises ``Gone``."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            tails = [f"{log.name}: {tail}" for log in self.folder.glob("*.log") if (tail := _tail(log))]
            raise Gone("\n".join([f"{problem} after {seconds:g} s; the logs end with", *tails])) from None

    # -- HTTP -----------------------------------------------------------------------------------------------

    async def send(self, body: dict[str, Any]) -> str:
        """Send a message through the API, and return the idempotency key it will have at the provider."""
        async with self._session.post(f"{self.api}/api/v1/messages/sms", json=body) as response:
            answer: dict[str, Any] = await response.json()
            if response.status != 201:
                raise Gone(f"the API answered {response.status} to {body}: {answer}")
            return f"{answer['queue']}:{answer['id']}"

    async def get(self, url: str, **query: str | int) -> dict[str, Any]:
        """A JSON document."""
        async with self._session.get(url, params=query, raise_for_status=True) as response:
            document: dict[str, Any] = await response.json()
            return document

    async def behave(self, **behaviour: Any) -> None:
        """Tell the sandbox how to answer."""
        async with self._session.put(f"{self.sandbox}/behaviour", json=behaviour, raise_for_status=True):
            pass

    async def received(self) -> int:
        """Calls the sandbox has received."""
        return int((await self.get(f"{self.sandbox}/ledger", limit=1))["totals"]["calls"])

    async def unfinished(self) -> int:
        """Jobs that wait, run or are delayed."""
        queues = (await self.get(f"{self.api}/api/v1/queues"))["data"]
        return sum(queue["counts"][state] for queue in queues for state in ("waiting", "active", "delayed"))

    async def registered(self) -> dict[int, str]:
        """Workers by process id."""
        workers = (await self.get(f"{self.api}/api/v1/workers"))["data"]
        return {worker["pid"]: worker["name"] for worker in workers}

    async def finished(self) -> dict[str, dict[str, Any]]:
        """Every finished job by its idempotency key."""
        found: dict[str, dict[str, Any]] = {}
        for queue in QUEUES:
            for state in ("completed", "failed"):
                query: dict[str, str | int] = {"state": state, "limit": 200}
                while True:
                    page = await self.get(f"{self.api}/api/v1/queues/{queue}/jobs", **query)
                    found |= {f"{queue}:{job['id']}": job for job in page["data"]}
                    if page["page"]["next"] is None:
                        break
                    query["cursor"] = page["page"]["next"]
        return found


async def _up(url: str, process: Process) -> None:
    if not await answers(url, process):
        raise Gone(f"{url} does not answer")


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1] if lines else ""
