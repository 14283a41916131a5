"""``streamq queues`` and ``streamq workers``."""

from __future__ import annotations

from typing import Any

import click

from streamq.cli.options import as_json, reports_errors, server, table


@click.command()
@server
@as_json
@reports_errors
def queues(as_json: bool, **options: Any) -> None:
    """List the queues and how many jobs are in each state.

    \b
    Example:
      streamq queues --json
    """
    from streamq import codec
    from streamq.app import App
    from streamq.run import run
    from streamq.settings import Settings

    async def look() -> list[dict[str, Any]]:
        async with App(Settings.load(**options)) as app:
            return [{"queue": name, **(await app.queue(name).counts()).asdict()} for name in await app.queues()]

    rows = run(look())
    if as_json:
        click.echo(codec.dumps({"queues": rows}))
    else:
        table(rows, "no queue yet: enqueue a job or start a worker")


@click.command()
@server
@as_json
@reports_errors
def workers(as_json: bool, **options: Any) -> None:
    """List the workers that are registered.

    \b
    Example:
      streamq workers
    """
    from streamq import codec
    from streamq.app import App
    from streamq.run import run
    from streamq.settings import Settings

    async def look() -> list[dict[str, Any]]:
        async with App(Settings.load(**options)) as app:
            return [worker.asdict() for worker in await app.workers()]

    rows = run(look())
    if as_json:
        click.echo(codec.dumps({"workers": rows}))
    else:
        table([{**row, "queues": ",".join(row["queues"])} for row in rows], "no worker is registered")
