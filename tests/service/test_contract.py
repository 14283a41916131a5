"""The server does as its document says: schemathesis asks it thousands of things, and finds no contradiction.

``make contract`` asks more of it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from streamq import App, Fail

from ..rig import ON_ONE_SERVER
from .conftest import Service, working

Start = Callable[..., AbstractAsyncContextManager[Service]]

EXAMPLES = int(os.environ.get("STREAMQ_TEST_CONTRACT", "4"))
"""Cases of each kind and route; more takes longer."""
KEY = "k" * 24
CONFIG = """
[headers]
Authorization = "Bearer {key}"

[parameters]
"path.queue" = "sums"

[checks.positive_data_acceptance]
# 400 is a cursor that is none, 412 another version, 422 what no schema can say: a time that is over, a task that
# nobody knows, a filter that cannot be read.
expected-statuses = [200, 201, 202, 207, 304, 400, 404, 409, 412, 422, 429]

[checks.negative_data_rejection]
# 207: of several jobs some were wrong. 414: an address that is too long.
# 404, 409 and 412 are of what was met before the wrong field.
expected-statuses = [207, 400, 401, 403, 404, 405, 406, 409, 412, 413, 414, 415, 422, 429]

[checks.use_after_free]
# A limit that is taken back holds no more, and is shown all the same while queues draw from it.
enabled = false

[warnings]
enabled = false
"""


async def jobs_of_each_kind(app: App) -> None:
    """A job that waits, one that is delayed, and two that have ended."""
    async with working(app):
        good = await app.enqueue("sums", "add", 1)
        bad = await app.enqueue("sums", "fail", 1)
        await asyncio.gather(good.result(timeout=20), bad.result(timeout=20), return_exceptions=True)
    await app.enqueue("sums", "add", 2)
    await app.enqueue("sums", "add", 3, delay=3600)


@ON_ONE_SERVER
@pytest.mark.keeps_keys
@pytest.mark.timeout(100 + 60 * EXAMPLES)
@pytest.mark.parametrize("phases", ["examples,coverage,fuzzing", "stateful"])
async def test_the_server_does_as_its_document_says(
    start: Start, settings: Callable[..., Any], sums: App, tmp_path: Path, phases: str
) -> None:
    @sums.task(queue="sums")
    async def fail(number: int) -> int:
        raise Fail("it is to fail")

    async with start(settings(api_keys=f"{KEY}=admin"), sums) as service:
        await jobs_of_each_kind(sums)
        config = tmp_path / "schemathesis.toml"
        config.write_text(CONFIG.format(key=KEY))
        examples = EXAMPLES * (10 if phases == "stateful" else 1)
        asking = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "--no-color",
            "run", f"{service.url}/api/v1/openapi.json", "--phases", phases, "--max-examples", str(examples),
            "--exclude-path-regex", "(/events$|^/static|^/unsubscribe)", "--workers", "1",
            cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        told, _ = await asking.communicate()
        assert asking.returncode == 0, told.decode()[-20_000:]
