"""``streamq queue`` and ``streamq operation``: look at and steer a queue, and follow what that set off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

import click

import streamq
from streamq.cli import Group
from streamq.cli.options import DURATION, MOMENT, Command, Option, as_json, refuse_unknown, server, with_app
from streamq.cli.outlet import complain, echo_json, progress, say, table
from streamq.model import states

PURGED: Final = tuple(state.value for state in states.PURGED)


@click.group(cls=Group)
def queue() -> None:
    """Look at a queue, pause it, bound it, empty it.

    \b
    Example:
      streamq queue pause sms --reason "provider down" --until 30m
    """


@click.group(cls=Group)
def operation() -> None:
    """Look at background operations, such as a purge or a retry by filter, and end them.

    \b
    Example:
      streamq operation ls
    """


_by = click.option("--by", cls=Option, default="", help="Who asks; kept with it.")
_task = click.option("--task", cls=Option, metavar="TASK", help="Only the jobs of this task.")


def _on(
    name: str, options: dict[str, Any], act: Callable[[streamq.Queue], Awaitable[object]], *, as_json: bool
) -> None:
    """Do something to a queue that is known, and show what is known of it then."""

    async def acted(app: streamq.App) -> dict[str, Any]:
        of = app.queue(name)
        await refuse_unknown(app, name)
        await act(of)
        return {"queue": name, "counts": (await of.counts()).asdict(), **(await of.steering()).asdict()}

    _show(with_app(options, acted), as_json=as_json)


async def _nothing(_: streamq.Queue) -> None:
    """The queue is only looked at."""


def _show(said: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        echo_json(said)
        return
    pauses = {
        "paused": said["paused"],
        **{f"paused task {name}": pause for name, pause in said["paused_tasks"].items()},
    }
    rows = {
        "queue": said["queue"], **said["counts"], "max waiting": said["max_waiting"],
        **{name: _pause(pause) for name, pause in pauses.items() if pause},
    }  # fmt: skip
    for name, value in rows.items():
        if value is not None:
            say(f"{name:<12} {value}")


def _pause(pause: dict[str, Any]) -> str:
    """A pause on one line."""
    parts = {"since": pause["since"], "until": pause["until"], "by": pause["by"]}
    said = [f"{name} {value}" for name, value in parts.items() if value]
    return "; ".join([pause["reason"] or "yes", *said])


@queue.command()
@click.argument("name")
@server
@as_json
def get(name: str, as_json: bool, **options: Any) -> None:
    """Show how many jobs a queue has in each state, and what was told to it.

    \b
    Example:
      streamq queue get sms
    """
    _on(name, options, _nothing, as_json=as_json)


@queue.command()
@click.argument("name")
@_task
@click.option("--reason", cls=Option, default="", help="Why; shown to whoever looks.")
@click.option(
    "--until",
    cls=Option,
    type=MOMENT,
    metavar="DURATION|TIME",
    help="When it ends by itself. Default: never.",
)
@_by
@server
@as_json
def pause(
    name: str, task: str | None, reason: str, until: float | datetime | None, by: str, as_json: bool, **options: Any
) -> None:  # fmt: skip
    """Start no job of a queue, or of one task in it; what runs goes on.

    \b
    Examples:
      streamq queue pause sms --reason "provider down" --until 30m
      streamq queue pause default --task report
    """
    _on(name, options, lambda of: of.pause(reason, until=until, task=task, by=by), as_json=as_json)


@queue.command()
@click.argument("name")
@_task
@server
@as_json
def resume(name: str, task: str | None, as_json: bool, **options: Any) -> None:
    """End the pause of a queue, or of one task in it.

    \b
    Example:
      streamq queue resume sms
    """
    _on(name, options, lambda of: of.resume(task=task), as_json=as_json)


@queue.command()
@click.argument("name")
@click.option(
    "--max-waiting", cls=Option, type=click.IntRange(0), help="Jobs that may wait; more are refused."
)
@click.option("--unlimited", cls=Option, is_flag=True, help="Any number of jobs may wait.")
@server
@as_json
def limit(name: str, max_waiting: int | None, unlimited: bool, as_json: bool, **options: Any) -> None:
    """Bound how many jobs may wait in a queue: an enqueue beyond is refused.

    \b
    Examples:
      streamq queue limit sms --max-waiting 100000
      streamq queue limit sms --unlimited
    """
    if (max_waiting is None) != unlimited:
        raise streamq.UsageError("say which bound: --max-waiting NUMBER or --unlimited")
    _on(name, options, lambda of: of.limit(max_waiting=max_waiting), as_json=as_json)


# -- background operations ---------------------------------------------------------------------------------------


def _deleting(command: Command) -> Command:
    """The options of what deletes jobs."""
    options = (
        click.option("--yes", cls=Option, is_flag=True, help="Do not ask for the name of the queue."),
        click.option("--no-wait", cls=Option, is_flag=True, help="Set it off, and return at once."),
        click.option(
            "--wait", cls=Option, type=DURATION, metavar="DURATION",
            help="Wait so long at most, and end with 5 when it still goes on. Default: until it has ended.",
        ),
        _by, server, as_json,
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@queue.command()
@click.argument("name")
@click.option(
    "--state", cls=Option, multiple=True, type=click.Choice(PURGED),
    help="Only these jobs; may be given several times. Default: all but those that run.",
)  # fmt: skip
@_deleting
def purge(name: str, state: tuple[str, ...], yes: bool, by: str, **options: Any) -> None:
    """Delete jobs and records of a queue for good, all but those that run. Asks for the queue's name before.

    \b
    Examples:
      streamq queue purge sms --state failed
      streamq queue purge sms --yes --no-wait
    """
    chosen = state or PURGED
    _delete(name, chosen, lambda of: of.purge(chosen, by=by), yes=yes, **options)


@queue.command()
@click.argument("name")
@click.option("--delayed", cls=Option, is_flag=True, help="The delayed and held jobs, too.")
@_deleting
def drain(name: str, delayed: bool, yes: bool, by: str, **options: Any) -> None:
    """Delete the jobs of a queue that wait, for good; records stay. Asks for the queue's name before.

    \b
    Example:
      streamq queue drain sms
    """
    chosen = PURGED[:3] if delayed else ("waiting",)
    _delete(name, chosen, lambda of: of.drain(delayed=delayed, by=by), yes=yes, **options)


def _delete(
    name: str, states: tuple[str, ...], begin: Callable[[streamq.Queue], Awaitable[streamq.Operation]], *, yes: bool,
    no_wait: bool, wait: float | None, as_json: bool, **options: Any,
) -> None:  # fmt: skip

    async def act(app: streamq.App) -> streamq.OperationRecord:
        of = app.queue(name)
        await refuse_unknown(app, name)
        if not yes:
            counts = (await of.counts()).asdict()
            _confirm(
                name, ", ".join(f"{counts[state]:,} {state}" for state in states if counts[state]) or "0"
            )
        begun = await begin(of)
        return await (begun.status() if no_wait else followed(begun, wait, shown=not as_json))

    tell(with_app(options, act), as_json=as_json)


def _confirm(name: str, what: str) -> None:
    """Raise ``UsageError`` unless the queue's name is typed."""
    try:
        typed = click.prompt(
            f"This deletes {what} jobs for good. Type the name of the queue to go on", err=True
        )
    except click.Abort:
        raise streamq.UsageError("nothing is deleted: type the name of the queue, or use --yes") from None
    if typed != name:
        raise streamq.UsageError(f"nothing is deleted: {typed!r} is not the name of the queue")


_DONE: Final = {"retry": "retried", "cancel": "cancelled", "promote": "promoted"}
"""What was done to the jobs, where that is not their end."""


async def followed(begun: streamq.Operation, wait: float | None, *, shown: bool) -> streamq.OperationRecord:
    """The operation when it has ended, with a bar at a terminal while it goes on."""
    from asyncio import CancelledError  # noqa: PLC0415  # --help need not pay for it

    with progress((await begun.status()).total if shown else 0) as show:
        try:
            return await begun.wait(wait, on_step=lambda record: show(record.done))
        except CancelledError:
            complain(f"{begun.id} goes on; to end it: streamq operation cancel {begun.id}")
            raise


def tell(record: streamq.OperationRecord, *, as_json: bool) -> None:
    """Print how far an operation is."""
    if as_json:
        echo_json(record.asdict())
    else:
        done = _DONE.get(record.kind, "deleted")
        why = f"; {record.reason}" if record.reason else ""
        skipped = f", {record.skipped:,} skipped" if record.skipped else ""
        said = f"{record.done:,} of {record.total:,} jobs {done}{skipped}{why}"
        say(f"{record.kind} {record.id} is {record.state}: {said}")


@operation.command()
@server
@as_json
def ls(as_json: bool, **options: Any) -> None:
    """List the operations of all queues that run, or ended in the last day, the latest first.

    \b
    Example:
      streamq operation ls
    """
    found = [record.asdict() for record in with_app(options, lambda app: app.operations())]
    if as_json:
        echo_json({"operations": found})
    else:
        shown = ("id", "kind", "state", "done", "total", "by", "created_at")
        table(
            [{name: row[name] for name in shown} for row in found], "no operation runs, or has ended lately"
        )


@operation.command("get")
@click.argument("operation_id")
@server
@as_json
def get_operation(operation_id: str, as_json: bool, **options: Any) -> None:
    """Show how far an operation is.

    \b
    Example:
      streamq operation get sms.0123456789abcdef
    """
    tell(with_app(options, lambda app: app.operation(operation_id).status()), as_json=as_json)


@operation.command("cancel")
@click.argument("operation_id")
@server
@as_json
def cancel_operation(operation_id: str, as_json: bool, **options: Any) -> None:
    """End an operation where it is; what it has done stays done.

    \b
    Example:
      streamq operation cancel sms.0123456789abcdef
    """
    tell(with_app(options, lambda app: app.operation(operation_id).cancel()), as_json=as_json)
