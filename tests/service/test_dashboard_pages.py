"""Every page of the dashboard, in a real browser: in both themes and three widths, and whatever the API answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from streamq_service.http.marks import MARKS
from streamq_service.http.serve import address, bind, serving
from streamq_service.settings import ServiceSettings

from streamq import App

from ..rig import ON_ONE_SERVER
from .browser import Page
from .conftest import Service, running
from .pages import PAGES, SHOWN
from .test_dashboard import STATIC

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

TWICE = """[...document.querySelectorAll("[id]")].map((each) => each.id)
    .filter((id, place, all) => all.indexOf(id) !== place)"""
UNNAMED = """[...document.querySelectorAll("button, a, input, textarea, select, [role=img]")].filter((each) =>
    !(each.innerText?.trim() || each.ariaLabel || each.labels?.length || each.title)).map((each) => each.outerHTML)"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_fits_any_width_names_what_can_be_used_and_complains_of_nothing(
    page: Page, busy: Service, scheme: str
) -> None:
    found = (await busy.engine.queue("work").jobs("failed")).items[0]
    await page.open("about:blank")
    for width in (375, 768, 1280):
        await page.open(f"{busy.url}/", width=width, scheme=scheme)
        await page.until("document.querySelector('#freshness[data-tone=good]')")
        for at in (*PAGES, f"queues/work/jobs/{found.id}", "nowhere"):
            await page.run(f"location.hash = '#/{at}'")
            await page.until(SHOWN)
            assert await page.run(
                "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            ), (at, width)
            assert await page.run(UNNAMED) == [], at
            assert await page.run(TWICE) == [], at
    assert page.complaints == []


ODD: tuple[object, ...] = (
    {}, {"data": None}, {"data": [None, 1, "x", [], {}]}, [], None,
    {"data": [{"name": None, "queue": 7, "counts": "x", "points": [None], "total": [], "history": 3, "error": "e"}]},
    {"id": {}, "state": "odd", "payload": None, "history": [None], "error": {}, "created_at": 5, "counts": None},
)  # fmt: skip


@asynccontextmanager
async def answering(api: Callable[[web.Request], web.Response]) -> AsyncIterator[str]:
    """The dashboard before an API of the test's own; its address."""

    async def asked(request: web.Request) -> web.Response:
        if request.path.endswith("/events"):
            odd = {"queues": {"work": None, "q": {"waiting": "x"}}, "workers": [None, {}], "paused": 3}
            body = f"event: snapshot\ndata: {json.dumps(odd)}\n\n".encode()
            return web.Response(body=body, content_type="text/event-stream")
        return api(request)

    async def file(request: web.Request) -> web.FileResponse:
        return web.FileResponse(STATIC / request.match_info.get("name", "index.html"), headers=MARKS)

    app = web.Application()
    app.router.add_get("/api/v1/{path:.*}", asked)
    app.router.add_get("/static/{name}", file)
    app.router.add_get("/", file)
    with bind("127.0.0.1", 0) as listener:
        async with serving(app, listener, quiet=True):
            yield address(listener)


@pytest.mark.parametrize("answer", ODD)
async def test_no_answer_of_the_api_breaks_a_page(page: Page, server_kind: str, answer: object) -> None:
    async with answering(lambda _request: web.json_response(answer)) as url:
        await page.open(f"{url}/")
        await page.until("document.querySelector('main h1')")
        for at in (*PAGES, "queues/work/jobs/1-0"):
            await page.run(f"location.hash = '#/{at}'")
            await page.until(SHOWN)
            shown = await page.text("main")
            assert "cannot be shown: what the server told is odd" not in shown, at
    assert page.complaints == []


async def test_numbers_of_any_size_and_shape_are_read_and_written_as_they_came(
    page: Page, service: Service
) -> None:
    text = '{"a":[9007199254740993,-0,1.0,1e400,0.1,12345678901234567890.123],"__proto__":{"b":null},"":"é"}'
    await page.open(f"{service.url}/")
    reading = "import('./static/exact.js').then(({ parse, write })"
    assert await page.run(f"{reading} => write(parse({json.dumps(text)})))") == text
    for wrong in ("", "{", "[1,]", "[1 2]", '{"a" 1}', '{"a":1,}', "01", "nul", "[1]]", '"\n"'):
        script = f"{reading} => parse({json.dumps(wrong)})).then(() => 'read', (error) => error.name)"
        assert await page.run(script) == "SyntaxError", wrong


async def test_an_app_without_messages_shows_nothing_of_them(
    page: Page, settings: Callable[..., ServiceSettings]
) -> None:
    app = App(settings())

    @app.task(queue="sums")
    async def add(number: int) -> int:
        return number

    async with running(settings(), app) as service:
        await page.open(f"{service.url}/")
        await page.until("document.querySelector('#freshness[data-tone=good]')")
        await page.shows("sums", "main")
        assert "Messaging" not in await page.text("#pages")
        await page.open(f"{service.url}/#/messaging")
        await page.shows("sends no messages", "main")
