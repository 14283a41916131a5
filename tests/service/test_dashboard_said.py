"""What the dashboard says is so: commands can be typed, what is not known is not shown as nothing, and what a key may
not do is not offered."""

from __future__ import annotations

import json
import shlex

import click
import pytest
from streamq_service.http.auth import Scope
from streamq_service.http.made_keys import MadeKeys
from streamq_service.messaging import CHANNELS

from streamq.cli import main

from ..rig import ON_ONE_SERVER
from .browser import Page
from .conftest import Service, working
from .pages import LIVE, PAGES, SHOWN

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

ODD = ["sms", "--help", "-x", "-", "--", "it's", "$(id)", "a b"]
ACTS = "streamq (?!(job|queue|schedule|group|workers|errors) (get|ls) )|-X (POST|PUT|PATCH|DELETE)"
ALERT = "document.querySelector('main [role=alert]')"


async def with_key(page: Page, service: Service, scope: Scope, *queues: str) -> None:
    _, text = await MadeKeys(service.engine).create(scope, queues=list(queues))
    await page.open(f"{service.url}/")
    await page.fill("key", text)
    await page.click("Continue", "dialog")
    await page.until(LIVE)


async def made(page: Page, script: str, call: str) -> str:
    """The text that a function of a script of the page makes."""
    return str(await page.run(f"import('./static/{script}.js').then((all) => all.{call})"))


async def test_twins_name_what_they_are_for_whatever_its_name(page: Page, service: Service) -> None:
    await page.open(f"{service.url}/")
    await page.until(LIVE)
    context = click.Context(main)
    group = main.get_command(context, "job")
    assert isinstance(group, click.Group)
    cancel = group.get_command(context, "cancel")
    assert cancel is not None
    for queue in ODD:
        for job in ODD:
            words = ", ".join(map(json.dumps, ("job", "cancel", queue, job)))
            typed = await made(page, "action", f"command({words}, {{ reason: '-y' }})")
            parsed, *_ = cancel.make_parser(click.Context(cancel)).parse_args(shlex.split(typed)[3:])
            given = {name: value for name, value in parsed.items() if value is not None}
            assert given == {"queue": queue, "job_id": job, "reason": "-y"}


@pytest.mark.parametrize("size", [0, 1, 2, 1000])
async def test_one_is_one_and_more_are_more(page: Page, service: Service, size: int) -> None:
    await page.open(f"{service.url}/")
    await page.until(LIVE)
    for act in ("purge", "drain"):
        said = await made(page, "steering", f"{act}('q', {size}).note")
        one = "1 job or record is" if act == "purge" else "1 job that waits is"
        many = "jobs and records are" if act == "purge" else "jobs that wait are"
        assert (one if size == 1 else f"{size:,} {many}") in said


async def test_what_a_key_to_read_may_not_do_is_offered_nowhere(page: Page, busy: Service) -> None:
    failed = (await busy.engine.queue("work").jobs("failed")).items[0]
    waiting = (await busy.engine.queue("work").jobs("waiting")).items[0]
    await with_key(page, busy, Scope.READ)
    await page.until("!document.querySelector('#pages').innerText.includes('New job')")
    for at in (*PAGES, f"queues/work/jobs/{failed.id}", f"queues/work/jobs/{waiting.id}"):
        await page.run(f"location.hash = '#/{at}'")
        await page.until(SHOWN)
        offered = await page.run(
            "[...document.querySelectorAll('main :is(form, [data-act], [type=checkbox], .twins, a[href^=\"#/new\"])'),"
            f" ...[...document.querySelectorAll('main .twin code')].filter((each) => /{ACTS}/.test(each.title))]"
            ".map((each) => each.outerHTML)"
        )
        assert offered == [], at


async def test_a_key_for_some_queues_is_told_of_these_alone_that_all_is_well(
    page: Page, service: Service
) -> None:
    async with working(service.engine):
        await service.engine.enqueue("secret", "task", 1)
        await with_key(page, service, Scope.READ, CHANNELS[0].queues[0])
        await page.shows("All is well in your queues.", ".health")


@pytest.mark.parametrize("since", ["99y", "-1h", "soon", "0", "1h1h"])
async def test_an_address_that_cannot_be_read_says_so_and_shows_nothing_as_none(
    page: Page, service: Service, since: str
) -> None:
    await service.engine.enqueue("orders", "task", 1)
    await page.open(f"{service.url}/#/?since={since}")
    await page.until(LIVE)
    await page.until(f"{ALERT} && document.querySelector('.tiles [data-state=completed]')")
    assert "since" in await page.text("main [role=alert]")
    for state in ("completed", "failed"):
        assert await page.text(f".tiles [data-state={state}] strong") == "\u2013"
    assert "All is well" not in await page.text("main")
    for at in ("queues/orders", "workspaces"):
        await page.run(f"location.hash = '#/{at}?since={since}'")
        await page.until(SHOWN)
        await page.until(ALERT)


async def test_a_dialog_says_that_the_server_is_away_and_forgets_it_when_it_is_back(
    page: Page, service: Service
) -> None:
    await service.engine.enqueue("orders", "task", 1)
    await page.open(f"{service.url}/#/queues/orders")
    await page.click("Pause", ".head")
    await page.call("Network.enable")
    link = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    await page.call("Network.emulateNetworkConditions", offline=True, **link)
    await page.click("Pause", "dialog")
    await page.shows("The server does not answer.", "dialog")
    assert "Failed to fetch" not in await page.text("body")
    assert ".." not in await page.text("#banner")
    await page.call("Network.emulateNetworkConditions", offline=False, **link)
    await page.until("!document.querySelector('dialog .error')")
    await page.click("Pause", "dialog")
    await page.until("!document.querySelector('dialog[open]')")


@pytest.mark.parametrize("width", [320, 1280])
async def test_words_are_apart_and_the_states_begin_where_the_page_does(
    page: Page, service: Service, width: int
) -> None:
    await service.engine.enqueue("orders", "task", 1)
    await page.open(f"{service.url}/#/queues/orders", width=width)
    await page.shows("created ", "main")
    await page.run("location.hash = '#/queues/orders/jobs'")
    left = "document.querySelector('{}').getBoundingClientRect().left"
    await page.until("document.querySelector('.states a')")
    assert await page.run(f"{left.format('.states a')} >= {left.format('main h1')}")
