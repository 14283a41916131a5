"""``streamq job``: look at and steer jobs."""

from __future__ import annotations

import sys
from typing import Any

import click

import streamq
from streamq import codec
from streamq.cli.options import as_json, echo_json, server, table, with_app


@click.group()
def job() -> None:
    """Look at and steer jobs."""


def _show(record: streamq.JobRecord, *, as_json: bool) -> None:
    said = record.asdict()
    if as_json:
        echo_json(said)
        return
    for name, value in said.items():
        if value not in (None, [], {}) and name not in ("history", "error"):
            click.echo(f"{name:<12} {value if isinstance(value, str) else codec.dumps(value).decode()}")
    for error in said["history"]:
        click.echo(
            f"attempt {error.get('attempt')}: {error['type']}: {error['message']}  ({error.get('worker')})"
        )


@job.command()
@click.argument("queue")
@click.argument("task")
@click.option(
    "--payload", default="null", metavar="JSON", help="The payload; - reads it from standard input."
)
@click.option("--delay", type=float, metavar="SECONDS", help="Seconds until it may run.")
@click.option("--attempts", type=int, help="How many attempts it may spend.")
@click.option("--timeout", type=float, metavar="SECONDS", help="Seconds an attempt may take.")
@click.option("--wait", type=float, metavar="SECONDS", help="Wait for its result; exit 1 when it fails.")
@server
@as_json
def enqueue(queue: str, task: str, payload: str, wait: float | None, as_json: bool, **options: Any) -> None:
    """Send a job by the name of its task.

    \b
    Examples:
      streamq job enqueue default hello --payload '{"name": "Ada"}' --wait 10
      cat message.json | streamq job enqueue sms send_sms --payload - --delay 60
    """
    text = sys.stdin.read() if payload == "-" else payload
    try:
        codec.loads(text)
    except codec.JSONDecodeError as error:
        raise streamq.UsageError(f"the payload is not JSON: {error}") from None
    policy = {name: options.pop(name) for name in ("delay", "attempts", "timeout")}

    async def act(app: streamq.App) -> streamq.JobRecord:
        sent = await app.enqueue(queue, task, streamq.JSONText(text), **policy)
        if wait is not None:
            await sent.result(wait)
        return await sent.status()

    _show(with_app(options, act), as_json=as_json)


@job.command()
@click.argument("queue")
@click.argument("job_id")
@server
@as_json
def get(queue: str, job_id: str, as_json: bool, **options: Any) -> None:
    """Show everything known of a job.

    \b
    Example:
      streamq job get sms 1795449758578-0
    """
    _show(with_app(options, lambda app: app.queue(queue).get(job_id)), as_json=as_json)


@job.command()
@click.argument("queue")
@click.option(
    "--state", default="failed", show_default=True,
    type=click.Choice(["waiting", "active", "delayed", "completed", "failed"]),
)  # fmt: skip
@click.option("--limit", type=int, default=50, show_default=True, help="1 to 200.")
@click.option("--cursor", help="`next` of the page before.")
@server
@as_json
def ls(queue: str, state: str, limit: int, cursor: str | None, as_json: bool, **options: Any) -> None:
    """List the jobs of a queue in a state.

    \b
    Example:
      streamq job ls sms --state failed --limit 20
    """
    page = with_app(
        options, lambda app: app.queue(queue).jobs(streamq.State(state), limit=limit, cursor=cursor)
    )
    if as_json:
        echo_json({"items": [item.asdict() for item in page.items], "next": page.next})
        return
    rows = [
        {
            "id": item.id, "task": item.task, "attempt": item.attempt, "worker": item.worker,
            "error": f"{item.error['type']}: {item.error['message']}"[:60] if item.error else None,
        }
        for item in page.items
    ]  # fmt: skip
    table(rows, f"no {state} job on {queue}")
    if page.next:
        click.echo(f"more: --cursor {page.next}")


@job.command()
@click.argument("queue")
@click.argument("job_id")
@server
@as_json
def retry(queue: str, job_id: str, as_json: bool, **options: Any) -> None:
    """Let a failed job wait again, with all its attempts.

    \b
    Example:
      streamq job retry sms 1795449758578-0
    """
    _show(with_app(options, lambda app: app.queue(queue).retry(job_id)), as_json=as_json)
