"""Text messages through HTTP, a queue and one worker to the sandbox, beside a bare client of the same sandbox."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import aiohttp

from ..catalogue import ROOT
from ..figures import Measured, alone, compared
from ..process import Gone, answers, free_port, program, serving, streamq
from ..rig import Rig, until
from ..server import PREFIX

APP: Final = "streamq_service.messaging:app"
CLIENTS: Final = 20
SLOTS: Final = 50
HALF: Final = 250
"""Messages a second at which their time in the queue is looked at: half of what must go through."""
WORKSPACES: Final = 20
WATCHED: Final = 100
"""The workspace of messages whose time in the queue is looked at."""


async def measure(rig: Rig) -> Measured:
    """API, worker and sandbox are processes of their own, as people run them."""
    async with _started(rig) as (api, sandbox), aiohttp.ClientSession() as http:
        bare, through = [], []
        for _ in range(rig.rounds(5)):
            bare.append(await _rate(http, f"{sandbox}/send-sms", rig.of(4.0, 0.5), _message))
            through.append(await _through(rig, http, api, sandbox))
            rig.say(f"{through[-1]:,.0f} messages/s through all, {bare[-1]:,.0f}/s by a bare client")
        waits = await _waits(rig, http, api)
    return [
        compared("text messages through HTTP, queue and sandbox", "msg/s", through, bare),
        alone(f"time in the queue at {HALF} messages/s, p99", "ms", [waits]),
    ]


@asynccontextmanager
async def _started(rig: Rig) -> AsyncIterator[tuple[str, str]]:
    """The addresses of the API and of the sandbox."""
    port = free_port()
    sandbox = f"http://127.0.0.1:{port}"
    quiet = {
        "STREAMQ_REDIS_URL": rig.server.url, "STREAMQ_PREFIX": PREFIX, "STREAMQ_LOG_LEVEL": "warning",
        "SMS_API_URL": sandbox,
    }  # fmt: skip
    with TemporaryDirectory(prefix="streamq-bench-", ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "log"
        words = streamq("sandbox", "--port", str(port))
        async with (
            program(*words, cwd=ROOT, log=log, **quiet) as process,
            serving("api", APP, **quiet) as (_, api),
            program(*streamq("worker", APP, "--concurrency", str(SLOTS)), cwd=ROOT, log=log, **quiet),
        ):
            if not await answers(f"{sandbox}/behaviour", process):
                raise Gone("the sandbox does not answer")
            yield api, sandbox


def _message(number: int) -> dict[str, Any]:
    whose = {"workspaceId": 1 + number % WORKSPACES, "contactId": f"c-{number % 1000}"}
    return {"to": "+15550100", "message": "Your table is free.", **whose}


async def _rate(
    http: aiohttp.ClientSession, url: str, seconds: float, body: Callable[[int], dict[str, Any]]
) -> float:
    """Requests a second by some clients, each of which sends the next after the answer to its last."""
    done, end = 0, time.monotonic() + seconds

    async def client(first: int) -> None:
        nonlocal done
        number = first
        while time.monotonic() < end:
            async with http.post(url, json=body(number)) as answer:
                await answer.read()
                answer.raise_for_status()
            number, done = number + CLIENTS, done + 1

    await asyncio.gather(*[client(number) for number in range(CLIENTS)])
    return done / seconds


async def _through(rig: Rig, http: aiohttp.ClientSession, api: str, sandbox: str) -> float:
    """Messages a second that arrive at the sandbox, from the first request to the last arrival."""
    before, begin = await _calls(http, sandbox), time.monotonic()
    seconds = rig.of(8.0, 1.0)
    sent = round(await _rate(http, f"{api}/api/v1/messages/sms", seconds, _message) * seconds)

    async def have_arrived() -> bool:
        return await _calls(http, sandbox) >= before + sent

    await until(have_arrived, 120.0)
    return sent / (time.monotonic() - begin)


async def _calls(http: aiohttp.ClientSession, sandbox: str) -> int:
    async with http.get(f"{sandbox}/ledger?limit=1") as answer:
        return int((await answer.json())["totals"]["calls"])


async def _waits(rig: Rig, http: aiohttp.ClientSession, api: str) -> float:
    """The 99th percentile of the time in the queue at an even rate, in ms, as the service itself counts it."""
    tasks, begin = set[asyncio.Task[None]](), time.monotonic()
    for number in range(int(HALF * rig.of(20.0, 2.0))):
        tasks.add(asyncio.create_task(_sent(http, f"{api}/api/v1/messages/sms", number)))
        await asyncio.sleep(max(0.0, begin + number / HALF - time.monotonic()))
    await asyncio.gather(*tasks)
    await asyncio.sleep(3)  # what is counted is sent once a second
    async with http.get(f"{api}/api/v1/stats?by=workspace&since=10m") as answer:
        rows = (await answer.json())["data"]
    row = next(row for row in rows if row["workspace_id"] == WATCHED)
    return 1000 * float(row["times"]["queue"]["p99"])


async def _sent(http: aiohttp.ClientSession, url: str, number: int) -> None:
    async with http.post(url, json={**_message(number), "workspaceId": WATCHED}) as answer:
        await answer.read()
        answer.raise_for_status()
