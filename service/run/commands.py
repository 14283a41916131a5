"""The commands ``up``, ``api`` and ``sandbox``."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that help is instant

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import streamq
from streamq.cli.options import Option, Twin, app_named, concurrency, server

_host = click.option(
    "--host", cls=Twin, envvar="STREAMQ_HOST", help="Address to listen on. Default: 127.0.0.1"
)
_port = click.option(
    "--port", cls=Twin, type=click.IntRange(0, 65_535), envvar="STREAMQ_PORT", help="Port. Default: 8000"
)


@click.command()
@app_named
@click.option(
    "--demo", cls=Option, is_flag=True, help="Send to a provider sandbox inside; nothing leaves this machine."
)
@_host
@_port
@server
@concurrency
def up(app: str | None, demo: bool, **given: Any) -> None:
    """Run everything in one process.

    Starts an embedded server unless one is named. APP is module:attribute; without it, the
    messaging app runs. A taken port is passed over for the next free one.

    \b
    Example:
      streamq up --demo
      streamq up shop.jobs:app --port 8080
    """
    from .up import Options
    from .up import up as everything

    streamq.run(everything(Options(app, demo, given)))


@click.command()
@app_named
@_host
@_port
@server
def api(app: str | None, **given: Any) -> None:
    """Run the REST API and the dashboard.

    \b
    Example:
      streamq api --port 8080
      STREAMQ_API_KEYS=$(openssl rand -hex 24)=write streamq api --host 0.0.0.0
    """
    from .roles import api as serve_api

    streamq.run(serve_api(app, given))


@click.command()
@click.option(
    "--host", cls=Option, default="127.0.0.1", show_default=True, help="Address to listen on; loopback only."
)
@click.option(
    "--port",
    cls=Option,
    type=click.IntRange(0, 65_535),
    default=8025,
    show_default=True,
    help="Port; 0 takes a free one.",
)
@click.option(
    "--ledger",
    cls=Option,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to append each call to, as JSON.",
)
@click.option(
    "--report-to",
    cls=Option,
    help="Where to tell that messages are delivered, signed by STREAMQ_SMS_REPORT_SECRET.",
)
def sandbox(host: str, port: int, ledger: Path | None, report_to: str | None) -> None:
    """Run a provider that only remembers what it was sent.

    \b
    Example:
      streamq sandbox --ledger calls.jsonl
      SMS_API_URL=http://127.0.0.1:8025 streamq up
    """
    from .roles import sandbox as serve_sandbox

    streamq.run(serve_sandbox(host, port, ledger, report_to))
