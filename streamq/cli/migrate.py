"""``streamq migrate``: queues move to another server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

import streamq
from streamq.cli.ending import code_of
from streamq.cli.names import QUEUE
from streamq.cli.options import DURATION, Option, as_json, server, settings_of, with_app
from streamq.cli.outlet import complain, echo_json, progress, say, table
from streamq.exits import Exit

if TYPE_CHECKING:
    from streamq.store.store import Store


@click.command()
@click.option(
    "--to", cls=Option, required=True, metavar="URL", help="Address of the server where they are to be."
)
@click.option(
    "--to-prefix",
    cls=Option,
    metavar="TEXT",
    help="How all keys begin there. Default: as here, by STREAMQ_PREFIX.",
)
@click.option(
    "--queue", cls=Option, type=QUEUE, multiple=True, metavar="QUEUE",
    help="Only these, and names of records; may be given several times. Default: all of the prefix.",
)  # fmt: skip
@click.option(
    "--dry-run", cls=Option, is_flag=True, help="Only tell what would move, and what is in the way."
)
@click.option(
    "--undo", cls=Option, is_flag=True, help="Give up moves that are under way: the queues open here again."
)
@click.option(
    "--wait", cls=Option, type=DURATION, metavar="DURATION",
    help="Wait so long at most for jobs that run, and end with 5 then. Default: until they have ended.",
)  # fmt: skip
@server
@as_json
def migrate(
    to: str, to_prefix: str | None, queue: tuple[str, ...], dry_run: bool, undo: bool, wait: float | None,
    as_json: bool, **options: Any,
) -> int:  # fmt: skip
    """Move queues to another server with all they have, without losing or repeating a job.

    Each is closed here when its last job has ended, copied, compared, and opened there. Killed at any moment, the same
    command goes on. A dry run that finds something in the way ends with the exit code with which the move would.

    \b
    Examples:
      streamq migrate --to redis+cluster://n1,n2,n3 --dry-run
      streamq migrate --to redis+cluster://n1,n2,n3 --queue sms --wait 10m
      streamq migrate --to redis+cluster://n1,n2,n3 --queue sms --undo
    """

    async def act(app: streamq.App) -> list[dict[str, Any]]:
        prefix = app.settings.prefix if to_prefix is None else to_prefix
        async with streamq.App(settings_of("--to", to, prefix=prefix)) as there:
            source, target = app.client.store, there.client.store
            chosen = await _chosen(source, queue, undo=undo)
            if dry_run:
                from streamq.moving.whole import Whole  # noqa: PLC0415  # --help need not pay for it

                return [(await Whole(source, target, *each).planned()).asdict() for each in chosen.items()]
            return [
                await _each(source, target, name, of, undo=undo, wait=wait, shown=not as_json)
                for name, of in chosen.items()
            ]

    return _tell(with_app(options, act), dry_run=dry_run, as_json=as_json)


async def _chosen(source: Store, queues: Sequence[str], *, undo: bool) -> dict[str, list[str]]:
    """The queues that are named; else all that have not left yet, or to ``undo``, all that are under way: each with its
    partitions. Raises ``QueueNotFound`` for one that is not there."""
    from streamq.cli.ending import QueueNotFound  # noqa: PLC0415  # as above
    from streamq.cli.options import nearest  # noqa: PLC0415
    from streamq.model.moving import LEFT, UNDER_WAY  # noqa: PLC0415
    from streamq.moving.whole import by_queue  # noqa: PLC0415  # as above

    there = by_queue(await source.migrations.names())
    for name in queues:
        if name not in there:
            raise QueueNotFound(f"there is no queue {name!r}{nearest(name, set(there))}")
    if queues:
        return {name: there[name] for name in sorted(queues)}
    phases = {
        name: {(await source.migrations.state(each)).phase for each in of} for name, of in there.items()
    }
    return {
        name: there[name] for name, found in sorted(phases.items())
        if (found & {*UNDER_WAY} if undo else found != {LEFT})
    }  # fmt: skip


async def _each(
    source: Store, target: Store, name: str, of: Sequence[str], *, undo: bool, wait: float | None, shown: bool
) -> dict[str, Any]:
    from streamq.moving.whole import Whole  # noqa: PLC0415  # --help need not pay for it

    if undo:
        await Whole(source, target, name, of).undo()
        return {"queue": name, "state": "open here"}
    heard: list[str] = []

    def heard_once(line: str) -> None:
        if shown and heard[-1:] != [line]:
            heard.append(line)
            complain(line)

    with progress(sum([await source.migrations.size(each) for each in of]) if shown else 0) as bar:
        done = 0

        def copied(count: int) -> None:
            nonlocal done
            done += count
            bar(done)

        moved = await Whole(source, target, name, of, wait=wait, say=heard_once, told=copied).run()
    return moved.asdict()


def _tell(found: list[dict[str, Any]], *, dry_run: bool, as_json: bool) -> int:
    """Print what has moved, or would; returns the exit code."""
    refused = next(
        (streamq.MoveRefused(row["queue"], row["problem"]) for row in found if row.get("problem")), None
    )
    if as_json:
        echo_json({"queues": found})
    else:
        _say(found, dry_run=dry_run, is_refused=refused is not None)
    return code_of(refused) if refused else Exit.DONE


def _say(found: list[dict[str, Any]], *, dry_run: bool, is_refused: bool) -> None:
    rows = []
    for row in found:
        counts, problem = row.pop("counts", {}), row.pop("problem", "")
        rows.append({**row, **counts, "problem": problem} if dry_run else {**row, **counts})
    table(rows, "there is no queue")
    if is_refused:
        say("nothing was changed: a queue with a problem is refused, and none after it moves")
    elif dry_run:
        say("nothing was changed: leave out --dry-run to move them")
