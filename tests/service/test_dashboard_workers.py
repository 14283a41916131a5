"""Workers and slow jobs on the page: what each runs and for how long, and the way to let one rest or stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import pytest
from streamq_service.settings import ServiceSettings

from streamq import App, Worker

from ..rig import ON_ONE_SERVER
from .browser import Page
from .conftest import Service, running, working

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]


class Mill(NamedTuple):
    """A service with a worker that grinds until it is told to end."""

    service: Service
    worker: Worker
    enough: asyncio.Event


@pytest.fixture
async def mill(settings: Callable[..., ServiceSettings]) -> AsyncIterator[Mill]:
    """With two slots."""
    given = settings(concurrency=2, feed_interval=0.1, beat=0.2)
    app, enough = App(given), asyncio.Event()

    @app.task(queue="grain")
    async def grind(_sacks: int) -> None:
        await enough.wait()

    async with running(given, app) as service, working(app) as worker:
        try:
            yield Mill(service, worker, enough)
        finally:
            enough.set()


async def test_a_worker_tells_what_it_runs_and_rests_and_stops_when_it_is_told(
    page: Page, mill: Mill
) -> None:
    job = await mill.service.engine.enqueue("grain", "grind", 1)
    await page.open(f"{mill.service.url}/#/workers")
    await page.shows("1 of 2 slots busy", ".head")
    await page.until("document.querySelector('.runs a')?.innerText === 'grind'")
    await page.shows("1 of 2", "tbody td[data-title=busy]")
    await page.until("/[0-9] [MG]B/.test(document.querySelector('tbody td[data-title=memory]')?.innerText)")
    await page.click("Quiet", "main")
    assert f"streamq workers quiet {mill.worker.name}" in await page.run(
        "document.querySelector('dialog details').textContent"
    )
    await page.click("Quiet", "dialog")
    await page.shows("takes no new jobs", "tbody tr")
    await page.run("document.querySelector('tbody a').click()")
    await page.shows("What runs, the longest first", "main")
    await page.until(f"document.querySelector('tbody')?.innerText.includes('{job.id}')")
    await page.click("Resume", "main")
    await page.click("Resume", "dialog")
    await page.until("document.querySelector('main [data-act=Quiet]')")
    await page.click("Stop", "main")
    await page.click("Stop it", "dialog")
    await page.until("!document.querySelector('main [data-act]')")
    await page.shows("stops", ".facts")
    assert page.complaints == []


async def test_what_runs_longest_and_what_has_run_longest_is_told(page: Page, mill: Mill) -> None:
    ended = await mill.service.engine.enqueue("grain", "grind", 1)
    await page.open(f"{mill.service.url}/#/slow")
    await page.until(f"document.querySelector('tbody')?.innerText.includes('{ended.id}')")
    await page.shows("They run now", "main")
    mill.enough.set()
    await ended.result(10)
    await page.until("document.querySelector('tbody .badge[data-state=completed]')")
    await page.run("document.querySelector('main [type=search]').focus()")
    await page.type("nothing of this name")
    await page.until("!document.querySelector('tbody') && location.hash.includes('q=nothing')")
    assert page.complaints == []
