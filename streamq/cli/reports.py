"""``streamq job logs``: what one job tells while it runs."""

from __future__ import annotations

from typing import Any

import click

import streamq
from streamq.cli.changes import on_queue
from streamq.cli.options import as_json, server
from streamq.cli.outlet import complain, echo_json, say


@click.command()
@click.argument("queue")
@click.argument("job_id")
@server
@as_json
def logs(queue: str, job_id: str, as_json: bool, **options: Any) -> None:
    """Show what is kept of a job's log.

    \b
    Example:
      streamq job logs sms 1795449758578-0
    """
    log = on_queue(queue, options, lambda of: of.logs(job_id))
    if as_json:
        echo_json(log.asdict())
        return
    if log.dropped:
        complain(f"the first {log.dropped:,} of {log.written:,} lines were dropped: a job keeps the last 64 KiB")
    for line in log.lines:
        say(shown_line(line))
    if not log.written:
        say("the job has written no line")


def shown_line(line: streamq.LogLine) -> str:
    """A line as people read it: its time, its level where that is another than info, and its text."""
    at = line.at.strftime("%H:%M:%S.%f")[:-3] if line.at else "-"
    level = "" if line.level == "info" else f"{line.level.upper()} "
    return f"{at} {level}{line.text}"
