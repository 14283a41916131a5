"""``streamq errors``: failed jobs by kinds: those that failed alike."""

from __future__ import annotations

from typing import Any

import click

import streamq
from streamq.cli import Group, bulk
from streamq.cli.ending import FailureNotFound
from streamq.cli.names import QUEUE
from streamq.cli.options import Option, as_json, by_actor, refuse_unknown, server, with_app
from streamq.cli.outlet import echo_json, table
from streamq.model.typed import typed


@click.group(cls=Group)
def errors() -> None:
    """Look at failed jobs by what went wrong, and retry those that failed alike.

    \b
    Example:
      streamq errors ls sms
    """


@errors.command()
@click.argument("queue", type=QUEUE, required=False)
@server
@as_json
def ls(queue: str | None, as_json: bool, **options: Any) -> None:
    """List the kinds of failures of a queue, or of all: those with the most failed jobs first.

    \b
    Example:
      streamq errors ls sms
    """

    async def look(app: streamq.App) -> list[streamq.FailureKind]:
        if queue is None:
            return await app.failures()
        found = await app.queue(queue).failures()
        if not found:
            await refuse_unknown(app, queue)
        return found

    found = with_app(options, look)
    if as_json:
        echo_json({"failures": [kind.asdict() for kind in found]})
        return
    rows = [
        {
            "fingerprint": said["fingerprint"], "queue": said["queue"], "failed": said["failed"],
            "seen": said["count"], "first": said["first_at"], "last": said["last_at"], "task": said["task"],
            "error": f"{said['type']}: {said['message']}"[:60].strip(": "),
        }
        for said in (kind.asdict() for kind in found)
    ]  # fmt: skip
    table(rows, "no job has failed")


@errors.command()
@click.argument("queue", type=QUEUE)
@click.argument("fingerprint")
@bulk.rated
@bulk.canary
@click.option("--no-wait", cls=Option, is_flag=True, help="Set it off, and return at once.")
@by_actor
@server
@as_json
def retry(
    queue: str, fingerprint: str, rate: str | None, canary: int | None, no_wait: bool, as_json: bool,
    **options: Any,
) -> int:  # fmt: skip
    """Let all jobs that failed alike wait again, with --canary some of them first.

    \b
    Example:
      streamq errors retry sms 0c6f1d5a9b3e --canary 5 --rate 100/s
    """

    async def begin(of: streamq.Queue) -> streamq.Operation:
        if not any(kind.fingerprint == fingerprint for kind in await of.failures()):
            raise FailureNotFound(
                f"no job on {queue!r} has failed as {fingerprint!r}: {typed('errors ls', queue)} has the fingerprints"
            )
        text = f'state:failed fingerprint="{fingerprint}"'
        return await of.retry_all(text, rate=rate, canary=canary)

    return bulk.run(queue, {"no_wait": no_wait, "wait": None}, options, begin, as_json=as_json)
