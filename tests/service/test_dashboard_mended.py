"""What made an operator stumble over the dashboard's first page: none of it, nor of its kind, is there again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from streamq_service.settings import ServiceSettings

from streamq import App

from ..rig import ON_ONE_SERVER, until
from .browser import Page
from .conftest import Service, running, working
from .pages import LIVE, PAGES, SHOWN

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]


@pytest.fixture
async def yard(settings: Callable[..., ServiceSettings]) -> AsyncIterator[Service]:
    """A service with a task that sleeps or fails as its payload says, ten slots, and no worker yet."""
    app = App(settings(concurrency=10, beat=0.5))  # a worker tells soon how busy it is

    @app.task(queue="work", attempts=1)
    async def work(given: dict[str, float]) -> None:
        if given.get("fails"):
            raise ValueError(f"row {given['fails']} is odd")
        await asyncio.sleep(given.get("seconds", 0))

    async with running(settings(concurrency=10, feed_interval=0.1), app) as service:
        yield service


async def enqueue(service: Service, size: int, **payload: float) -> None:
    await asyncio.gather(*(service.engine.enqueue("work", "work", payload) for _ in range(size)))


async def ended(service: Service, state: str, size: int) -> None:
    async def are() -> bool:
        return (await service.engine.queue("work").counts()).asdict()[state] == size

    await until(are)


@pytest.mark.parametrize("width", [375, 1280])
async def test_that_500_wait_and_nobody_works_is_seen_at_once(page: Page, yard: Service, width: int) -> None:
    await enqueue(yard, 500)
    await page.open(f"{yard.url}/", width=width)
    await page.shows("No worker serves work: 500 jobs wait.", ".health")
    assert await page.run("document.querySelector('.health').getBoundingClientRect().bottom") < 450
    assert await page.run("document.querySelector('.health').dataset.tone") == "bad"


async def test_how_many_of_the_slots_are_busy_is_said(page: Page, yard: Service) -> None:
    async with working(yard.engine):
        await enqueue(yard, 12, seconds=6)
        await page.open(f"{yard.url}/")
        await page.shows("All 10 slots are busy, and 2 jobs wait.", ".health")
        tile = await page.text(".tiles [data-state=active]")
        assert tile.split() == ["active", "now", "10", "of", "10", "slots", "busy"]
        await page.open(f"{yard.url}/#/workers")
        await page.shows("10 of 10 slots busy", "main")


async def test_what_was_done_is_counted_also_where_its_records_are_gone(page: Page, yard: Service) -> None:
    async with working(yard.engine):
        await enqueue(yard, 7)
        await ended(yard, "completed", 7)
    for job in (await yard.engine.queue("work").jobs("completed")).items:
        await yard.engine.queue("work").delete(job.id)
    await page.open(f"{yard.url}/")
    await page.until("document.querySelector('.tiles [data-state=completed] strong')?.innerText === '7'")


async def test_600_failures_of_one_kind_are_one(page: Page, yard: Service) -> None:
    async with working(yard.engine):
        await asyncio.gather(
            *(yard.engine.enqueue("work", "work", {"fails": each + 1}) for each in range(600))
        )
        await ended(yard, "failed", 600)
    await page.open(f"{yard.url}/#/failures")
    await page.until("document.querySelectorAll('main .cards > li').length === 1")
    assert await page.text("main .kind > strong") == "600"


async def test_a_count_leads_to_the_jobs_that_it_counts(page: Page, yard: Service) -> None:
    await enqueue(yard, 3)
    await page.open(f"{yard.url}/")
    await page.until(LIVE)
    await page.run("document.querySelector('tbody a.count[data-state=waiting]').click()")
    await page.until("location.hash === '#/queues/work/jobs?state=waiting'")
    await page.until("document.querySelectorAll('tbody tr').length === 3")
    assert await page.run("document.querySelector('tbody tr').getBoundingClientRect().top < innerHeight")


async def test_the_first_job_is_some_tabs_away_however_many_queues_there_are(
    page: Page, yard: Service
) -> None:
    await enqueue(yard, 2)
    for number in range(40):
        await yard.engine.enqueue(f"other-{number}", "task", 1)
    await page.open(f"{yard.url}/#/queues/work/jobs")
    await page.until("document.querySelectorAll('tbody tr').length === 2")
    await page.press("Tab", "Enter")
    tabs = 0
    while not await page.run("Boolean(document.activeElement.closest('tbody'))"):
        await page.press("Tab")
        tabs += 1
    assert tabs < 35
    await page.run("document.activeElement.blur()")
    await page.press("j")
    assert await page.run("Boolean(document.activeElement.closest('tbody'))")


async def test_times_go_on_while_nothing_else_happens(page: Page, yard: Service) -> None:
    await enqueue(yard, 1)
    await page.open(f"{yard.url}/#/queues/work/jobs")
    await page.until("document.querySelector('tbody time')?.innerText.endsWith('s ago')")
    before = await page.text("tbody time")
    await page.until(f"document.querySelector('tbody time').innerText !== {before!r}")


OVER = """[...document.querySelectorAll("main, tr, header, .card, .tiles li, .kind")].flatMap((parent) => {
    const parts = [...parent.children].map((each) => [each, each.getBoundingClientRect()]).filter(([, box]) =>
        box.width > 2 && box.height > 2);
    return parts.flatMap(([one, a], at) => parts.slice(at + 1).filter(([, b]) =>
        Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
        Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1)
        .map(([other]) => `${one.outerHTML.slice(0, 80)} over ${other.outerHTML.slice(0, 80)}`));
})"""


@pytest.mark.parametrize("width", [375, 768, 1280])
async def test_nothing_stands_over_anything_else(page: Page, busy: Service, width: int) -> None:
    found = (await busy.engine.queue("work").jobs("failed")).items[0]
    await page.open(f"{busy.url}/", width=width)
    await page.until(LIVE)
    for at in (*PAGES, f"queues/work/jobs/{found.id}"):
        await page.run(f"location.hash = '#/{at}'")
        await page.until(SHOWN)
        assert await page.run(OVER) == [], at


CONTRAST = """(() => {
    const light = ([r, g, b]) => [r, g, b].map((each) => each / 255).map((each) =>
        each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4).reduce((sum, each, at) =>
        sum + each * [0.2126, 0.7152, 0.0722][at], 0);
    const canvas = new OffscreenCanvas(1, 1).getContext("2d");
    const colour = (text) => (canvas.fillStyle = text, canvas.fillRect(0, 0, 1, 1),
        [...canvas.getImageData(0, 0, 1, 1).data]);
    const behind = (element) => {
        const own = getComputedStyle(element).backgroundColor;
        return own === "rgba(0, 0, 0, 0)" && element.parentElement ? behind(element.parentElement) : colour(own);
    };
    return [...document.querySelectorAll("main :is(button, input, select, textarea):not(:disabled), #tools button")]
        .map((each) => {
            const [a, b] = [colour(getComputedStyle(each).borderTopColor), behind(each.parentElement)].map(light);
            return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), each.outerHTML.slice(0, 90)];
        }).filter(([contrast]) => contrast < 3);
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_border_of_what_can_be_used_is_seen(page: Page, busy: Service, scheme: str) -> None:
    await page.open(f"{busy.url}/", scheme=scheme)
    await page.until(LIVE)
    for at in PAGES:
        await page.run(f"location.hash = '#/{at}'")
        await page.until(SHOWN)
        assert await page.run(CONTRAST) == [], at


async def test_a_reader_is_offered_nothing_that_a_reader_may_not(
    page: Page, settings: Callable[..., ServiceSettings]
) -> None:
    async with running(settings(api_keys="reader-of-sixteen=read", feed_interval=0.1)) as service:
        await page.open(f"{service.url}/")
        await page.fill("key", "reader-of-sixteen")
        await page.click("Continue", "dialog")
        await page.until(LIVE)
        await service.engine.enqueue("work", "task", 1, group="g")
        acts = "document.querySelectorAll('main :is([data-act], [type=submit], [type=checkbox])').length"
        for at in PAGES:
            await page.run(f"location.hash = '#/{at}'")
            await page.until(SHOWN)
            assert await page.run(acts) == 0, at
