"""What a person sees stays: in the address of the page, below any path, and while it is drawn again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamq_service.settings import ServiceSettings

from ..rig import ON_ONE_SERVER
from .browser import Page
from .conftest import Service, running
from .pages import LIVE, PAGES, SHOWN

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

Settings = Callable[..., ServiceSettings]


async def test_what_was_chosen_on_a_page_is_in_its_address(page: Page, busy: Service) -> None:
    await page.open(f"{busy.url}/#/queues/work")
    await page.click("Table", "main")
    await page.until("document.querySelectorAll('.chart tbody tr').length > 10")
    await page.click("6h", "main")
    await page.until("location.hash === '#/queues/work?tables=Throughput&since=6h'")
    await page.click("Queues", "#pages")
    await page.until("document.querySelector('main [type=search]')")
    await page.run("document.querySelector('main [type=search]').focus()")
    await page.type("wor")
    await page.until("document.querySelectorAll('tbody tr').length === 1")
    await page.click("by failed", "main")
    await page.until("location.hash === '#/queues?q=wor&order=failed'")
    await page.until("document.querySelectorAll('tbody tr').length === 1")
    await page.run("history.back()")
    await page.until("location.hash === '#/queues?q=wor'")
    await page.reload()
    await page.until("document.querySelector('main [type=search]')?.value === 'wor'")
    await page.until("document.querySelectorAll('tbody tr').length === 1")


@pytest.mark.parametrize("at", ["failures?q=division&queue=work", "activity?part=audit", "?since=6h",
    "queues/work/jobs?state=failed&q=error%3Adivision&columns=a", "queues/work/groups?order=longest"])  # fmt: skip
async def test_a_kept_address_shows_the_same_again(page: Page, busy: Service, at: str) -> None:
    await page.open(f"{busy.url}/#/{at}")
    await page.until(f"{LIVE} && {SHOWN}")
    before = await page.run("location.hash")
    values = "[...document.querySelectorAll('main :is(input, select)')].map(({ value }) => value)"
    shown = await page.run(values)
    await page.open("about:blank")
    await page.open(f"{busy.url}/{before}")
    await page.until(f"{LIVE} && {SHOWN}")
    assert await page.run("location.hash") == before == f"#/{at}"
    assert await page.run(values) == shown


async def test_a_refresh_leaves_the_place_on_the_page_and_what_is_being_written(
    page: Page, service: Service
) -> None:
    for number in range(60):
        await service.engine.enqueue("plain", "task", {"number": number, "long": "x" * 300})
    wide = "number,aaaaaaaa,bbbbbbbb,cccccccc,dddddddd,eeeeeeee,ffffffff,"
    await page.open(f"{service.url}/#/queues/plain/jobs?state=waiting&columns={wide}", width=700)
    await page.until("document.querySelectorAll('tbody tr').length === 50")
    await page.run("document.querySelector('[name=columns]').focus()")
    await page.type("lon")
    await page.until("document.querySelector('td[data-title=lon]')")
    await page.run("document.querySelector('[name=columns]').setSelectionRange(2, 5)")
    await page.run("scrollTo(0, 600); document.querySelector('.scrolls').scrollLeft = 40")
    places = "[scrollY, document.querySelector('.scrolls').scrollLeft]"
    before = await page.run(places)
    assert before == [600, 40]
    count = "document.querySelector('.states [data-state=waiting] b').innerText"
    await service.engine.enqueue("plain", "task", {"number": 60})
    await page.until(f"{count} === '61'")
    assert await page.run(places) == before
    field = "document.activeElement.name, document.activeElement.value, document.activeElement.selectionStart"
    assert await page.run(f"[{field}, document.activeElement.selectionEnd]") == [
        "columns",
        f"{wide}lon",
        2,
        5,
    ]


async def test_every_page_works_below_a_path_and_asks_for_nothing_outside_it(
    page: Page, settings: Settings
) -> None:
    async with running(settings(base_path="/a/b")) as service:
        await service.engine.enqueue("work", "task", {"a": 1})
        await page.open(f"{service.url}/a/b")
        await page.until(LIVE)
        for at in PAGES:
            await page.run(f"location.hash = '#/{at}'")
            await page.until(SHOWN)
        asked = await page.run("performance.getEntriesByType('resource').map(({ name }) => name)")
        assert len(asked) > len(PAGES)
        assert [url for url in asked if not url.startswith(f"{service.url}/a/b/")] == []


async def test_a_page_that_is_lost_dims_and_says_how_old_it_is(page: Page, settings: Settings) -> None:
    async with running(settings(feed_interval=0.1)) as service:
        await page.open(f"{service.url}/")
        await page.until(LIVE)
        assert await page.text("#freshness") == "live"
    await page.until("document.querySelector('#freshness[data-tone=bad]')")
    await page.until("/^[3-9] s old$/.test(document.getElementById('freshness').innerText)")
    await page.until("Number(getComputedStyle(document.getElementById('main')).opacity) < 0.6")
