"""Everything in one process. What is started first is ended last:

embedded server > app > sandbox provider > API and dashboard > worker and scheduler
"""

from __future__ import annotations

import asyncio
import shlex
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import click

from streamq import App, EmbeddedServer, Scheduler, Unavailable, Worker, load_app, set_up_logs

from .app import build_app
from .auth import Keys, check_binding
from .sandbox import build_sandbox
from .serve import address, bind, serving
from .settings import ServiceSettings
from .signals import Stop, stoppable


@dataclass(frozen=True)
class Options:
    """What the command line said; ``given`` are settings that win over the environment."""

    app: str | None = None
    demo: bool = False
    given: dict[str, Any] = field(default_factory=dict)


async def up(options: Options) -> None:
    """Run until a signal. Raises ``ConfigurationError``, and ``Unavailable`` when the server stays away."""
    settings = ServiceSettings.load(**options.given)
    set_up_logs(settings.log, settings.log_level)
    check_binding(Keys.parse(settings.api_keys.get_secret_value()), settings.host)
    screen = Screen()
    with stoppable() as stop:
        async with AsyncExitStack() as stack:
            redis_url = await _server(stack, settings, screen)
            sms_api_url = await _provider(stack, settings, screen, demo=options.demo)
            settings = settings.model_copy(update={"redis_url": redis_url, "sms_api_url": sms_api_url})
            app = await stack.enter_async_context(load_app(options.app, settings))
            listener = bind(settings.host, settings.port, or_next=True)
            stack.callback(listener.close)
            await stack.enter_async_context(serving(build_app(app, settings), listener))
            url = address(listener) + settings.base_path
            await _until_ready(app, url)
            screen.show(app, url, settings, listener.getsockname()[1])
            await _work(app, stop)


async def _until_ready(app: App, url: str) -> None:
    """The dashboard is open meanwhile, and says the same."""
    try:
        await app.wait_ready(1.0)
    except Unavailable as error:
        click.echo(f"waiting: {error}\n{url}/ is open meanwhile", err=True)
        await app.wait_ready()


async def _work(app: App, stop: Stop) -> None:
    """Work until a signal: the first lets running jobs finish, the second gives them back at once."""
    worker = Worker(app)
    stop.ask = worker.stop
    async with asyncio.TaskGroup() as group:
        scheduler = group.create_task(Scheduler(app).run(), name="scheduler")
        await worker.run()
        scheduler.cancel()


async def _server(stack: AsyncExitStack, settings: ServiceSettings, screen: Screen) -> str:
    if settings.redis_url:
        screen.add("server", _without_login(settings.redis_url))
        return settings.redis_url
    server = await stack.enter_async_context(EmbeddedServer(settings.data_dir))
    how = "joined" if server.joined else "embedded"
    screen.add("server", f"{server.product} {server.version}, {how}, data in {settings.data_dir}/")
    return server.url


async def _provider(
    stack: AsyncExitStack, settings: ServiceSettings, screen: Screen, *, demo: bool
) -> str | None:
    if not demo:
        url = settings.sms_api_url
        screen.add("provider", _without_login(url) if url else "none yet: set SMS_API_URL, or use --demo")
        return url
    listener = bind("127.0.0.1", 0)
    stack.callback(listener.close)
    await stack.enter_async_context(serving(build_sandbox(), listener, quiet=True))
    url = address(listener)
    screen.add("provider", f"sandbox, {url}/ledger; nothing leaves this machine")
    return url


def _without_login(url: str) -> str:
    """An address that may be shown: a password has no place on a screen."""
    shown = [urlsplit(part.strip()) for part in url.split(",")]
    return ", ".join(part._replace(netloc=part.netloc.rpartition("@")[2]).geturl() for part in shown)


class Screen:
    """What is printed once all runs."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, str]] = []

    def add(self, name: str, value: str) -> None:
        """A line of the table."""
        self._lines.append((name, value))

    def show(self, app: App, url: str, settings: ServiceSettings, port: int) -> None:
        """Print the table and a line to try."""
        queues = sorted({task.queue for task in app.tasks.values()})
        moved = f"  (port {settings.port} is taken)" if settings.port not in (0, port) else ""
        self.add("roles", f"api, scheduler, worker with {app.settings.concurrency} slots")
        self.add("queues", ", ".join(queues) or "none: the app has no task")
        self.add("dashboard", f"{url}/{moved}")
        click.echo("\nstreamq is up. Ctrl-C stops it.\n")
        for name, value in self._lines:
            click.echo(f"  {name:<10} {value}")
        click.echo(f"\nTry:\n\n  {_example(url, settings)}\n")


def _example(url: str, settings: ServiceSettings) -> str:
    body = '{"to": "+15550100", "message": "Hello", "workspaceId": 66338}'
    key = " -H 'Authorization: Bearer KEY'" if settings.api_keys.get_secret_value() else ""
    return (
        f"curl {url}/api/schedule-sms{key} \\\n    -H 'Content-Type: application/json' -d {shlex.quote(body)}"
    )
