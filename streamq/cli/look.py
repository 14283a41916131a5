"""``streamq queues``."""

from __future__ import annotations

from typing import Any

import click

import streamq
from streamq.cli.options import as_json, server, with_app
from streamq.cli.outlet import echo_json, table


@click.command()
@server
@as_json
def queues(as_json: bool, **options: Any) -> None:
    """List the queues: how many jobs are in each state, and which are paused.

    \b
    Example:
      streamq queues --json
    """

    async def look(app: streamq.App) -> list[dict[str, Any]]:
        names = await app.queues()
        told = await app.steering(names)
        return [
            {
                "queue": name,
                **(await app.queue(name).counts()).asdict(),
                "paused": told[name].asdict()["paused"],
            }
            for name in names
        ]

    rows = with_app(options, look)
    if as_json:
        echo_json({"queues": rows})
    else:
        some = any(row["paused"] for row in rows)
        shown = [
            {**row, "paused": row["paused"] and (row["paused"]["reason"] or "yes")} if some else
            {name: value for name, value in row.items() if name != "paused"}
            for row in rows
        ]  # fmt: skip
        table(shown, "no queue yet: enqueue a job or start a worker")
