"""A new job from the page: its payload as JSON, options, twins, and its own page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from streamq_service.settings import ServiceSettings

from streamq import App

from ..rig import ON_ONE_SERVER
from .browser import Page
from .conftest import Service, running

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

LARGE = 9007199254740993


@pytest.fixture
async def orders(settings: Callable[..., ServiceSettings]) -> AsyncIterator[Service]:
    """A service with a task whose payload has something of everything."""
    app = App(settings())

    @app.task(queue="orders")
    async def ship(given: dict[str, int]) -> int:
        return given["number"]

    async with running(settings(feed_interval=0.1), app) as service:
        yield service


async def test_a_job_of_a_task_without_a_schema_is_written_as_json(page: Page, orders: Service) -> None:
    await page.open(f"{orders.url}/#/new?task=ship&queue=orders")
    await page.shows("Nobody has told the schema of this task", "main")
    await page.fill("raw", '{"number": 9007199254740993, ')
    await page.click("Enqueue")
    await page.until("document.querySelector('[name=raw][aria-invalid]')")
    await page.fill("raw", '{"number": 9007199254740993}')
    await page.fill("attempts", "0")
    await page.click("Enqueue")
    await page.until("document.querySelector('#new [name=attempts][aria-invalid]')")
    await page.fill("attempts", "2")
    twin = "streamq job enqueue orders ship --payload '{\"number\":9007199254740993}' --attempts 2"
    assert twin in await page.text("#new details")
    await page.click("Enqueue")
    await page.shows("ship", "main h1")
    job = (await orders.engine.queue("orders").jobs("waiting")).items[0]
    assert (job.task, job.payload) == ("ship", {"number": LARGE})
    assert str(LARGE) in await page.text("main")
