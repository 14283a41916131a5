"""Charts: a part of the time seen larger, what began meanwhile, gaps, units, and the same as a table."""

from __future__ import annotations

import pytest

from ..rig import ON_ONE_SERVER
from .browser import Page
from .conftest import Service
from .pages import LIVE, SHOWN

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

DRAG = """((from, to) => {
    const plot = document.querySelector(".plot svg"), box = plot.getBoundingClientRect();
    const tell = (type, share) => plot.dispatchEvent(new PointerEvent(type,
        { clientX: box.left + share * box.width, clientY: box.top + 9, bubbles: true }));
    tell("pointerdown", from), tell("pointermove", to), tell("pointerup", to);
})"""
POINTS = "document.querySelectorAll('.chart tbody tr').length"


async def test_a_part_of_the_time_is_seen_larger_by_dragging_and_by_keys(page: Page, busy: Service) -> None:
    await page.open(f"{busy.url}/?a#/")
    await page.until(f"{LIVE} && {SHOWN} && document.querySelector('.plot svg')")
    await page.run(f"{DRAG}(0.5, 0.75)")
    await page.until("location.hash.includes('zoom=')")
    await page.click("Table", ".chart")
    await page.until(POINTS)
    few = int(await page.run(POINTS))
    assert 5 < few < 40
    await page.click("All of the time", ".chart")
    await page.until(f"{POINTS} > {2 * few} && !location.hash.includes('zoom')")
    await page.run("document.querySelector('.plot svg').focus()")
    await page.press("ArrowRight", "+")
    await page.until("location.hash.includes('zoom=')")
    await page.run("document.querySelector('.plot svg').focus()")
    await page.press("-")
    await page.until("!location.hash.includes('zoom')")
    assert page.complaints == []


MARKED = """Promise.all(["page", "chart", "render"].map((name) => import(`./static/${name}.js`)))
    .then(([{ page }, { chart }, { h, patch }]) => {
        const times = [0, 1, 2, 3, 4].map((each) => new Date(60_000 * each).toISOString());
        const workers = [["2.0", 130], ["1.0", 0], ["2.0", 190]].map(([version, at]) =>
            ({ version, started_at: new Date(1000 * at).toISOString() }));
        const series = [{ title: "one", tone: "good", values: [1, null, 3, 4, null] }];
        Object.defineProperty(page.live, "workers", { value: [...workers, null, {}] });
        const place = document.createElement("div");
        patch(place, chart({ name: "Rate", times, series, said: (value) => `${value ?? "no"} /s` }));
        return ["mark", "deployed", "line"].map((name) =>
            [...place.querySelectorAll(`.${name}`)].map((each) => each.getAttribute("d") ?? each.textContent))
            .concat([[...place.querySelectorAll(".scale span")].map((each) => each.textContent)]);
    })"""


async def test_another_version_is_marked_where_it_began_and_no_value_is_a_gap(
    page: Page, service: Service
) -> None:
    await page.open(f"{service.url}/")
    await page.until(LIVE)
    marks, lines, (line, dots), scale = await page.run(MARKED)
    assert [mark.split(" since ")[0] for mark in marks] == ["2.0"]
    assert lines == ["M300.0 0v120"]
    assert line.count("M") == 1
    assert dots == "M0.0 96.0h.01", "a value between two gaps"
    assert scale == ["5 /s", "2.5 /s", "0"]
