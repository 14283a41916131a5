"""``streamq task``: what workers can do, and what a job of each task takes."""

from __future__ import annotations

from typing import Any

import click

import streamq
from streamq.cli import Group
from streamq.cli.group import shown_parts
from streamq.cli.names import TASK
from streamq.cli.options import as_json, server, with_app
from streamq.cli.outlet import echo_json, table


@click.group(cls=Group)
def task() -> None:
    """Look at the tasks that workers have published, and at the JSON Schemas of their payloads.

    \b
    Example:
      streamq task ls
    """


@task.command()
@server
@as_json
def ls(as_json: bool, **options: Any) -> None:
    """List the tasks, where their jobs go, and how many workers serve each.

    \b
    Example:
      streamq task ls
    """

    async def look(app: streamq.App) -> list[streamq.ServedTask]:
        return await app.served_tasks()

    found = with_app(options, look)
    if as_json:
        echo_json({"tasks": [each.asdict() for each in found]})
        return
    rows = [
        {
            "task": each.name, "queue": each.queue, "workers": each.workers,
            "attempts": each.options.get("attempts"), "timeout": each.options.get("timeout"),
            "description": each.description,
        }
        for each in found
    ]  # fmt: skip
    table(rows, "no worker has begun yet")


@task.command()
@click.argument("name", type=TASK)
@server
@as_json
def get(name: str, as_json: bool, **options: Any) -> None:
    """Show one task: its queue, its options, and the JSON Schema of its payload.

    \b
    Example:
      streamq task get send_sms --json
    """

    async def look(app: streamq.App) -> dict[str, Any]:
        return (await app.served_task(name)).asdict()

    shown_parts(with_app(options, look), as_json=as_json)
