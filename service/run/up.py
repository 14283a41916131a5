"""Everything in one process. What is started first is ended last:

embedded server > app > sandbox provider > API and dashboard > worker and scheduler
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from secrets import token_bytes
from typing import Any, NamedTuple

from streamq import App, EmbeddedServer, Scheduler, Unavailable, Worker, public_address
from streamq.cli.options import check_queues, configured
from streamq.cli.outlet import complain, say
from streamq.runtime import Stop, stoppable

from ..app import build_app
from ..http.made_keys import check_open
from ..http.serve import address, bind, serving
from ..messaging.sms import forms_of
from ..sandbox.ledger import Ledger
from ..sandbox.provider import build_sandbox
from ..sandbox.reporting import Reporting
from ..settings import SIMULATED, ServiceSettings
from ..traces import switch_on
from .roles import app_of
from .screen import start_screen


@dataclass(frozen=True)
class Options:
    """What was typed on the command line; ``given`` are settings."""

    app: str | None = None
    demo: bool = False
    given: dict[str, Any] = field(default_factory=dict)


class Demo(NamedTuple):
    """The sandbox inside: what it took, and how it reports, under a secret of this run alone."""

    secret: str
    reporting: Reporting
    ledger: Ledger

    @classmethod
    def new(cls) -> Demo:
        """With a secret that nobody else knows."""
        secret = f"whsec_{b64encode(token_bytes(32)).decode()}"
        return cls(secret, Reporting(secret), Ledger())


async def up(options: Options) -> None:
    """Run until a signal. Raises ``ConfigurationError``, and ``Unavailable`` when the server stays away."""
    app = app_of(options.app)
    settings = configured(app, ServiceSettings, options.given)
    switch_on(app, settings)
    check_queues(app)
    with stoppable() as stop:
        async with AsyncExitStack() as stack:
            redis_url, server = await _server(stack, settings)
            demo = Demo.new() if options.demo else None
            urls, provider = await _providers(stack, settings, demo)
            found = {"redis_url": redis_url, **urls}
            settings = app.configure(ServiceSettings, {**options.given, **found})
            await check_open(settings)
            await stack.enter_async_context(app)
            dashboard = await _dashboard(stack, settings, app, demo)
            await _until_ready(app, dashboard)
            screen = start_screen(app, settings, server=server, provider=provider, dashboard=dashboard)
            await _work(app, stop, list(screen))


async def _until_ready(app: App, dashboard: str) -> None:
    """The dashboard is open meanwhile, and says the same."""
    try:
        await app.wait_ready(1.0)
    except Unavailable as error:
        complain(f"waiting: {error}")
        complain(f"the dashboard is open: {dashboard}")
        await app.wait_ready()


async def _work(app: App, stop: Stop, screen: list[str]) -> None:
    """Work until a signal: the first lets running jobs finish, the second gives them back at once."""
    worker = Worker(app)
    stop.ask = worker.stop
    async with asyncio.TaskGroup() as group:
        scheduler = group.create_task(Scheduler(app).run(), name="scheduler")
        shown = group.create_task(_show(worker, screen), name="start screen")
        await worker.run()
        scheduler.cancel()
        shown.cancel()


async def _show(worker: Worker, screen: list[str]) -> None:
    """Say that all is up once it is: whoever reads it and looks finds the queues and the worker."""
    await worker.is_ready.wait()
    for line in screen:
        say(line)


async def _server(stack: AsyncExitStack, settings: ServiceSettings) -> tuple[str, str]:
    """The server's address, and its description for the start screen. Likewise for the provider and the dashboard."""
    if settings.redis_url:
        url = settings.secret("redis_url")
        return url, public_address(url)
    server = await stack.enter_async_context(EmbeddedServer(settings.data_dir))
    how = "joined" if server.joined else "embedded"
    return server.url, f"{server.product} {server.version}, {how}, data in {settings.data_dir}/"


async def _providers(
    stack: AsyncExitStack, settings: ServiceSettings, demo: Demo | None
) -> tuple[dict[str, Any], str]:
    """The settings that name them."""
    if demo is None:
        given = [settings.secret(name) for name in ("smtp_url", "email_api_url")]
        addresses = [*(form.address.base for form in forms_of(settings)), *given]
        named = ", ".join(public_address(url) for url in addresses if url)
        return {}, named or "none yet: set SMS_API_URL and SMTP_URL or EMAIL_API_URL, or use --demo"
    listener = bind("127.0.0.1", 0)
    stack.callback(listener.close)
    provider = build_sandbox(ledger=demo.ledger, reporting=demo.reporting)
    await stack.enter_async_context(serving(provider, listener, quiet=True))
    url = address(listener)
    urls = {
        "sms_api_url": url,
        "sms_report_secret": demo.secret,
        "email_api_url": url,
        "smtp_url": "",
        "ai_api_url": SIMULATED,
        "callback_private": True,
    }
    return urls, f"sandbox, {url}/ledger; nothing leaves this machine"


async def _dashboard(stack: AsyncExitStack, settings: ServiceSettings, app: App, demo: Demo | None) -> str:
    listener = bind(settings.host, settings.port, or_next=True)
    stack.callback(listener.close)
    served = build_app(app, settings, inbox=demo.ledger if demo else None)
    await stack.enter_async_context(serving(served, listener))
    moved = settings.port not in (0, listener.getsockname()[1])
    where = f"{address(listener)}{settings.base_path}"
    if demo is not None:
        demo.reporting.url = f"{where}/api/v1/webhooks/sms"
    return f"{where}/" + f"  (port {settings.port} is taken)" * moved
