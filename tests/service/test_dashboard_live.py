"""The dashboard while it is looked at: what moves and what stays, by the keyboard, with a key, without the server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamq_service.settings import ServiceSettings

from ..rig import ON_ONE_SERVER
from ..servers import Server
from .browser import Page
from .conftest import Service, running

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

LIVE = "document.querySelector('#freshness[data-tone=good]')"
Settings = Callable[..., ServiceSettings]


async def test_a_refresh_leaves_focus_selection_and_elements_as_they_are(
    page: Page, service: Service
) -> None:
    for number in range(3):
        await service.engine.enqueue("plain", "task", {"number": number})
    await page.open(f"{service.url}/#/queues/plain/jobs?state=waiting")
    await page.until("document.querySelectorAll('tbody tr').length === 3")
    await page.run("window.row = document.querySelectorAll('tbody tr')[2]; row.querySelector('a').focus()")
    await page.run("getSelection().selectAllChildren(row.querySelector('.text'))")
    chosen = await page.run("getSelection().toString()")
    await service.engine.enqueue("plain", "task", {"number": 3})
    await page.until("document.querySelectorAll('tbody tr').length === 4")
    assert await page.run("row.isConnected && row.contains(document.activeElement)")
    assert await page.run("getSelection().toString()") == chosen != ""


async def test_what_is_frozen_stands_still_until_it_goes_on(page: Page, service: Service) -> None:
    await service.engine.enqueue("plain", "task", 1)
    count = "document.querySelector('a.count[data-state=waiting]')?.innerText"
    await page.open(f"{service.url}/#/queues?q=plain")
    await page.until(f"{count} === '1'")
    await page.press(".")
    await page.shows("frozen", "#freshness")
    await service.engine.enqueue("plain", "task", 2)
    await page.until("parseFloat(document.getElementById('freshness').innerText.split(' ')[1]) >= 3")
    assert await page.run(count) == "1"
    await page.press(".")
    await page.until(f"{count} === '2'")


async def test_a_person_finds_and_cancels_a_job_by_the_keyboard_alone(page: Page, service: Service) -> None:
    job = await service.engine.enqueue("plain", "task", {"a": 1}, delay=600)
    await page.open(f"{service.url}/")
    await page.until(LIVE)
    await page.press("?")
    await page.shows("go to a page", "dialog")
    await page.press("Escape")
    await page.press("g", "q")
    await page.until("document.querySelector('main [type=search]')")
    await page.press("/")
    await page.until("document.activeElement.type === 'search'")
    await page.type("plain")
    await page.until("document.querySelectorAll('tbody tr').length === 1")
    await page.press("k", ctrl=True)
    await page.type(job.id)
    await page.shows("Find the job", "dialog")
    await page.press("Enter")
    await page.shows("In a terminal")
    await page.until("[...document.querySelectorAll('button')].find((each) => each.innerText === 'Cancel')")
    while await page.run("document.activeElement.innerText") != "Cancel":
        await page.press("Tab")
    await page.press("Enter")
    await page.until("document.activeElement.name === 'reason'")
    await page.type("by hand")
    await page.press("Enter")
    await page.until("document.querySelector('.head .badge[data-state=cancelled]')")
    await page.press("g", "q")
    await page.until("document.querySelectorAll('tbody tr').length > 1")
    await page.press("j", "j")
    rows = "[...document.querySelectorAll('tbody tr')]"
    assert await page.run(f"{rows}.indexOf(document.activeElement.closest('tr'))") == 1
    assert page.complaints == []


async def test_a_wrong_key_is_said_in_the_dialog_and_a_reader_sees_no_buttons(
    page: Page, settings: Settings
) -> None:
    keys = "reader-of-sixteen=read,writer-of-sixteen=write"
    async with running(settings(api_keys=keys, base_path="/jobs")) as service:
        job = await service.engine.enqueue("plain", "task", {"a": 1}, delay=600)
        await page.open(f"{service.url}/jobs/#/queues/plain/jobs/{job.id}")
        await page.fill("key", "wrong-of-sixteen-x")
        await page.click("Continue", "dialog")
        await page.shows("does not know this key", "dialog")
        await page.fill("key", "reader-of-sixteen")
        await page.click("Continue", "dialog")
        await page.until(LIVE)
        await page.shows("read only", "#tools")
        await page.shows("Facts", "main")
        acts = "document.querySelectorAll('main [data-act]').length"
        assert await page.run(acts) == 0
        await page.run("sessionStorage.setItem('streamq-key', 'writer-of-sixteen')")
        await page.reload()
        await page.until(f"{acts} > 0")
        status, _, me = await service.get("/jobs/api/v1/me", Authorization="Bearer writer-of-sixteen")
        assert (status, me["scope"], me["actor"][:4]) == (200, "write", "key-")


async def test_a_server_that_is_lost_is_said_and_found_again_with_the_page_open(
    page: Page, own_server: Callable[..., Server], prefix: str
) -> None:
    server = own_server()
    settings = ServiceSettings(
        redis_url=server.url, prefix=prefix, connect_timeout=1, command_timeout=1, feed_interval=0.1
    )
    async with running(settings) as service:
        await page.open(f"{service.url}/")
        await page.until(LIVE)
        server.stop()
        await page.until("document.getElementById('main').classList.contains('stale')")
        await page.shows("Showing what was known", "#banner")
        server.start()
        await page.until(f"{LIVE} && !document.getElementById('main').classList.contains('stale')")
        assert await page.text("#banner") == ""
    await page.shows("The live connection was lost", "#banner")


async def test_the_first_page_says_what_is_wrong_and_leads_to_it(page: Page, service: Service) -> None:
    await service.engine.enqueue("unserved", "task", 1)
    await page.open(f"{service.url}/")
    await page.shows("No worker serves unserved: 1 job waits.", ".health")
    await page.click("No worker serves unserved: 1 job waits.")
    await page.until("location.hash === '#/queues/unserved'")
    await page.click("Table")
    await page.until("document.querySelectorAll('.chart tbody tr').length > 10")
    await page.run("document.querySelectorAll('.plot svg')[0].focus()")
    await page.press("ArrowRight")
    await page.until("document.querySelector('.chart .hovered').innerText.includes(':')")


WRONG = """import("./static/health.js").then(({ troubles }) => {
    const ago = (seconds) => new Date(Date.now() - 1000 * seconds).toISOString();
    const worker = { host: "one", queues: ["a", "b", "c"], takes_jobs: true, slots: 2, overdue: [{}],
    };
    const queues = new Map([["a", { waiting: 5, active: 2 }], ["b", { held: 1 }], ["c", {}], ["d", { waiting: 2 }]]);
    const overdue = new Map([["c", 2]]);
    const live = { trouble: "", queues, overdue, paused: new Map([["b", { reason: "tests" }]]), workers: [worker] };
    return troubles({
        live, oldest: { a: ago(700) }, stats: [{ queue: "c", completed: 100, failed: 10 }],
        recent: [{ queue: "c", completed: 50, failed: 10 }, { queue: "e", completed: 9 }], unknown: 2,
        schedules: [{ next_at: ago(120) }, { next_at: ago(900), paused: {} }],
        server: { troubles: [
            { tone: "bad", text: "It is full.", page: [] }, null,
            { tone: "warn", text: "It is late.", page: ["workers"] },
        ] },
    }).map(({ tone, text }) => `${tone}: ${text}`);
})"""


async def test_what_is_wrong_is_said_in_words_the_worst_first(page: Page, service: Service) -> None:
    await page.open(f"{service.url}/")
    await page.until(LIVE)
    assert await page.run(WRONG) == [
        "bad: It is full.",
        "bad: 2 delayed jobs are overdue: no worker and no scheduler runs them.",
        "bad: The oldest job of a has waited 12 min.",
        "bad: No worker serves d: 2 jobs wait.",
        "bad: 1 schedule is late by 2 min: no scheduler runs.",
        "warn: It is late.",
        "warn: b is paused: tests. 1 job waits.",
        "warn: All 2 slots are busy, and 7 jobs wait.",
        "warn: Failures rise in c: 10 of 60 (17 %) of late.",
        "warn: 1 handler on one runs past the time limit.",
        "warn: Of 2 messages nobody knows whether they were sent.",
    ]
