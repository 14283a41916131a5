"""``streamq job``: what is done to one job, and how it is shown."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click

import streamq
from streamq.cli import bulk
from streamq.cli.names import QUEUE
from streamq.cli.options import DURATION, TIME, Option, as_json, by_actor, refuse_unknown, server, with_app
from streamq.cli.outlet import echo_json, say
from streamq.model.shown import shown

T = TypeVar("T")
LARGEST: Final = 64_000_000
"""Bytes of a payload that are read: far above any STREAMQ_MAX_PAYLOAD, and a wrong file cannot fill the memory."""


def show(record: streamq.JobRecord, *, as_json: bool, **more: Any) -> None:
    """Print a job, and what else is known of it."""
    from streamq.model import codec  # noqa: PLC0415  # --help need not pay for it

    said = {**record.asdict(), **more}
    if as_json:
        echo_json(said)
        return
    for name, value in said.items():
        if value not in (None, [], {}) and name not in ("history", "error"):
            say(f"{name:<12} {value if isinstance(value, str) else codec.dumps(value).decode()}")
    for failure in record.history:
        decision = f"  failed for good: {failure.decision}" if failure.decision else ""
        say(f"attempt {failure.attempt}: {failure.type}: {failure.message}  ({failure.worker}){decision}")
    last = record.history[-1] if record.history else None
    error = record.error
    if error is not None and (last is None or (last.type, last.message) != (error.type, error.message)):
        who = f"  (by {error.by})" if error.by else ""
        say(f"{error.type}: {error.message}{who}")


def on_queue(queue: str, options: dict[str, Any], act: Callable[[streamq.Queue], Awaitable[T]]) -> T:
    """The result of ``act`` on the queue. When it finds no job, the name of the queue is checked too."""

    async def acted(app: streamq.App) -> T:
        try:
            return await act(app.queue(queue))
        except streamq.JobNotFound:
            await refuse_unknown(app, queue)
            raise

    return with_app(options, acted)


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


_version = click.option(
    "--version", "version", cls=Option, type=click.IntRange(0),
    help="Change it only if this is its version, as `job get` shows it.",
)  # fmt: skip


@click.command()
@click.argument("queue", type=QUEUE)
@click.argument("job_id", required=False)
@click.option("--reason", cls=Option, default="", help="Why; kept in its record.")
@bulk.by_filter
@bulk.rated
@by_actor
@server
@as_json
def cancel(
    queue: str, job_id: str | None, reason: str, rate: str | None, as_json: bool, **options: Any
) -> int | None:
    """End a job: at once, or when the handler that runs has ended. Or all that a filter means.

    \b
    Examples:
      streamq job cancel sms 1795449758578-0 --reason "sent twice"
      streamq job cancel sms --q "task:send_sms age>1d" --all
    """
    chosen = bulk.taken("cancel", options)
    if bulk.is_bulk(queue, job_id, chosen, rate=rate) or job_id is None:
        return bulk.run(
            queue,
            chosen,
            options,
            lambda of: of.cancel_all(chosen["q"], reason, rate=rate),
            as_json=as_json,
        )
    record = on_queue(queue, options, lambda of: of.cancel(job_id, reason))
    show(record, as_json=as_json)
    return None


@click.command()
@click.argument("queue", type=QUEUE)
@click.argument("job_id", required=False)
@_version
@bulk.by_filter
@bulk.rated
@by_actor
@server
@as_json
def promote(
    queue: str, job_id: str | None, version: int | None, rate: str | None, as_json: bool, **options: Any
) -> int | None:
    """Let a delayed job wait now, whenever it was due. Or all that a filter means.

    \b
    Examples:
      streamq job promote sms 1795449758578-140737488355328
      streamq job promote sms --q "task:send_sms" --all --rate 50/s
    """
    chosen = bulk.taken("promote", options)
    if bulk.is_bulk(queue, job_id, chosen, rate=rate) or job_id is None:
        return bulk.run(
            queue, chosen, options, lambda of: of.promote_all(chosen["q"], rate=rate), as_json=as_json
        )
    show(on_queue(queue, options, lambda of: of.promote(job_id, version=version)), as_json=as_json)
    return None


@click.command()
@click.argument("queue", type=QUEUE)
@click.argument("job_id")
@click.option("--delay", cls=Option, type=DURATION, metavar="DURATION", help="How long from now it is due.")
@click.option("--at", cls=Option, type=TIME, metavar="TIME", help="When it is due; `--delay` or `--at`.")
@_version
@by_actor
@server
@as_json
def reschedule(
    queue: str, job_id: str, delay: float | None, at: datetime | None, version: int | None, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Give a waiting or delayed job another due time.

    \b
    Examples:
      streamq job reschedule sms 1795449758578-0 --delay 5m
      streamq job reschedule sms 1795449758578-0 --at 2030-01-31T09:00:00Z
    """
    show(
        on_queue(queue, options, lambda of: of.reschedule(job_id, delay=delay, at=at, version=version)),
        as_json=as_json,
    )


@click.command()
@click.argument("queue", type=QUEUE)
@click.argument("job_id")
@click.argument("priority", type=click.Choice(streamq.OPTIONS["priority"].choices))
@_version
@by_actor
@server
@as_json
def priority(
    queue: str, job_id: str, priority: Any, version: int | None, as_json: bool, **options: Any
) -> None:
    """Give a job that has not begun another priority.

    \b
    Example:
      streamq job priority sms 1795449758578-0 high
    """
    show(
        on_queue(queue, options, lambda of: of.change_priority(job_id, priority, version=version)),
        as_json=as_json,
    )


@click.command()
@click.argument("queue", type=QUEUE)
@click.argument("job_id")
@click.option(
    "--payload", cls=Option, metavar="JSON", required=True,
    help="The new payload; @FILE reads it from a file, - from standard input.",
)  # fmt: skip
@_version
@by_actor
@server
@as_json
def edit(queue: str, job_id: str, payload: str, version: int | None, as_json: bool, **options: Any) -> None:
    """Give a job that has not begun another payload.

    \b
    Example:
      streamq job edit default 1795449758578-0 --payload '{"name": "Grace"}' --version 0
    """
    text = payload_of(payload)
    show(on_queue(queue, options, lambda of: of.edit(job_id, text, version=version)), as_json=as_json)


@click.command()
@click.argument("queue", type=QUEUE)
@click.argument("job_id", required=False)
@bulk.by_filter
@by_actor
@server
@as_json
def rm(queue: str, job_id: str | None, as_json: bool, **options: Any) -> int | None:
    """Delete the record of a finished job, or of all that a filter means, for good.

    \b
    Examples:
      streamq job rm sms 1795449758578-0
      streamq job rm sms --q "state:failed ended>7d" --all
    """
    chosen = bulk.taken("delete", options)
    if bulk.is_bulk(queue, job_id, chosen) or job_id is None:
        return bulk.run(queue, chosen, options, lambda of: of.delete_all(chosen["q"]), as_json=as_json)
    on_queue(queue, options, lambda of: of.delete(job_id))
    if as_json:
        echo_json({"deleted": job_id})
    else:
        say(f"job {job_id} is deleted")
    return None


@click.command()
@click.argument("queue", type=QUEUE)
@click.argument("job_id", required=False)
@click.option(
    "--payload", cls=Option, metavar="JSON",
    help="Make a copy of the job with this payload; @FILE reads it from a file, - from standard input.",
)  # fmt: skip
@bulk.by_filter
@bulk.rated
@bulk.canary
@by_actor
@server
@as_json
def retry(
    queue: str, job_id: str | None, payload: str | None, rate: str | None, canary: int | None,
    as_json: bool, **options: Any,
) -> int | None:  # fmt: skip
    """Let a job that failed, was cancelled or has expired wait again, or all that a filter means.

    \b
    Examples:
      streamq job retry sms 1795449758578-0
      streamq job retry sms --q "task:send_sms error:timeout" --all --canary 5
    """
    chosen = bulk.taken("retry", options)
    if bulk.is_bulk(queue, job_id, chosen, rate=rate, canary=canary) or job_id is None:
        if payload is not None:
            raise streamq.UsageError("--payload is for one job: leave it out with --q")
        return bulk.run(
            queue, chosen, options,
            lambda of: of.retry_all(chosen["q"], rate=rate, canary=canary), as_json=as_json,
        )  # fmt: skip
    more = {} if payload is None else {"payload": payload_of(payload)}
    show(on_queue(queue, options, lambda of: of.retry(job_id, **more)), as_json=as_json)
    return None


CHANGES: Final = (retry, cancel, promote, reschedule, priority, edit, rm)
