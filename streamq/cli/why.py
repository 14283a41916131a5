"""``streamq job why``."""

from __future__ import annotations

from typing import Any

import click

from streamq.cli.changes import on_queue
from streamq.cli.names import QUEUE
from streamq.cli.options import as_json, server
from streamq.cli.outlet import echo_json, say


@click.command()
@click.argument("queue", type=QUEUE)
@click.argument("job_id")
@server
@as_json
def why(queue: str, job_id: str, as_json: bool, **options: Any) -> None:
    """Say in one sentence why a job does not run now.

    \b
    Example:
      streamq job why sms 1795449758578-0
    """
    said = on_queue(queue, options, lambda of: of.why(job_id))
    if as_json:
        echo_json(said.asdict())
    else:
        say(f"{said.code}: {said.text}")
