"""The dashboard without a mouse, with fingers, and in large print: all of it can be reached, seen and done."""

from __future__ import annotations

import pytest

from ..rig import ON_ONE_SERVER
from .browser import Page
from .conftest import Service, working
from .pages import LIVE, PAGES, SHOWN

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

IN_ONE_LINE = """(() => {
    const all = [...document.querySelectorAll(".brand, #menu, #pages a, #tools button, #freshness")];
    const boxes = all.map((each) => each.getBoundingClientRect()).filter(({ width }) => width);
    const middles = boxes.map(({ top, bottom }) => (top + bottom) / 2);
    const { clientWidth } = document.documentElement;
    return Math.max(...middles) - Math.min(...middles) < 8 && boxes.every(({ right }) => right <= clientWidth);
})()"""
"""Whether what stands in the head of the page stands in one line, and nothing of it is cut off."""
SMALL = """[...document.querySelectorAll("header :is(a, button), main :is(button, input, select, textarea, summary)")]
    .map((each) => [each, each.getBoundingClientRect()])
    .filter(([each, { width, height }]) => width && Math.min(width, height) < (each.type === "checkbox" ? 18 : 24))
    .map(([each]) => each.outerHTML.slice(0, 90))"""
"""What is smaller than a finger needs. (A box to be ticked has room around it, of which axe-core sees to.)"""
FOCUS = "document.activeElement"


@pytest.mark.parametrize("width", [375, 768, 1024, 1200, 1280, 1440, 1920])
async def test_the_head_of_the_page_is_one_line(page: Page, busy: Service, width: int) -> None:
    await page.open(f"{busy.url}/", width=width)
    await page.until(LIVE)
    await page.shows("Messaging", "body") if width > 1000 else None
    assert await page.run(IN_ONE_LINE)
    folded = await page.run("getComputedStyle(document.getElementById('pages')).display === 'none'")
    assert folded == (width < 1024)


async def test_on_a_phone_the_menu_is_used_with_a_finger(page: Page, busy: Service) -> None:
    await page.open(f"{busy.url}/", width=375)
    await page.until(LIVE)
    await page.click("Menu")
    assert await page.run(
        "[...document.querySelectorAll('#pages a')].every((a) => a.offsetHeight >= 44 && a.offsetWidth >= 100)"
    )
    await page.click("Failures", "#pages")
    await page.shows("Failures", "main h1")
    assert await page.run("document.getElementById('menu').ariaExpanded") == "false"
    await page.click("Menu")
    await page.run("document.querySelector('main').click()")
    assert await page.run("document.getElementById('pages').offsetHeight") == 0


async def test_on_a_narrow_screen_the_menu_is_used_with_the_keyboard(page: Page, busy: Service) -> None:
    await page.open(f"{busy.url}/", width=375)
    await page.until(LIVE)
    await page.run("document.getElementById('menu').focus()")
    await page.press("Enter", "Tab")
    assert await page.run(f"{FOCUS}.textContent") == "Overview"
    await page.press("Escape")
    assert await page.run(f"{FOCUS}.id") == "menu"
    assert await page.run("document.getElementById('pages').offsetHeight") == 0
    await page.press("Enter", "Tab", "Tab", "Enter")
    await page.shows("Queues", "main h1")
    await page.until(f"{FOCUS}.localName === 'h1'")


@pytest.mark.parametrize("width", [375, 1280])
async def test_whatever_is_pressed_is_large_enough_for_a_finger(
    page: Page, busy: Service, width: int
) -> None:
    await page.open(f"{busy.url}/", width=width)
    await page.until(LIVE)
    for at in PAGES:
        await page.run(f"location.hash = '#/{at}'")
        await page.until(SHOWN)
        assert await page.run(SMALL) == [], at


@pytest.mark.parametrize("width", [320, 640])  # 1280 pixels at 400 % and at 200 %
async def test_in_large_print_nothing_is_cut_off(page: Page, busy: Service, width: int) -> None:
    await page.open(f"{busy.url}/", width=width)
    await page.until(LIVE)
    for at in PAGES:
        await page.run(f"location.hash = '#/{at}'")
        await page.until(SHOWN)
        assert await page.run(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        ), at


async def test_who_wants_no_motion_sees_none(page: Page, busy: Service) -> None:
    await page.open(f"{busy.url}/")
    await page.until(LIVE)
    wish = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    await page.call("Emulation.setEmulatedMedia", features=wish)
    moving = """[...document.querySelectorAll("*")].filter((each) => {
        const { transitionDuration, animationName } = getComputedStyle(each);
        return transitionDuration !== "0s" || animationName !== "none";
    }).length"""
    assert await page.run(moving) == 0


async def test_a_failed_job_is_found_read_and_retried_without_a_mouse(page: Page, busy: Service) -> None:
    await page.open(f"{busy.url}/")
    await page.until(LIVE)
    await page.press("g", "f")
    await page.shows("ZeroDivisionError", "main")
    await page.until(f"{FOCUS}.localName === 'h1'")  # what is read out next is the page, not the link before
    await page.press("j", "Enter")
    await page.shows("Jobs of work", "main h1")
    await page.until("document.querySelectorAll('tbody tr').length === 1")
    await page.press("j", "Enter")
    await page.shows("Traceback", "main")
    await page.run("document.querySelector('[data-act=Retry]').focus()")
    await page.press("Enter")
    await page.until("document.getElementById('dialog').open")
    await page.press("Escape")
    assert await page.run(f"{FOCUS}.dataset.act") == "Retry"
    async with working(busy.engine):
        await page.press("Enter", "Enter")
        await page.shows("It waits again.", "#toasts")
        await page.until("document.querySelector('.head .badge[data-state=failed]')")
    assert page.complaints == []


async def test_anything_is_reached_by_its_name_and_the_focus_goes_back_where_nothing_is_chosen(
    page: Page, busy: Service
) -> None:
    await page.open(f"{busy.url}/#/queues")
    await page.until(LIVE)
    await page.press("/")
    assert await page.run(f"{FOCUS}.type") == "search"
    await page.press("k", ctrl=True)
    await page.press("Escape")
    assert await page.run(f"{FOCUS}.type") == "search"
    await page.press("k", ctrl=True)
    await page.type("sched")
    await page.press("Enter")
    await page.shows("Schedules", "main h1")
    await page.press("?")
    await page.shows("the next and the previous row", "dialog")
    await page.press("Escape")
    await page.until(f"{FOCUS}.localName === 'h1'")


async def test_on_a_phone_a_table_leaves_out_what_is_nought(page: Page, busy: Service) -> None:
    shown = "[...document.querySelectorAll('td')].filter((cell) => cell.offsetHeight && cell.innerText === '0').length"
    for width, is_there in ((1280, True), (375, False)):
        await page.open(f"{busy.url}/#/queues/work", width=width)
        await page.shows("work", "main tbody")
        assert bool(await page.run(shown)) == is_there
