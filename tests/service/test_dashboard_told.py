"""What the dashboard tells is true: nothing known is not nothing there, and what is not there has no buttons."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamq_service.http.auth import Scope
from streamq_service.http.made_keys import MadeKeys
from streamq_service.settings import ServiceSettings

from streamq import App

from ..rig import ON_ONE_SERVER, Server, until
from .browser import Page
from .conftest import Service, running, working
from .pages import LIVE, PAGES, SHOWN

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

MISSING = (
    "queues/orderz", "queues/orderz/jobs", "queues/orderz/groups", "queues/orders/jobs/1-0", "failures?queue=orderz",
    "workers/nope", "schedules/nope",
)  # fmt: skip


async def test_what_does_not_exist_is_an_error_and_nothing_else(page: Page, service: Service) -> None:
    await service.engine.enqueue("orders", "task", 1)
    await page.open(f"{service.url}/")
    await page.until(LIVE)
    for at in MISSING:
        await page.run(f"location.hash = '#/{at}'")
        await page.until(f"{SHOWN} && document.querySelector('main .error')")
        assert await page.run("document.querySelectorAll('main :is(button, .tiles, .card)').length") == 0, at
        assert "Asking" not in await page.text("main"), at
    await page.run("location.hash = '#/queues/orderz'")
    await page.shows("Did you mean 'orders'?", "main")


async def test_where_nothing_is_known_nothing_is_said_to_be_there_or_not(
    page: Page, own_server: Callable[..., Server], prefix: str
) -> None:
    server = own_server()
    settings = ServiceSettings(
        redis_url=server.url, prefix=prefix, connect_timeout=1, command_timeout=1, feed_interval=0.1
    )
    async with running(settings) as service:
        server.stop()
        await page.open(f"{service.url}/")
        for at in ("", "queues", "workers", "schedules", "activity", "queues/orders", "queues/orders/jobs"):
            await page.run(f"location.hash = '#/{at}'")
            await page.until("document.querySelector('main .error')")
            said = await page.text("main")
            assert not [
                each for each in ("No queue", "No worker", "no schedule", "Nothing is done") if each in said
            ]
            assert (
                await page.run("document.querySelectorAll('main :is(.states b, .tiles strong)').length") == 0
            )


async def test_a_dialog_is_about_the_address_at_which_it_was_opened(page: Page, service: Service) -> None:
    await service.engine.enqueue("orders", "task", 1)
    await page.open(f"{service.url}/#/queues")
    await page.until(LIVE)
    await page.run("location.hash = '#/queues/orders'")
    await page.click("Pause")
    await page.until("document.getElementById('dialog').open")
    await page.run("history.back()")
    await page.until("!document.getElementById('dialog').open")


async def test_what_cannot_be_read_says_why_and_lets_nothing_be_done(page: Page, service: Service) -> None:
    await service.engine.enqueue("orders", "task", 1)
    await page.open(f"{service.url}/#/queues/orders/jobs?state=failed&q=sate%3Afailed")
    await page.until("document.querySelector('.filters .error')")
    assert await page.run("[...document.querySelectorAll('main [data-act]')].every((each) => each.disabled)")
    assert await page.run("document.querySelector('main [data-act]').title")
    await page.open(f"{service.url}/?a#/queues/orders/jobs?cursor=stale")
    await page.shows("cursor", ".filters .error")
    await page.click("To the first page")
    await page.until("document.querySelector('tbody tr')")


async def test_only_a_command_that_can_run_is_shown(page: Page, service: Service) -> None:
    job = await service.engine.enqueue("orders", "task", 1, delay=600)
    await page.open(f"{service.url}/#/queues/orders/jobs/{job.id}")
    await page.until("document.querySelector('.twin')")
    assert "reschedule" not in await page.run("document.querySelector('main').textContent")
    await page.click("Reschedule")
    await page.shows("The same in a terminal", "dialog")
    assert "streamq" not in await page.run("document.querySelector('dialog').textContent")
    await page.fill("when", "10m")
    await page.until("document.querySelector('dialog').textContent.includes('--delay 10m')")


async def test_a_job_that_was_cancelled_before_it_began_says_how_long_it_waited(
    page: Page, service: Service
) -> None:
    job = await service.engine.enqueue("orders", "task", 1)
    await page.open(f"{service.url}/#/queues/orders/jobs/{job.id}")
    await page.shows("Why it does not run", "main")
    await job.cancel()
    await page.shows("waited", ".phases")
    assert "Cancelled:" not in await page.text("main")


async def test_pages_of_messages_are_only_where_messages_are_sent(
    page: Page, settings: Callable[..., ServiceSettings]
) -> None:
    async with running(settings(feed_interval=0.1), App(settings())) as service:
        await page.open(f"{service.url}/#/workspaces")
        await page.shows("sends no messages", "main")
        assert "Workspaces" not in await page.text("#pages")


async def test_with_a_key_for_one_queue_a_person_sees_that_one_and_acts_in_it(
    page: Page, service: Service
) -> None:
    for queue in ("orders", "secret"):
        failed = await service.engine.enqueue(queue, "pack", {"box": 1})
        await service.engine.queue(queue).cancel(failed.id, f"out of {queue} boxes")
        await service.engine.enqueue(queue, "pack", {"box": 2})
    _, text = await MadeKeys(service.engine).create(Scope.ADMIN, queues=["orders"])
    await page.open(f"{service.url}/")
    await page.fill("key", text)
    await page.click("Continue", "dialog")
    await page.until(LIVE)
    await page.shows("1 queue", "#tools")
    await page.shows("No worker serves orders: 1 job waits.", ".health")
    for at in (*PAGES, "queues/orders", "queues/orders/jobs", "queues/orders/groups", "queues/secret/jobs"):
        await page.run(f"location.hash = '#/{at}'")
        await page.until(SHOWN)
        assert "out of secret" not in await page.text("main")
        assert at == "queues/secret/jobs" or "secret" not in await page.text("body"), at
    offered = (await page.text("#pages")).split("\n")
    assert offered == ["Overview", "Queues", "Failures", "Workers", "Activity", "New job"]
    for name in offered:
        await page.click(name, "#pages")
        await page.until(SHOWN)
        assert not await page.run("document.querySelector('main [role=alert]')"), name
    await page.run("location.hash = '#/queues/orders/jobs?state=cancelled'")
    job = (await service.engine.queue("orders").jobs("cancelled")).items[0].id
    await page.click(job)
    await page.click("Retry", ".head")
    await page.click("Retry", "dialog")
    await page.until("document.querySelector('.head .badge[data-state=waiting]')")
    assert (await service.engine.queue("orders").get(job)).state == "waiting"


async def test_a_value_between_two_gaps_is_a_dot_that_is_seen(page: Page, service: Service) -> None:
    await page.open(f"{service.url}/")
    await page.until(LIVE)
    dots = """Promise.all(["chart", "render"].map((name) => import(`./static/${name}.js`))).then((all) => {
        const [{ spark }, { patch }] = all;
        const place = document.createElement("div");
        document.body.append(place);
        patch(place, spark([null, 3, null, 1, 2], "good", "some"));
        const dots = place.querySelector(".dots");
        return [dots.getAttribute("d"), getComputedStyle(dots).strokeWidth];
    })"""
    assert await page.run(dots) == ["M25.0 0.0h.01", "5px"]


async def test_a_kind_of_which_there_is_much_is_one_line_and_hides_no_other(
    page: Page, service: Service
) -> None:
    for number in range(20):
        await service.engine.enqueue(f"queue-{number}", "task", 1)
    await service.engine.queue("paused").pause("for a test")
    await service.engine.enqueue("paused", "task", 1)
    await page.open(f"{service.url}/")
    await page.shows("20 queues in which jobs wait are served by no worker.", ".health")
    await page.shows("paused is paused: for a test.", ".health")
    await page.click("20 queues in which jobs wait are served by no worker.")
    await page.until("location.hash === '#/queues'")


async def test_where_nobody_works_it_is_not_said_that_all_is_well(page: Page, service: Service) -> None:
    await service.engine.enqueue("orders", "task", 1, delay=600)
    await page.open(f"{service.url}/")
    await page.shows("No worker takes jobs: they wait until one starts.", ".health")
    assert "All is well" not in await page.text("main")


async def test_a_worker_that_takes_no_new_jobs_serves_no_queue(
    page: Page, settings: Callable[..., ServiceSettings]
) -> None:
    app = App(settings())

    @app.task(queue="work")
    async def work() -> None: ...

    async with running(settings(feed_interval=0.1), app) as service, working(app):
        await (await app.enqueue("work", "work")).result(10)
        await app.worker((await app.workers())[0].name).quiet()
        await page.open(f"{service.url}/")
        await page.until(LIVE)
        await until(lambda: _none_takes_jobs(app))
        await app.enqueue("work", "work")
        await page.shows("No worker serves work: 1 job waits.", ".health")
        await page.shows("of 0 slots busy", ".tiles")


async def _none_takes_jobs(app: App) -> bool:
    return all(worker.load is not None and worker.load.state == "quiet" for worker in await app.workers())
