"""The page of the API: read in a real browser, as a developer would."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from streamq_service.app import ROUTES

from ..rig import ON_ONE_SERVER
from .browser import Page
from .conftest import Service

Start = Callable[..., AbstractAsyncContextManager[Service]]

pytestmark = ON_ONE_SERVER

SHOWN = "[...document.querySelectorAll('.route')].filter((one) => !one.hidden && !one.parentElement.hidden)"


async def type_into_search(page: Page, text: str) -> None:
    await page.call("Input.dispatchKeyEvent", type="keyDown", key="/", text="/")
    assert await page.run("document.activeElement.id") == "search"
    await page.call("Input.insertText", text=text)


async def test_a_reader_finds_a_route_and_an_example_to_paste(service: Service, page: Page) -> None:
    await page.open(service.url + "/api/docs")
    await page.until("document.querySelectorAll('.route').length")
    assert await page.run("document.querySelectorAll('.route').length") == len(ROUTES)
    await type_into_search(page, "post job_retry")
    await page.until(f"{SHOWN}.length === 1")
    assert await page.run("document.getElementById('found').textContent") == "1 route"
    await page.run(f"{SHOWN}[0].querySelector('summary').click()")
    await page.until(f"{SHOWN}[0].querySelector('.example pre')")
    example = await page.run(f"{SHOWN}[0].querySelector('.example pre').textContent")
    assert example.startswith(f"curl -X POST '{service.url}/api/v1/queues/QUEUE/jobs/ID/retry'")
    told = await page.run(f"{SHOWN}[0].textContent")
    assert all(text in told for text in ("job-not-found", "the job is in state", "payload"))
    assert not page.complaints


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_a_telephone_and_follows_the_colours_of_its_reader(
    service: Service, page: Page, scheme: str
) -> None:
    await page.open(service.url + "/api/docs#post_queue_jobs", width=375, scheme=scheme)
    await page.until("document.querySelector('#post_queue_jobs .example pre')")
    assert await page.run("document.documentElement.scrollWidth") <= 375
    colour = await page.run("getComputedStyle(document.body).backgroundColor")
    assert colour == {"light": "rgb(246, 247, 246)", "dark": "rgb(16, 21, 20)"}[scheme]
    assert not page.complaints


async def test_it_works_below_a_path(start: Start, settings: Callable[..., Any], page: Page) -> None:
    async with start(settings(base_path="/jobs")) as service:
        await page.open(service.url + "/jobs/api/docs#get_queues")
        await page.until("document.querySelector('#get_queues .example pre')")
        example = await page.run("document.querySelector('#get_queues .example pre').textContent")
        assert f"'{service.url}/jobs/api/v1/queues'" in example
        assert (
            await page.run("document.querySelector('header a[href=\"../\"]').href") == f"{service.url}/jobs/"
        )


async def test_every_route_can_be_opened_and_a_control_has_a_name(service: Service, page: Page) -> None:
    await page.open(service.url + "/api/docs")
    await page.until("document.querySelectorAll('.route').length")
    await page.run("document.querySelectorAll('.route').forEach((one) => { one.open = true; })")
    await page.until(
        "document.querySelectorAll('.route .inside').length === document.querySelectorAll('.route').length"
    )
    assert not await page.run(
        "[...document.querySelectorAll('button, summary, a')].some((one) => !one.textContent.trim())"
    )
    ids = "[...document.querySelectorAll('[id]')].map((one) => one.id)"
    assert await page.run(f"new Set({ids}).size === {ids}.length")
    assert not page.complaints
