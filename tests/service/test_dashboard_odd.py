"""In a real browser: names and errors that attack who reads them, addresses that play tricks, items told twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web
from streamq_service.settings import ServiceSettings

from streamq import App

from ..rig import ON_ONE_SERVER, until
from .browser import Page
from .conftest import Service, running, working
from .pages import LIVE, SHOWN
from .test_dashboard_pages import answering

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

ATTACK = (
    "\u202egnp.exe\u2066 <img src=x onerror=\"document.title='taken'\">"
    "<script>document.title='taken'</script>\x1b[31m"
)
GROUP = "<img/src=x><script>document.title=1</script>"
HIDDEN = "\u202e\u2066\x1b"


@pytest.fixture
async def attacked(settings: Callable[..., ServiceSettings]) -> AsyncIterator[Service]:
    """A service whose job has an attack in its group, its payload, its error, its traceback and its log."""
    app = App(settings())

    @app.task(queue="work", attempts=1)
    async def tell(given: str) -> None:
        raise ValueError(given)

    async with running(settings(feed_interval=0.1), app) as service:
        yield service


async def _nothing_was_taken(page: Page) -> None:
    seen = str(
        await page.run("document.body.innerText + document.documentElement.outerHTML + document.title")
    )
    assert not [each for each in HIDDEN if each in seen]
    assert await page.run("document.querySelectorAll('body :is(script, main img)').length") == 0
    assert "taken" not in await page.run("document.title")
    assert page.complaints == []


async def test_what_an_error_a_task_and_a_group_are_called_is_text_on_every_page(
    page: Page, attacked: Service
) -> None:
    await attacked.engine.enqueue("work", "tell", ATTACK, group=GROUP)
    other = await attacked.engine.enqueue("work", "<b>task</b>", ATTACK)
    async with working(attacked.engine):
        await until(lambda: _one_has_failed(attacked.engine))
    job = (await attacked.engine.queue("work").jobs("failed")).items[0]
    for at in (
        "failures", "queues/work/jobs", f"queues/work/jobs/{job.id}", f"queues/work/jobs/{other.id}", "queues/work",
        "queues/work/groups", f"queues/work/groups/{quote(GROUP, safe='')}", "activity?part=audit", "",
    ):  # fmt: skip
        await page.open(f"{attacked.url}/#/{at}")
        await page.until(f"{LIVE} && {SHOWN}")
        await _nothing_was_taken(page)
    await page.open(f"{attacked.url}/#/queues/work/jobs/{job.id}")
    await page.shows("\\u202egnp.exe", ".health")
    for act in ("Retry", "Retry with another payload"):
        await page.click(act, ".head")
        await page.run("document.querySelector('dialog details').open = true")
        assert await page.run("document.querySelectorAll('dialog :is(script, img)').length") == 0
        await page.click("Not now", "dialog")
    assert "taken" not in await page.run("document.title")


async def _one_has_failed(engine: App) -> bool:
    return (await engine.queue("work").counts()).failed == 1


TRICKS = (
    "queues/..", "queues/%2e%2e", "queues/../jobs", "queues/work/jobs/..%2F..%2Fpurge", "queues/work/jobs/..",
    "queues/work/groups/..", "schedules/..", "//example.com/", "javascript:alert(1)", "queues/%ZZ", "queues/a%00b",
    "queues/work/jobs?state=__proto__&q=%22&columns=__proto__,toString&cursor=../..", "queues/work/jobs?state=%3Cb%3E",
    "?since=1e9y", "workspaces?since=%2F..", "messaging/__proto__", "messaging/..", "queues/%E2%80%AEkcehc",
    "queues/" + "x" * 5000, "queues/a/b/c/d/e/f", "%2F%2Fexample.com", "queues?order=constructor",
)  # fmt: skip


async def test_an_address_that_plays_tricks_leads_nowhere_and_asks_for_nothing_else(
    page: Page, service: Service
) -> None:
    await page.open(f"{service.url}/")
    await page.until(LIVE)
    for at in TRICKS:
        await page.run(f"location.hash = {('#/' + at)!r}")
        await page.until("document.querySelector('main h1')")
        await page.until("document.getElementById('main').ariaBusy === 'false'")
        assert await page.run("location.origin") == service.url
        assert "cannot be shown: what the server told is odd" not in await page.text("main"), at
    asked = await page.run("performance.getEntriesByType('resource').map((each) => each.name)")
    assert [
        each for each in asked if not each.startswith((f"{service.url}/api/v1/", f"{service.url}/static/"))
    ] == []
    paths = {each.removeprefix(f"{service.url}/api/v1/").split("?")[0] for each in asked}
    assert not paths & {"", "queues", "jobs", "queues/purge", "queues/work/purge", "schedules/", "queues/"}
    assert [each for each in page.complaints if "status of 4" not in each] == []


async def test_acts_on_a_name_of_dots_go_nowhere_else(page: Page, service: Service) -> None:
    await service.engine.enqueue("work", "task", 1)
    await page.open(f"{service.url}/#/")
    script = """import("./static/api.js").then(({ address, groupAt, jobAt, queueAt, scheduleAt }) =>
        ["..", "."].flatMap((name) => [groupAt("work", name) + "/pause", jobAt("work", name) + "/retry",
            queueAt(name) + "/purge", scheduleAt(name) + "/run"]).map(address))"""
    for at in await page.run(script):
        async with service.http.post(at, json={}) as answer:
            assert answer.status in {404, 422}, at
    assert (await service.get("/api/v1/queues/work"))[2]["paused"] is None


TWO: tuple[Any, ...] = (
    {
        "id": "1-0",
        "name": "same",
        "queue": "work",
        "fingerprint": "f",
        "state": "failed",
        "payload": 1,
        "task": "one",
    },
    {
        "id": "1-0",
        "name": "same",
        "queue": "work",
        "fingerprint": "f",
        "state": "failed",
        "payload": 2,
        "task": "two",
    },
)


async def test_items_of_the_same_id_are_all_shown_however_often_it_is_drawn(
    page: Page, server_kind: str
) -> None:
    async with answering(lambda _request: web.json_response({"data": [*TWO, None, *TWO]})) as url:
        for at, rows in (
            ("queues/work/jobs", "main tbody tr"), ("workers", "main tbody tr"), ("schedules", "main tbody tr"),
            ("queues/work/groups", "main tbody tr"), ("failures", "main .cards > li"),
        ):  # fmt: skip
            await page.open(f"{url}/#/{at}")
            for _ in range(3):
                await page.until(f"document.querySelectorAll('{rows}').length === 5")
                await page.run(
                    "dispatchEvent(new Event('resize')), new Promise((done) => setTimeout(done, 50))"
                )
    assert page.complaints == []
