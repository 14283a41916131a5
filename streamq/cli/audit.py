"""``streamq audit``: who did what."""

from __future__ import annotations

from typing import Any

import click

import streamq
from streamq.cli import Group
from streamq.cli.names import QUEUE
from streamq.cli.options import Option, as_json, refuse_unknown, server, with_app
from streamq.cli.outlet import echo_json, say, table


@click.group(cls=Group)
def audit() -> None:
    """Look at what people did to queues, jobs and schedules.

    \b
    Example:
      streamq audit ls --queue sms
    """


@audit.command()
@click.option("--queue", cls=Option, type=QUEUE, metavar="QUEUE", help="Only what was done in this queue.")
@click.option(
    "--limit",
    cls=Option,
    type=click.IntRange(1, 1_000),
    default=50,
    show_default=True,
    help="Acts on a page.",
)
@click.option("--cursor", cls=Option, help="The `next` of the page before.")
@server
@as_json
def ls(queue: str | None, limit: int, cursor: str | None, as_json: bool, **options: Any) -> None:
    """List who did what, the latest first. Each queue keeps its latest thousand acts.

    \b
    Examples:
      streamq audit ls
      streamq audit ls --queue sms --limit 10 --json
    """

    async def look(app: streamq.App) -> streamq.AuditPage:
        if queue is not None:
            await refuse_unknown(app, queue)
        return await app.audit(queue, limit=limit, cursor=cursor)

    page = with_app(options, look)
    rows = [each.asdict() for each in page.items]
    if as_json:
        echo_json({"entries": rows, "next": page.next})
        return
    table([{**row, "details": _details(row.pop("details"))} for row in rows], "nobody has done anything yet")
    if page.next:
        say(f"more: --cursor {page.next}")


def _details(details: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in details.items())
