"""What axe-core finds that people with disabilities could not use: nothing, on every page and in every dialog."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

import pytest

from ..rig import ON_ONE_SERVER
from .browser import Page
from .conftest import Service
from .pages import LIVE, PAGES, SHOWN

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

AXE: Final = files("axe_playwright_python").joinpath("axe.min.js").read_text()
LOOK: Final = """axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"],
    rules: { "target-size": { enabled: true } }, resultTypes: ["violations"],
}).then(({ violations }) => violations.map(({ id, help, nodes }) =>
    `${id}: ${help}: ${nodes.map(({ html, any }) => `${html.slice(0, 160)} ${any[0]?.message ?? ""}`).join(" | ")}`))"""


async def violations(page: Page, at: str) -> list[str]:
    """What axe-core finds on the page as it is, with the name of the page."""
    if not await page.run("'axe' in window"):
        await page.run(AXE + "; null")
    return [f"{at}: {each}" for each in await page.run(LOOK)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
async def test_no_page_has_what_people_with_disabilities_cannot_use(
    page: Page, busy: Service, scheme: str, width: int
) -> None:
    job = (await busy.engine.queue("work").jobs("failed")).items[0]
    await page.open(f"{busy.url}/", scheme=scheme, width=width)
    await page.until(LIVE)
    found: list[str] = []
    for at in (*PAGES, f"queues/work/jobs/{job.id}", "nowhere"):
        await page.run(f"location.hash = '#/{at}'")
        await page.until(SHOWN)
        found += await violations(page, at)
    await page.open(f"{busy.url}/api/docs", scheme=scheme, width=width)
    await page.until("document.querySelectorAll('.route').length")
    found += await violations(page, "api/docs")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_dialog_has_what_people_with_disabilities_cannot_use(
    page: Page, busy: Service, scheme: str
) -> None:
    job = (await busy.engine.queue("work").jobs("failed")).items[0]
    await page.open(f"{busy.url}/#/queues/work/jobs/{job.id}", scheme=scheme)
    await page.until(SHOWN)
    found: list[str] = []
    for act in ("Retry", "Retry with another payload", "Delete"):
        await page.click(act, ".head")
        await page.run("document.querySelector('dialog details').open = true")
        found += await violations(page, act)
        await page.click("Not now", "dialog")
    await page.press("?")
    found += await violations(page, "?")
    await page.press("Escape")
    await page.press("k", ctrl=True)
    await page.type("work")
    found += await violations(page, "Ctrl K")
    assert not found, "\n".join(found)
