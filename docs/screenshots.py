"""The pictures of the dashboard in ``docs/images/``: a small shop, at work for some minutes, looked at in a browser.

``python -m docs.screenshots [MINUTES] [SCHEME] [WIDTH] [FOLDER]``. It needs Chromium, and a server as tests have one.
"""

from __future__ import annotations

import asyncio
import base64
import linecache
import random
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel, Field
from streamq_service.app import build_app
from streamq_service.http.serve import address, bind, serving
from streamq_service.messaging import messaging_app
from streamq_service.run.up import Demo
from streamq_service.sandbox.provider import build_sandbox
from streamq_service.settings import SIMULATED, ServiceSettings

from streamq import App, Backoff, Context, Limit, Scheduler, Worker
from tests.servers import KINDS, Server, binary_of
from tests.service.browser import Page, find_browser, started, tab

from .source import ROOT

IMAGES: Final = ROOT / "docs" / "images"
TALLEST: Final = 1_000
"""Pixels of a picture: a page that is longer is cut."""
WORKSPACES: Final = (66338, 66339, 41207, "north-shop", "south-shop")
_CHANCE: Final = random.Random(7)  # noqa: S311 - nothing is kept secret by it
_WRITES: Final = ("Your parcel is on its way", "Your table is booked for eight", "Thank you for your order")


class Cover(BaseModel):
    """A picture to be made smaller."""

    name: str = Field(description="its file")
    width: int = Field(default=640, ge=16, description="pixels")
    kind: Literal["jpeg", "png", "webp"] = "webp"
    sharpen: bool = False
    credit: str | None = None
    tags: list[str] = Field(default_factory=list)


class Shop(NamedTuple):
    """What runs, and where its dashboard is."""

    url: str
    engine: App


def _elsewhere(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A handler whose tracebacks name no folder of this machine."""
    linecache.cache["/srv/shop.py"] = (1, None, linecache.getlines(__file__), "/srv/shop.py")
    handler.__code__ = handler.__code__.replace(co_filename="/srv/shop.py")
    return handler


def shop_app(settings: ServiceSettings) -> App:
    """The messages, and some work of a shop."""
    app = messaging_app(settings)
    app.limit("reports", groups=Limit(concurrency=2, rate="20/m"))

    @app.schedule(cron="0 6 * * *", zone="Europe/Berlin", name="daily-report", payload={"shop": "all"})
    @app.task(queue="reports", attempts=3)
    async def report(job: Context, asked: dict[str, Any]) -> dict[str, Any]:
        for part in range(5):
            job.progress(part / 5, f"sheet {part + 1} of 5")
            job.log(f"wrote sheet {part + 1} for {asked['shop']}")
            await asyncio.sleep(_CHANCE.uniform(0.05, 0.6))
        return {**asked, "checksum": 9007199254740993}

    @app.schedule(every="30s", name="stock", payload={"warehouse": "north"})
    @app.task(queue="imports", attempts=2, backoff=Backoff(base=0.2, most=1))
    @_elsewhere
    async def load(job: Context, row: dict[str, Any]) -> Any:
        await asyncio.sleep(_CHANCE.expovariate(20))
        job.log(f"{row['warehouse']}: {row.get('article', 'the whole stock')}")
        pieces = row.get("pieces", 0)
        if not str(pieces).isdigit():
            job.log("the pieces are no number", level="error")
            raise ValueError(f"pieces must be a number, not {pieces!r}")
        if _CHANCE.random() < 0.02:
            raise TimeoutError("the warehouse did not answer within 2 s")
        return pieces

    @app.task(queue="imports")
    async def stocktake(given: dict[str, float]) -> None:
        await asyncio.sleep(given["seconds"])

    @app.task(queue="pictures")
    async def shrink(_picture: Cover) -> None:
        await asyncio.sleep(0.1)

    return app


@asynccontextmanager
async def shop() -> AsyncIterator[Shop]:
    """The shop with its provider, at work."""
    binary = next(found for kind in KINDS if (found := binary_of(kind)))
    server = Server(binary, options=("--appendonly", "yes")).start()
    try:
        async with AsyncExitStack() as stack:
            provider, demo = stack.enter_context(bind("127.0.0.1", 0)), Demo.new()
            sandbox = build_sandbox(ledger=demo.ledger, reporting=demo.reporting)
            await stack.enter_async_context(serving(sandbox, provider, quiet=True))
            settings = ServiceSettings(
                redis_url=server.url, prefix="shop", sms_api_url=address(provider), email_api_url=address(provider),
                ai_api_url=SIMULATED, callback_private=True, sms_backoff=0.2, concurrency=40,
                sms_report_secret=demo.secret,
            )  # fmt: skip
            engine = await stack.enter_async_context(shop_app(settings))
            listener = stack.enter_context(bind("127.0.0.1", 0))
            await stack.enter_async_context(
                serving(build_app(engine, settings, inbox=demo.ledger), listener, quiet=True)
            )
            demo.reporting.url = f"{address(listener)}/api/v1/webhooks/sms"
            worker = Worker(engine, queues=[name for name in await engine.queues() if name != "pictures"])
            working = [asyncio.create_task(worker.run()), asyncio.create_task(Scheduler(engine).run())]
            yield Shop(address(listener), engine)
            worker.stop()
            await working[0]
            working[1].cancel()
            await asyncio.gather(*working, return_exceptions=True)
    finally:
        server.close()


async def bustle(engine: App, seconds: float) -> None:
    """Work of all kinds, more and less by turns."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        for _ in range(_CHANCE.randrange(2, 14)):
            await _something(engine)
        await asyncio.sleep(_CHANCE.uniform(0.1, 0.5))


async def _something(engine: App) -> None:
    kind = _CHANCE.random()
    whose = _CHANCE.choice(WORKSPACES)
    text = {"workspace_id": whose, "contact_id": f"contact-{_CHANCE.randrange(40)}"}
    if kind < 0.5:
        message = {"to": f"+1555010{_CHANCE.randrange(100):02}", "message": _CHANCE.choice(_WRITES), **text}
        await engine.enqueue("send-sms-queue", "send-sms", message, group=f"{whose}")
    elif kind < 0.65:
        mail = {"to": ["reader@example.com"], "subject": "Your order", "html": "<p>It is on its way.", **text}
        await engine.enqueue("send-email-queue", "send-email", mail)
    elif kind < 0.66:
        await engine.enqueue("imports", "stocktake", {"seconds": _CHANCE.uniform(5, 30)})
    elif kind < 0.95:
        pieces = "a dozen" if _CHANCE.random() < 0.06 else _CHANCE.randrange(1, 90)
        article = f"A-{_CHANCE.randrange(900)}"
        await engine.enqueue("imports", "load", {"warehouse": "north", "article": article, "pieces": pieces})
    else:
        await engine.enqueue(
            "reports", "report", {"shop": str(whose), "rows": _CHANCE.randrange(900)}, group=str(whose)
        )


async def prepare(engine: App) -> None:
    """What a page is to show besides: work to come, a queue that nobody serves, a pause, an opt-out."""
    for minutes in range(12):
        later = {"to": "+15550199", "message": "See you tomorrow", "workspace_id": 66338}
        await engine.enqueue("scheduled-sms-queue", "send-sms", later, delay=600 + 60 * minutes)
    for number in range(7):
        await engine.enqueue("pictures", "shrink", {"name": f"cover-{number}.png"})
    await engine.queue("reports").pause("the new template is being checked", until=1_800, by="ada")
    for shop in ("66338", "66338", "66338", "41207", "north-shop"):
        await engine.enqueue("reports", "report", {"shop": shop}, group=shop)


async def pages(shop: Shop) -> dict[str, str]:
    """Each picture by its name, with the address of its page."""
    failed = (await shop.engine.queue("imports").jobs("failed", limit=1)).items[0]
    (worker,) = await shop.engine.workers()
    return {
        "overview": "?since=15m", "queues": "queues", "queue": "queues/imports?since=15m",
        "jobs": "queues/imports/jobs?state=failed&columns=article,pieces", "job": f"queues/imports/jobs/{failed.id}",
        "groups": "queues/reports/groups", "failures": "failures", "schedules": "schedules", "slow": "slow",
        "schedule": "schedules/daily-report", "workers": "workers", "worker": f"workers/{worker.name}",
        "workspaces": "workspaces?since=15m", "capacity": "capacity", "messaging": "messaging", "send": "messaging/sms",
        "inbox": "messaging/inbox", "activity": "activity?part=audit", "new": "new?task=shrink",
    }  # fmt: skip


async def picture(page: Page, path: Path) -> None:
    """What the page shows, as a PNG."""
    high = await page.run("Math.ceil(document.getElementById('main').getBoundingClientRect().bottom)")
    wide = await page.run("innerWidth")
    clip = {"x": 0, "y": 0, "width": wide, "height": max(420, min(high - 30, TALLEST)), "scale": 1}
    told = await page.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
    await asyncio.to_thread(path.write_bytes, base64.b64decode(told["data"]))


async def main(minutes: float, scheme: str, width: int, folder: Path) -> None:
    """Make them all."""
    program = find_browser()
    if program is None:
        raise SystemExit("no Chromium is on the PATH")
    async with shop() as running:
        await prepare(running.engine)
        await bustle(running.engine, minutes * 60)
        rest = asyncio.create_task(bustle(running.engine, 600))
        with started(program) as port:
            for name, at in (await pages(running)).items():
                async with tab(port) as page:
                    await page.open(f"{running.url}/#/{at}", width=width, scheme=scheme)
                    await page.until(_SHOWN)
                    await asyncio.sleep(1.2)  # the counts and the statistics are of one moment then
                    await picture(page, folder / f"dashboard-{name}.png")
                    if page.complaints:
                        sys.stderr.write(f"{name}: {page.complaints}\n")
        rest.cancel()


_SHOWN: Final = """document.getElementById("main")?.ariaBusy === "false"
    && document.querySelector("#freshness[data-tone=good]")"""


if __name__ == "__main__":
    minutes, scheme, width, folder = [*sys.argv[1:], *("3", "light", "1280", IMAGES)[len(sys.argv) - 1 :]]
    asyncio.run(main(float(minutes), str(scheme), int(width), Path(folder)))
