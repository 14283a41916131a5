"""Fixtures of these tests: a server that may be broken, an app on it, and worker processes."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from streamq import App
from streamq.settings import Settings

from ..processes import Fleet, fleets  # noqa: F401  # pytest finds them here
from ..programs import jobs
from ..rig import QUICK, app, client, make_app  # noqa: F401
from ..servers import Server


@pytest.fixture
def breakable(own_server: Callable[..., Server]) -> Server:
    """A server of this test's own that keeps every acknowledged write over a kill."""
    return own_server(aof=True)


@pytest.fixture
async def producer() -> AsyncIterator[Callable[..., App]]:
    """``await producer(url, …)``: an open app with the program's tasks, which runs none of them."""
    async with AsyncExitStack() as stack:

        async def make(url: str, **overrides: object) -> App:
            app = App(Settings.load(**{**QUICK, **overrides, "redis_url": url}))
            for task in jobs.app.tasks.values():
                app.task(name=task.name, queue=task.queue, attempts=task.attempts)(task.handler)
            return await stack.enter_async_context(app)

        yield make


@pytest.fixture
def fleet(breakable: Server, fleets: list[Fleet], tmp_path: Path) -> Fleet:  # noqa: F811
    """Worker processes on the server that may be broken."""
    fleets.append(Fleet(breakable.url, tmp_path, {**QUICK, "keep_completed": 100_000}))
    return fleets[-1]
