"""What a person does on the dashboard, in a real browser: found, read, mended, and watched until it is well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from streamq_service.messaging import messaging_app
from streamq_service.settings import ServiceSettings

from streamq import App, Queue, Scheduler

from ..rig import ON_ONE_SERVER, until
from .browser import Page
from .conftest import Service, running, working

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

LARGE = 9007199254740993


@pytest.fixture
async def shop(settings: Callable[..., ServiceSettings], sandbox: Service) -> AsyncIterator[Service]:
    """A service that sends messages, and halves numbers."""
    given = settings(
        sms_api_url=sandbox.url, email_api_url=sandbox.url, ai_api_url="simulated", callback_private=True,
        feed_interval=0.1,
    )  # fmt: skip
    app = messaging_app(given)

    @app.task(queue="numbers", attempts=1)
    async def halve(given: dict[str, object]) -> float:
        if not str(given["number"]).isdigit():
            raise ValueError("the number is a word")
        return int(str(given["number"])) / 2

    async with running(given, app) as service:
        yield service


@asynccontextmanager
async def scheduling(engine: App) -> AsyncIterator[None]:
    """What is to be done in the background is done inside the block."""
    task = asyncio.create_task(Scheduler(engine).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def failed(shop: Service, *numbers: object) -> Queue:
    """The queue in which a job has failed for each of them."""
    queue = shop.engine.queue("numbers")
    await asyncio.gather(
        *(shop.engine.enqueue("numbers", "halve", {"number": number, "large": LARGE}) for number in numbers)
    )
    async with working(shop.engine):
        await until(lambda: _have_failed(queue, len(numbers)))
    return queue


async def _have_failed(queue: Queue, size: int) -> bool:
    return (await queue.counts()).failed == size


async def test_a_failed_job_is_found_read_mended_and_retried_until_it_succeeds(
    page: Page, shop: Service
) -> None:
    await failed(shop, "four")
    await page.open(f"{shop.url}/#/failures")
    await page.shows("the number is a word")
    await page.click("look at one")
    await page.shows("Traceback (most recent call last)")
    assert str(LARGE) in await page.text("pre")
    await page.click("Retry with another payload")
    await page.until("document.querySelector('dialog [name=payload]')")
    payload = str(await page.run("document.querySelector('[name=payload]').value"))
    assert str(LARGE) in payload
    await page.fill("payload", payload.replace('"four"', "4,,"))
    await page.click("Retry the copy", "dialog")
    await page.shows("it is no JSON", "dialog")
    await page.fill("payload", payload.replace('"four"', "4"))
    async with working(shop.engine):
        await page.click("Retry the copy", "dialog")
        await page.shows("copy of", "main")
        await page.until("document.querySelector('.head .badge[data-state=completed]')")
    await page.shows("2.0")
    assert str(LARGE) in await page.text("main")
    assert page.complaints == []


async def test_a_queue_is_paused_with_a_reason_holds_its_jobs_and_goes_on(page: Page, shop: Service) -> None:
    await page.open(f"{shop.url}/#/queues/numbers")
    await page.click("Pause")
    await page.fill("reason", "the provider is down")
    assert "streamq queue pause numbers --reason 'the provider is down'" in await page.run(
        "document.querySelector('dialog details').textContent"
    )
    await page.click("Pause", "dialog")
    await page.shows("numbers is paused: the provider is down", "main")
    job = await shop.engine.enqueue("numbers", "halve", {"number": 8})
    async with working(shop.engine):
        await page.open(f"{shop.url}/#/queues/numbers/jobs/{job.id}")
        await page.shows("Why it does not run")
        await page.open(f"{shop.url}/#/queues/numbers")
        await page.shows("is paused", "main")
        await page.click("Resume")
        await page.click("Resume", "dialog")
        assert await job.result(10) == 4.0
    await page.until("!document.querySelector('.paused')")
    assert page.complaints == []


async def test_a_thousand_are_retried_by_a_filter_with_their_exact_number_and_its_end(
    page: Page, shop: Service
) -> None:
    queue = await failed(shop, *["word"] * 1_000, "other")
    await page.open(f"{shop.url}/#/queues/numbers/jobs?state=failed&q=payload.number:word")
    await page.until("document.querySelectorAll('tbody tr').length === 50")
    await page.click("Next page")
    await page.until("document.querySelector('.pager a')?.innerText === 'To the first page'")
    await page.click("Retry all …")
    await page.shows("This is for 1,000 jobs that fit", "dialog")
    await page.click("Retry", "dialog")
    await page.shows("retry in numbers has begun", "#toasts")
    async with scheduling(shop.engine):
        await until(lambda: _have_failed(queue, 1))
        await page.open(f"{shop.url}/#/activity")
        await page.until("document.querySelector('td[data-title=done]')?.innerText.trim() === '1,000'")
    assert page.complaints == []


async def test_ticked_jobs_alone_are_deleted(page: Page, shop: Service) -> None:
    queue = await failed(shop, "one", "two", "three")
    await page.open(f"{shop.url}/#/queues/numbers/jobs?state=failed&columns=number")
    await page.until("document.querySelectorAll('tbody tr').length === 3")
    await page.run(
        "document.querySelectorAll('tbody [type=checkbox]').forEach((box, at) => at && box.click())"
    )
    await page.click("Delete 2 ticked")
    await page.click("Delete", "dialog")
    async with scheduling(shop.engine):
        await until(lambda: _have_failed(queue, 1))
    await page.until("document.querySelectorAll('tbody tr').length === 1")
    assert await page.text("td[data-title=number]") == "three"


async def test_a_message_that_was_planned_by_mistake_is_cancelled(page: Page, shop: Service) -> None:
    message = {"to": "+15550100", "message": "oh no", "workspaceId": 66338, "delay": 3600}
    _, _, job = await shop.post("/api/v1/messages/sms", message)
    at = f"queues/{job['queue']}/jobs/{job['id']}"
    await page.open(f"{shop.url}/#/{at}")
    await page.click("Cancel")
    await page.fill("reason", "sent by mistake")
    await page.click("Cancel it", "dialog")
    await page.until("document.querySelector('.head .badge[data-state=cancelled]')")
    record = (await shop.get(f"/api/v1/{at}"))[2]
    assert (record["state"], record["error"]["message"]) == ("cancelled", "sent by mistake")
    assert page.complaints == []


async def test_a_job_that_waits_is_edited_as_the_version_it_was(page: Page, shop: Service) -> None:
    job = await shop.engine.enqueue("numbers", "halve", {"number": 1}, delay=600)
    await page.open(f"{shop.url}/#/queues/numbers/jobs/{job.id}")
    await page.click("Edit")
    await page.fill("payload", f'{{"number": 6, "large": {LARGE}}}')
    await shop.engine.queue("numbers").change(job.id, priority="high")
    await page.click("Edit", "dialog")
    await page.shows("version", "dialog .error")
    await page.click("Not now", "dialog")
    await page.shows("high", ".facts")
    await page.click("Edit")
    await page.fill("payload", f'{{"number": 6, "large": {LARGE}}}')
    await page.click("Edit", "dialog")
    await page.until("!document.getElementById('dialog').open")
    assert (await shop.engine.queue("numbers").get(job.id)).payload == {"number": 6, "large": LARGE}


async def test_a_purge_asks_for_the_name_of_the_queue(page: Page, shop: Service) -> None:
    for number in range(3):
        await shop.engine.enqueue("numbers", "halve", {"number": number})
    await page.open(f"{shop.url}/#/queues/numbers")
    await page.until("document.querySelector('.tiles [data-state=waiting] strong')?.innerText === '3'")
    await page.click("Purge")
    await page.shows("3 jobs and records are deleted for good", "dialog")
    assert await page.run("document.querySelector('dialog .primary').disabled") is True
    await page.fill("must", "numbers")
    await page.click("Delete 3 jobs", "dialog")
    async with scheduling(shop.engine):
        await page.until("document.querySelector('.tiles [data-state=waiting] strong').innerText === '0'")
