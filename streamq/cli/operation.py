"""``streamq operation``: follow what was set off in the background, and end it."""

from __future__ import annotations

from typing import Any

import click

import streamq
from streamq.cli import Group
from streamq.cli.names import OPERATION
from streamq.cli.options import as_json, by_actor, server, with_app
from streamq.cli.outlet import complain, echo_json, progress, say, table
from streamq.model.counted import counted
from streamq.model.typed import typed


@click.group(cls=Group)
def operation() -> None:
    """Look at background operations, such as a purge or a retry by filter, and end them.

    \b
    Example:
      streamq operation ls
    """


def tell(record: streamq.OperationRecord, *, as_json: bool) -> None:
    """Print how far an operation is."""
    if as_json:
        echo_json(record.asdict())
    else:
        from streamq.model.operation import DONE  # noqa: PLC0415  # --help need not pay for it

        done = DONE.get(record.kind, "deleted")
        why = f"; {record.reason}" if record.reason else ""
        skipped = f", {record.skipped:,} skipped" if record.skipped else ""
        said = f"{record.done:,} of {counted(record.total, 'job')} {done}{skipped}{why}"
        say(f"{record.kind} {record.id} is {record.state}: {said}")


async def followed(begun: streamq.Operation, wait: float | None, *, shown: bool) -> streamq.OperationRecord:
    """The operation when it has ended, with a bar at a terminal while it goes on."""
    from asyncio import CancelledError  # noqa: PLC0415  # --help need not pay for it

    with progress((await begun.status()).total if shown else 0) as show:
        try:
            return await begun.wait(wait, on_step=lambda record: show(record.done))
        except CancelledError:
            complain(f"{begun.id} goes on; to end it: {typed('operation cancel', begun.id)}")
            raise


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
@click.argument("operation_id", type=OPERATION)
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
@click.argument("operation_id", type=OPERATION)
@by_actor
@server
@as_json
def cancel_operation(operation_id: str, as_json: bool, **options: Any) -> None:
    """End an operation where it is; what it has done stays done.

    \b
    Example:
      streamq operation cancel sms.0123456789abcdef
    """
    tell(with_app(options, lambda app: app.operation(operation_id).cancel()), as_json=as_json)
