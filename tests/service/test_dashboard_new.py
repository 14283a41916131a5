"""A new job from the page: a form that its task's schema makes, the same as JSON, options, twins, and its own page."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field
from streamq_service.settings import ServiceSettings

from streamq import App

from ..rig import ON_ONE_SERVER
from .browser import Page
from .conftest import Service, running, working
from .pages import LIVE

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

LARGE = 9007199254740993


class Address(BaseModel):
    """Where to."""

    street: str
    floor: int | None = None


class Line(BaseModel):
    """What is ordered."""

    article: str
    pieces: int = Field(default=1, ge=1)


class Order(BaseModel):
    """An order of the shop."""

    number: int
    weight: float
    kind: Literal["gift", "plain"]
    express: bool = False
    note: str | None = None
    to: Address
    bill_to: Address | None = None
    lines: list[Line] = Field(default_factory=list)
    tags: dict[str, str] = Field(default_factory=dict)


@pytest.fixture
async def orders(settings: Callable[..., ServiceSettings]) -> AsyncIterator[Service]:
    """A service with a task whose payload has something of everything."""
    app = App(settings())

    @app.task(queue="orders")
    async def ship(given: Order) -> int:
        return given.number

    @app.task(queue="orders")
    async def either(given: int | str) -> None: ...

    @app.task(queue="orders")
    async def two(a: int, b: str = "q") -> None: ...

    @app.task(queue="orders")
    async def pack(given: Any) -> Any:
        return given

    async with running(settings(feed_interval=0.1), app) as service:
        await service.engine.queue("orders").pause("not yet")
        async with working(service.engine):
            yield service


async def write(page: Page, name: str, text: str) -> None:
    """Into the field of the payload at a place."""
    field = f"document.querySelector('#new [name=\"payload{name}\"]')"
    await page.until(field)
    event = (
        f"{field}.value = {json.dumps(text)}; {field}.dispatchEvent(new Event('EVENT', {{bubbles: true}}))"
    )
    await page.run(";".join(event.replace("EVENT", each) for each in ("input", "change")))


async def raw(page: Page) -> object:
    return json.loads(str(await page.run("document.querySelector('[name=raw]').value")))


async def test_a_job_is_made_from_the_form_of_its_task(page: Page, orders: Service) -> None:
    await page.open(f"{orders.url}/#/queues/orders")
    await page.until(LIVE)
    await page.click("New job")
    await page.fill("task", "ship")
    await write(page, "/number", str(LARGE))
    await write(page, "/weight", "1.50")
    await write(page, "/kind", '"plain"')
    await write(page, "/to/street", "5")
    await page.click("Fill in", "#new")
    await write(page, "/bill_to/street", "<b>Main</b>")
    assert await raw(page) == {"number": LARGE, "weight": 1.5, "kind": "plain", "to": {"street": "5"},
        "bill_to": {"street": "<b>Main</b>"}}  # fmt: skip
    assert '"weight": 1.50' in await page.run("document.querySelector('[name=raw]').value")
    await page.click("Begin the list", "#new")
    await page.click("Add one to", "#new")
    await write(page, "/lines/0/article", "chair")
    await write(page, "/lines/0/pieces", "0")
    await page.click("Enqueue")
    await page.until("document.activeElement.name === 'payload/lines/0/pieces'")
    await page.shows("greater than or equal to 1", "#new .item")
    await write(page, "/lines/0/pieces", "2")
    await page.click("Enqueue")
    await page.shows("Why it does not run", "main")
    job = (await orders.engine.queue("orders").jobs("waiting")).items[0]
    sent: Any = job.payload
    assert (job.task, sent["number"], sent["lines"]) == ("ship", LARGE, [{"article": "chair", "pieces": 2}])


@pytest.mark.parametrize(
    ("task", "payload", "said"),
    [
        ("either", "null", "valid integer"),
        ("two", '{"a": 1, "zzz": 3}', "zzz"),
        ("two", '{"a": {"b": 1}}', "valid integer"),
        (
            "ship",
            '{"number": 1, "weight": 1, "kind": "gift", "to": {"street": "s"}, "tags": {"a": 1}}',
            "valid string",
        ),
        ("ship", '{"number": 1, "weight": 1, "kind": "gift", "to": 5}', "Input should be an object"),
    ],
)
async def test_whatever_the_server_refuses_of_a_payload_is_said(
    page: Page, orders: Service, task: str, payload: str, said: str
) -> None:
    await page.open(f"{orders.url}/#/new?task={task}")
    await page.until("document.querySelector('#new [name^=payload]')")
    await page.fill("raw", payload)
    await page.click("Enqueue")
    await page.shows(said, "#new")


async def test_a_job_of_a_task_without_a_schema_is_written_as_json(page: Page, orders: Service) -> None:
    await page.open(f"{orders.url}/#/new?task=pack")
    await page.shows("Nobody has told what its payload is made of", "main")
    await page.fill("raw", '{"number": 9007199254740993, ')
    await page.click("Enqueue")
    await page.until("document.querySelector('[name=raw][aria-invalid]')")
    await page.fill("raw", '{"number": 9007199254740993}')
    await page.fill("attempts", "0")
    await page.click("Enqueue")
    await page.until("document.querySelector('#new [name=attempts][aria-invalid]')")
    await page.fill("attempts", "2")
    twin = "streamq job enqueue orders pack --payload '{\"number\":9007199254740993}' --attempts 2"
    assert twin in await page.text("#new details")
    await page.click("Enqueue")
    await page.shows("pack", "main h1")
    job = (await orders.engine.queue("orders").jobs("waiting")).items[0]
    assert (job.task, job.payload) == ("pack", {"number": LARGE})
    assert str(LARGE) in await page.text("main")


async def test_a_form_for_no_task_yet_says_what_to_do_and_nothing_wrong(page: Page, service: Service) -> None:
    await page.open(f"{service.url}/#/new")
    await page.shows("Choose a task, or write the name of one.", "main")
    assert await page.run("document.querySelector('[name=raw]').value") == "null"
    assert not await page.run("document.querySelector('main :is([aria-invalid], .error)')")
