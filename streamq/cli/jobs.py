"""``streamq job``: look at and steer jobs."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

import streamq
from streamq.cli import Group
from streamq.cli.options import (
    DURATION,
    Option,
    as_json,
    nearest,
    of_enqueue,
    refuse_unknown,
    served,
    server,
    with_app,
)
from streamq.cli.outlet import complain, echo_json, say, table
from streamq.model.shown import shown
from streamq.model.states import State

T = TypeVar("T")
LARGEST: Final = 64_000_000
"""Bytes of a payload that are read: far above any STREAMQ_MAX_PAYLOAD, and a wrong file cannot fill the memory."""


@click.group(cls=Group)
def job() -> None:
    """Look at and steer jobs.

    \b
    Example:
      streamq job ls sms --state failed
    """


def _show(record: streamq.JobRecord, *, as_json: bool) -> None:
    from streamq.model import codec  # noqa: PLC0415  # --help need not pay for it

    said = record.asdict()
    if as_json:
        echo_json(said)
        return
    for name, value in said.items():
        if value not in (None, [], {}) and name not in ("history", "error"):
            say(f"{name:<12} {value if isinstance(value, str) else codec.dumps(value).decode()}")
    for failure in record.history:
        say(f"attempt {failure.attempt}: {failure.type}: {failure.message}  ({failure.worker})")


@job.command()
@click.argument("queue")
@click.argument("task")
@click.option(
    "--payload", cls=Option, default="null", metavar="JSON",
    help="The payload; @FILE reads it from a file, - from standard input.",
)  # fmt: skip
@of_enqueue
@click.option(
    "--wait", cls=Option, type=DURATION, metavar="DURATION",
    help="Wait for its result: exit 1 when it failed, 5 when it still runs after that time.",
)  # fmt: skip
@server
@as_json
def enqueue(queue: str, task: str, payload: str, wait: float | None, as_json: bool, **options: Any) -> None:
    """Send a job by the name of its task.

    \b
    Examples:
      streamq job enqueue default hello --payload '{"name": "Ada"}' --wait 10s
      cat message.json | streamq job enqueue sms send_sms --payload - --delay 5m
    """
    text = payload_of(payload)
    given = {name: options.pop(name) for name in streamq.OPTIONS}

    async def act(app: streamq.App) -> streamq.JobRecord:
        from asyncio import CancelledError  # noqa: PLC0415  # --help need not pay for it

        app.queue(queue)  # an invalid name is an error, not a new queue
        await _warn_of_idle(app, queue)
        sent = await app.enqueue(queue, task, text, **given)
        if wait is not None:
            try:
                await sent.result(wait)
            except CancelledError:
                complain(f"job {sent.id} goes on: streamq job get {queue} {sent.id}")
                raise
        return await sent.status()

    _show(with_app(options, act), as_json=as_json)


def payload_of(given: str) -> streamq.JSONText:
    """The payload that was typed, or that is in the file that was named. Raises ``UsageError``."""
    from streamq.model import codec  # noqa: PLC0415  # --help need not pay for it

    text: str | bytes = given
    if given == "-":
        text = sys.stdin.buffer.read(LARGEST + 1) if sys.stdin else b""
    elif given.startswith("@"):
        try:
            with Path(given[1:]).open("rb") as file:
                text = file.read(LARGEST + 1)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise streamq.UsageError(f"the payload cannot be read from {shown(given[1:])}: {why}") from None
    if len(text) > LARGEST:
        raise streamq.UsageError(f"the payload has more than {LARGEST:,} bytes: send a reference to it")
    try:
        codec.loads(text)
    except codec.JSONDecodeError as error:
        raise streamq.UsageError(f"the payload is not JSON: {error}") from None
    return streamq.JSONText(text)


async def _warn_of_idle(app: streamq.App, queue: str) -> None:
    """A misspelt queue is one that nobody serves: the job would wait there for ever."""
    serving = await served(app)
    if queue in serving:
        return
    known = set(await app.queues())
    if queue not in known:
        hint = nearest(queue, known | serving) if known | serving else ""
        complain(f"warning: queue {queue!r} is new: no worker has served it{hint}")
    elif serving:
        complain(f"warning: no worker serves queue {queue!r} now{nearest(queue, serving)}")


async def _of(app: streamq.App, queue: str, act: Callable[[streamq.Queue], Awaitable[T]]) -> T:
    """The result of ``act`` on the queue. When it finds no job, the name of the queue is checked too."""
    try:
        return await act(app.queue(queue))
    except streamq.JobNotFound:
        await refuse_unknown(app, queue)
        raise


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
    _show(with_app(options, lambda app: _of(app, queue, lambda of: of.get(job_id))), as_json=as_json)


@job.command()
@click.argument("queue")
@click.option(
    "--state", cls=Option, default="failed", show_default=True,
    type=click.Choice([state.value for state in State]),
)  # fmt: skip
@click.option(
    "--limit", cls=Option, type=click.IntRange(1, 200), default=50, show_default=True, help="1 to 200."
)
@click.option("--cursor", cls=Option, help="`next` of the page before.")
@server
@as_json
def ls(queue: str, state: str, limit: int, cursor: str | None, as_json: bool, **options: Any) -> None:
    """List the jobs of a queue in a state.

    \b
    Example:
      streamq job ls sms --state failed --limit 20
    """

    async def look(app: streamq.App) -> streamq.Page:
        page = await app.queue(queue).jobs(State(state), limit=limit, cursor=cursor)
        if not page.items:
            await refuse_unknown(app, queue)
        return page

    page = with_app(options, look)
    if as_json:
        echo_json({"items": [item.asdict() for item in page.items], "next": page.next})
        return
    rows = [
        {
            "id": item.id, "task": item.task, "attempt": item.attempt, "worker": item.worker,
            "error": f"{item.error.type}: {item.error.message}"[:60] if item.error else None,
        }
        for item in page.items
    ]  # fmt: skip
    table(rows, f"no {state} job on {queue}")
    if page.next:
        say(f"more: --cursor {page.next}")


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
    _show(with_app(options, lambda app: _of(app, queue, lambda of: of.retry(job_id))), as_json=as_json)
