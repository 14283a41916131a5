"""Two hundred replies at once, from a slow model, by one worker."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from streamq_service.messaging import ai, messaging_app
from streamq_service.messaging.ai import AiMessage
from streamq_service.settings import ServiceSettings

from streamq import App

from ..house.source import ROOT
from ..rig import ON_ONE_SERVER, until

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]
AT_ONCE, TOKENS, BETWEEN = 200, 40, 0.05


@asynccontextmanager
async def program(*arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program of the tests; it ends when its input is closed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        cwd=ROOT, env={**os.environ, **environment},
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate(b"")


async def told(url: str) -> Any:
    async with aiohttp.ClientSession() as http, http.get(f"{url}/told") as answer:
        return await answer.json()


async def all_called(url: str) -> bool:
    return bool((await told(url))["called"] >= AT_ONCE)


async def send(app: App, hook: str) -> None:
    for number in range(AT_ONCE):
        message = AiMessage(
            workspace_id=66338, contact_id=f"c-{number}", message_id=f"m-{number}", message_text=f"Ü{number}",
            callback_url=hook,
        )  # fmt: skip
        await ai.CHANNEL.send(app, message)


async def test_two_hundred_replies_stream_at_once_in_one_worker_and_each_is_called_back(
    settings: Callable[..., ServiceSettings], server_url: str, prefix: str
) -> None:
    async with program("tests.service.slow_model", str(TOKENS), str(BETWEEN)) as model:
        assert model.stdout is not None
        url = (await model.stdout.readline()).decode().strip()
        named = {
            "REDIS_URL": server_url, "PREFIX": prefix, "AI_API_URL": f"{url}/v1", "CALLBACK_PRIVATE": "true",
        }  # fmt: skip
        variables = {f"STREAMQ_{name}": value for name, value in named.items()}
        async with (
            messaging_app(settings()) as app,
            program("tests.service.lagged_worker", **variables) as worker,
        ):
            assert worker.stdout is not None
            assert await worker.stdout.readline() == b"ready\n"
            await send(app, f"{url}/hook")
            await until(lambda: all_called(url), 60)
            lag = json.loads((await worker.communicate(b""))[0])
            counts = await app.queue(ai.QUEUE).counts()
        seen = await told(url)
    sys.stderr.write(f"\nevent loop late while {AT_ONCE} replies streamed, in ms: {lag}\n")
    assert (seen["asked"], seen["called"], counts.completed) == (AT_ONCE, AT_ONCE, AT_ONCE)
    assert seen["most"] == AT_ONCE, "all at once"
