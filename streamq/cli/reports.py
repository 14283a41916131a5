"""``streamq job logs`` and ``streamq job watch``: what one job tells while it runs."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click

import streamq
from streamq.cli.changes import on_queue
from streamq.cli.names import QUEUE
from streamq.cli.options import Option, as_json, server
from streamq.cli.outlet import complain, echo_json, say
from streamq.exits import Exit
from streamq.model.states import State

if TYPE_CHECKING:
    from streamq.model.events import Event


@click.command()
@click.argument("queue", type=QUEUE)
@click.argument("job_id")
@click.option(
    "--follow", cls=Option, is_flag=True, help="Show further lines as they are written, until its end."
)
@server
@as_json
def logs(queue: str, job_id: str, follow: bool, as_json: bool, **options: Any) -> None:
    """Show what is kept of a job's log.

    \b
    Examples:
      streamq job logs sms 1795449758578-0
      streamq job logs sms 1795449758578-0 --follow
    """
    if follow:
        on_queue(queue, options, lambda of: _follow(of, job_id, as_json=as_json, only_lines=True))
        return
    log = on_queue(queue, options, lambda of: of.logs(job_id))
    if as_json:
        echo_json(log.asdict())
        return
    if log.dropped:
        complain(
            f"the first {log.dropped:,} of {log.written:,} lines were dropped: a job keeps the last 64 KiB"
        )
    for line in log.lines:
        say(shown_line(line))
    if not log.written:
        say("the job has written no line")


@click.command()
@click.argument("queue", type=QUEUE)
@click.argument("job_id")
@server
@as_json
def watch(queue: str, job_id: str, as_json: bool, **options: Any) -> None:
    """Show what a job tells as it happens: its states, its progress and its log, until its end.

    Exit 1 when it ended otherwise than completed. With --json, one document a line.

    \b
    Example:
      streamq job watch sms 1795449758578-0
    """
    end = on_queue(queue, options, lambda of: _follow(of, job_id, as_json=as_json, only_lines=False))
    if end is not None and end.state != "completed":
        raise SystemExit(Exit.FAILED)


async def _follow(
    of: streamq.Queue, job_id: str, *, as_json: bool, only_lines: bool
) -> streamq.JobRecord | None:
    """Print what a job tells, and return its end."""
    async with aclosing(of.watch(job_id)) as events:
        async for event in events:
            if not only_lines or isinstance(event, streamq.LogLine):
                if as_json:
                    echo_json({"event": streamq.event_name(event), **event.asdict()})
                else:
                    say(shown_event(event))
            if isinstance(event, streamq.JobRecord):
                return event
    return None


def shown_event(event: Event) -> str:
    """An event as people read it, on one line."""
    if isinstance(event, streamq.LogLine):
        return shown_line(event)
    if isinstance(event, streamq.Progress):
        from streamq.model import codec  # noqa: PLC0415  # --help need not pay for it

        part = "" if event.value is None else f" {event.value:.0%}"
        data = "" if event.data is None else f" {codec.dumps(event.data).decode()}"
        return f"progress{part} {event.note}{data}".rstrip()
    # a job that completed keeps the errors of the attempts before
    failed = isinstance(event, streamq.JobRecord) and event.state is not State.COMPLETED and event.error
    return f"{event.state.value}{f': {failed.type}: {failed.message}' if failed else ''}"


def shown_line(line: streamq.LogLine) -> str:
    """A line as people read it: its time, its level where that is another than info, and its text."""
    at = line.at.strftime("%H:%M:%S.%f")[:-3] if line.at else "-"
    level = "" if line.level == "info" else f"{line.level.upper()} "
    return f"{at} {level}{line.text}"
