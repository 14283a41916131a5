"""``streamq events``: what all jobs tell as it happens."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import click

import streamq
from streamq.cli import Group
from streamq.cli.names import QUEUE
from streamq.cli.options import Option, as_json, nearest, served, server, with_app
from streamq.cli.outlet import complain, echo_json, say
from streamq.cli.reports import shown_event
from streamq.model.events import ENDS, TAILED, event_name

FIELDS = ("task", "state", "attempt", "group", "started_at", "finished_at", "worker", "error")
"""Of the record of a job that ended; neither its payload nor its result, which a signal may be without."""


@click.group(cls=Group)
def events() -> None:
    """Follow what the jobs of all queues tell.

    \b
    Example:
      streamq events tail
    """


@events.command()
@click.option(
    "--queue",
    "queues",
    cls=Option,
    multiple=True,
    type=QUEUE,
    metavar="QUEUE",
    help="Only of this one; may be repeated. Default: all.",
)
@click.option(
    "--kind",
    "kinds",
    cls=Option,
    multiple=True,
    type=click.Choice(TAILED),
    help="Only these; may be repeated. Default: all.",
)
@click.option(
    "--state", "states", cls=Option, multiple=True, type=click.Choice(ENDS),
    help="Of the ends, only of jobs that ended so; may be repeated.",
)  # fmt: skip
@click.option("--limit", cls=Option, type=click.IntRange(1), help="End after so many. Default: at Ctrl-C.")
@server
@as_json
def tail(
    queues: tuple[str, ...], kinds: tuple[str, ...], states: tuple[str, ...], limit: int | None, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Show the ends of jobs, their progress and the lines of their logs as they come. Ctrl-C ends it.

    Nothing that was before is shown, and what comes faster than it can be shown is counted. With --json, one document
    a line; `hearing` says when a queue is heard, `missed` how much was not shown.

    \b
    Examples:
      streamq events tail
      streamq events tail --queue sms --kind end --state failed --json
    """

    async def follow(app: streamq.App) -> None:
        await _warn_of_unknown(app, queues)
        left = limit
        told = app.tail(queues or None, kinds=kinds or TAILED, states=states or ENDS)
        async with aclosing(told) as heard:
            async for each in heard:
                _show(each, as_json=as_json)
                if left is not None and each.job_id and not (left := left - 1):
                    return

    with_app(options, follow)


async def _warn_of_unknown(app: streamq.App, queues: tuple[str, ...]) -> None:
    """A queue may begin later, so that it is not known is no error."""
    known = {*await app.queues(), *await served(app)}
    for queue in queues:
        if queue not in known:
            complain(f"warning: there is no queue {queue!r} yet{nearest(queue, known)}")


def _show(told: streamq.Told, *, as_json: bool) -> None:
    event = told.event
    if as_json:
        said = event.asdict()
        if isinstance(event, streamq.JobRecord):
            said = {name: said[name] for name in FIELDS}
        job = {"job": told.job_id} if told.job_id else {}
        echo_json({"event": event_name(event), "queue": told.queue or None, **job, **said})
    elif isinstance(event, streamq.Hearing):
        complain(f"{told.queue}: {'heard from now on' if event.heard else 'not heard now'}")
    elif isinstance(event, streamq.Missed):
        complain(f"{event.count:,} events were missed: they came too fast")
    else:
        task = f" {event.task}" if isinstance(event, streamq.JobRecord) else ""
        say(f"{told.queue} {told.job_id}{task} {shown_event(event)}")
