"""One role in a process of its own: the API, or the sandbox provider."""

from __future__ import annotations

import asyncio
import gc
import logging
from pathlib import Path
from typing import Any

from streamq import App, ConfigurationError, Settings, is_loopback, load_app, public_address
from streamq.cli.options import configured
from streamq.cli.outlet import say
from streamq.runtime import stoppable

from ..app import build_app
from ..http.made_keys import check_open
from ..http.serve import address, bind, serving
from ..sandbox.provider import build_sandbox
from ..sandbox.reporting import Reporting
from ..settings import ServiceSettings
from ..traces import switch_on

log = logging.getLogger("streamq.api")


def app_of(path: str | None) -> App:
    """The app that is named, here or by ``STREAMQ_APP``, else the service's own. Raises what ``load_app`` does."""
    if path or Settings.load().app:
        return load_app(path)
    from ..messaging import app  # noqa: PLC0415  # it reads settings that another app need not have

    return app


async def api(app: str | None, given: dict[str, Any]) -> None:
    """Serve the API and the dashboard until a signal. Raises ``ConfigurationError``."""
    engine = app_of(app)
    settings = configured(engine, ServiceSettings, given)
    switch_on(engine, settings)
    await check_open(settings)
    with stoppable(), bind(settings.host, settings.port) as listener:
        async with engine, serving(build_app(engine, settings), listener):
            where = f"{address(listener)}{settings.base_path}/"
            say(f"streamq api: {where}")
            url = settings.secret("redis_url")
            server = public_address(url) if url else f"the one that runs on {settings.data_dir}"
            log.info("the API is at %s; server %s", where, server)
            gc.collect()
            gc.freeze()  # what is loaded by now stays; looking through it again took a tenth of the time of requests
            await asyncio.Event().wait()
    log.info("the API has ended")


async def sandbox(host: str, port: int, ledger: Path | None, report_to: str | None = None) -> None:
    """Serve the sandbox provider until a signal. Raises ``ConfigurationError``."""
    if not is_loopback(host):
        raise ConfigurationError(
            f"refusing to listen on {host}: the sandbox shows all it received; use 127.0.0.1"
        )
    secret = ServiceSettings.load().secret("sms_report_secret") if report_to else ""
    reporting = Reporting(secret, report_to) if report_to else None
    with stoppable(), bind(host, port) as listener:
        async with serving(build_sandbox(file=ledger, reporting=reporting), listener, quiet=True):
            say(f"streamq sandbox: {address(listener)}  (PUT /behaviour, GET /ledger)")
            await asyncio.Event().wait()
