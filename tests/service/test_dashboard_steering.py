"""What is done on the dashboard to groups, schedules and queues, and to payloads of which a part is masked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Annotated

import pytest
from pydantic import BaseModel
from streamq_service.settings import ServiceSettings

from streamq import App, Masked

from ..rig import ON_ONE_SERVER, until
from .browser import Page
from .conftest import Service, running
from .test_dashboard_acts import scheduling

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]


GROUP = "/api/v1/queues/work/groups/shop%2F1"


class Login(BaseModel):
    """A payload of which a part is masked."""

    user: str
    password: Annotated[str, Masked]


@pytest.fixture
async def plant(settings: Callable[..., ServiceSettings]) -> AsyncIterator[Service]:
    """A service with a schedule, groups, and a task whose payload has a secret. Nobody works."""
    app = App(settings())

    @app.schedule(cron="0 6 * * *", zone="Europe/Berlin", name="nightly", payload={"a": 1})
    @app.task(queue="work")
    async def sweep(given: dict[str, int]) -> int:
        return given["a"]

    @app.task(queue="logins")
    async def login(given: Login) -> None: ...

    async with running(settings(feed_interval=0.1), app) as service:
        yield service


async def test_the_page_of_a_group_has_the_charts_of_its_tenant(page: Page, plant: Service) -> None:
    await plant.engine.enqueue("work", "sweep", {"a": 1}, group="shop")
    await page.open(f"{plant.url}/#/queues/work/groups/shop")
    await page.until("document.querySelectorAll('.charts .chart').length > 1")
    assert page.complaints == []


async def test_a_group_is_limited_paused_and_resumed(page: Page, plant: Service) -> None:
    for number in range(3):
        await plant.engine.enqueue("work", "sweep", {"a": number}, group="shop/1")
    await page.open(f"{plant.url}/#/queues/work/groups")
    await page.click("shop/1", "main")
    await page.click("Limit")
    await page.fill("concurrency", "two")
    await page.click("Limit", "dialog")
    await page.until("document.querySelector('dialog .error')")
    await page.fill("concurrency", "2")
    await page.fill("rate", "10/s")
    await page.click("Limit", "dialog")
    await page.shows("0 of 2", "main")
    await page.click("Pause")
    await page.fill("reason", "asked for")
    await page.click("Pause", "dialog")
    await page.shows("asked for", ".facts")
    told = (await plant.get(GROUP))[2]
    assert (told["limit"]["concurrency"], told["limit"]["rate"], told["paused"]["reason"]) == (
        2,
        "10/s",
        "asked for",
    )
    await page.click("Resume")
    await page.click("Resume", "dialog")
    await page.until(
        "![...document.querySelectorAll('.facts dt')].some((each) => each.innerText === 'paused')"
    )
    assert (await plant.get(GROUP))[2]["paused"] is None


async def test_a_schedule_is_paused_resumed_run_now_and_removed(page: Page, plant: Service) -> None:
    async with scheduling(plant.engine):
        await page.open(f"{plant.url}/#/schedules")
        await page.click("nightly", "main")
        await page.shows("0 6 * * * (Europe/Berlin)", ".facts")
        await page.until("document.querySelectorAll('main tbody tr').length === 10")
        await page.click("Pause")
        await page.fill("reason", "the shop is closed")
        await page.click("Pause", "dialog")
        await page.shows("paused: the shop is closed", ".facts")
        await page.click("Resume")
        await page.click("Resume", "dialog")
        await page.until("!document.querySelector('.facts .mark')")
        await page.click("Run now")
        await page.click("Run now", "dialog")
        await page.until("document.querySelector('#toasts a')")
        assert (await plant.engine.queue("work").counts()).waiting == 1
        assert await page.run("document.querySelector('[data-act=Remove]')") is None, "code declares it"
        await plant.engine.schedules.put("by-hand", task="sweep", queue="work", every=60, payload={"a": 2})
        await page.open(f"{plant.url}/#/schedules/by-hand")
        await page.click("Remove")
        await page.click("Remove", "dialog")
        await page.until("location.hash === '#/schedules'")
    assert [each.name for each in await plant.engine.schedules.list()] == ["nightly"]
    assert page.complaints == []


async def test_a_schedule_is_made_and_changed_from_the_page(page: Page, plant: Service) -> None:
    await page.open(f"{plant.url}/#/schedules")
    await page.click("New schedule")
    await page.fill("name", "sweep")
    await page.fill("task", "sweep")
    await page.fill("cron", "0 25 * * *")
    await page.fill("payload", '{"a": 9007199254740993}')
    await page.click("Make it", "dialog")
    await page.until("document.querySelector('dialog [aria-invalid]')")
    await page.fill("cron", "30 9 * * MON-FRI")
    await page.fill("zone", "Europe/Berlin")
    await page.click("Make it", "dialog")
    await page.until("location.hash === '#/schedules/sweep'")
    await page.shows("9007199254740993", "pre")
    await page.shows("09:30:00", "tbody")
    await page.click("Change")
    await page.fill("cron", "")
    await page.fill("every", "10m")
    await page.run("document.querySelector('[name=overlap]').value = 'skip'")
    await page.run("document.querySelector('[name=overlap]').dispatchEvent(new Event('change'))")
    line = str(await page.run("document.querySelector('dialog details').textContent"))
    assert "streamq schedule put sweep work sweep --every 10m --zone Europe/Berlin --overlap skip" in line
    await page.click("Change it", "dialog")
    await page.shows("every 10 min", ".facts")
    made = (await plant.engine.schedules.get("sweep")).asdict()
    found = [made[name] for name in ("every", "cron", "overlap", "payload")]
    assert found == [600, None, "skip", {"a": 9007199254740993}]


async def test_a_queue_is_drained_and_then_removed_once_nobody_needs_it(page: Page, plant: Service) -> None:
    for number in range(3):
        await plant.engine.enqueue("old", "gone", {"a": number})
    await plant.engine.enqueue("old", "gone", {"a": 4}, delay=600)
    await page.open(f"{plant.url}/#/queues/old")
    await page.click("Remove")
    await page.click("Remove", "dialog")
    await page.until("document.querySelector('dialog .error')")
    await page.click("Not now", "dialog")
    await page.click("Drain")
    await page.shows("The 3 jobs that wait are deleted for good", "dialog")
    assert await page.run("document.querySelector('dialog .primary').disabled") is True
    await page.run("document.querySelector('dialog [name=delayed]').click()")
    await page.fill("must", "old")
    await page.click("Drain", "dialog")
    async with scheduling(plant.engine):
        await until(lambda: _is_empty(plant.engine))
    await page.click("Remove")
    await page.click("Remove", "dialog")
    await page.until("location.hash === '#/queues'")
    assert "old" not in await plant.engine.queues()


async def _is_empty(engine: App) -> bool:
    return not sum((await engine.queue("old").counts()).asdict().values())


async def test_what_is_masked_stays_masked_and_cannot_be_written_over(page: Page, plant: Service) -> None:
    secret = {"user": "ada", "password": "correct horse"}
    job = await plant.engine.enqueue("logins", "login", secret, delay=600)
    await page.open(f"{plant.url}/#/queues/logins/jobs/{job.id}")
    await page.shows('"password": "***"', "pre")
    await page.click("Edit")
    await page.until("document.querySelector('dialog [name=payload]')")
    await page.fill("payload", '{"user": "grace", "password": "***"}')
    await page.click("Edit", "dialog")
    await page.shows("give the value itself", "dialog .error")
    await page.fill("payload", '{"user": "grace", "password": "battery staple"}')
    await page.click("Edit", "dialog")
    await page.shows("grace", "pre")
    await page.open(f"{plant.url}/#/queues/logins/jobs?state=delayed")
    await page.shows("grace", "tbody")
    for word in ("correct horse", "battery staple"):
        assert word not in await page.run("document.documentElement.outerHTML")
