"""``streamq slow``: what runs longest now, and what ran longest in the last hour."""

from __future__ import annotations

from typing import Any

import click

import streamq
from streamq.cli.options import Option, as_json, server, with_app
from streamq.cli.outlet import echo_json, say, table
from streamq.model.counted import counted


@click.command()
@click.option(
    "--limit", cls=Option, type=click.IntRange(1, 100), default=20, show_default=True, help="How many of each kind."
)  # fmt: skip
@server
@as_json
def slow(limit: int, as_json: bool, **options: Any) -> None:
    """Show the jobs that run longest now, and those that ran longest in the last hour.

    Of what has ended, the latest records of each queue are looked at.

    \b
    Example:
      streamq slow
    """

    async def look(app: streamq.App) -> streamq.SlowJobs:
        return await app.slow(limit=limit)

    found = with_app(options, look)
    if as_json:
        echo_json(found.asdict())
        return
    table([_row(job) for job in found.running], "no job runs now")
    say()
    table([_row(job) for job in found.finished], "no job of the last hour is kept")
    if not found.complete:
        say(f"only the latest {counted(found.looked_at, 'record was', 'records were')} looked at")


def _row(job: streamq.SlowJob) -> dict[str, Any]:
    said = job.asdict()
    return {name: said[name] for name in ("job", "queue", "task", "state", "seconds", "started_at", "worker")}
