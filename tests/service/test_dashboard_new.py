"""A new job from the page: a form that its task's schema makes, the same as JSON, options, twins, and its own page."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Literal

import pytest
from pydantic import BaseModel, Field
from streamq_service.settings import ServiceSettings

from streamq import App

from ..rig import ON_ONE_SERVER
from .browser import Page
from .conftest import Service, running
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

    async with running(settings(feed_interval=0.1), app) as service:
        yield service


async def write(page: Page, name: str, text: str) -> None:
    """Into the field of the payload at a place."""
    field = f"document.querySelector('#new [name=\"payload{name}\"]')"
    await page.until(field)
    event = f"{field}.value = {json.dumps(text)}; {field}.dispatchEvent(new Event('EVENT', {{bubbles: true}}))"
    await page.run(";".join(event.replace("EVENT", each) for each in ("input", "change")))


async def raw(page: Page) -> object:
    return json.loads(str(await page.run("document.querySelector('[name=raw]').value")))


async def test_a_job_is_made_from_the_form_of_its_task(page: Page, orders: Service) -> None:
    await page.open(f"{orders.url}/#/queues/orders")
    await page.until(LIVE)
    await orders.engine.queue("orders").pause("not yet")
    await page.click("New job")
    await page.fill("task", "ship")
    await write(page, "/number", str(LARGE))
    await write(page, "/weight", "1.50")
    await write(page, "/kind", '"plain"')
    await write(page, "/to/street", "5")
    await page.run("document.querySelector('#new [aria-label=\"Add one to lines\"]')?.click()")
    await page.click("Fill in", "#new")
    await write(page, "/bill_to/street", "<b>Main</b>")
    assert await raw(page) == {"number": LARGE, "weight": 1.5, "kind": "plain", "to": {"street": "5"},
        "bill_to": {"street": "<b>Main</b>"}}  # fmt: skip
    assert '"weight": 1.50' in await page.run("document.querySelector('[name=raw]').value")
