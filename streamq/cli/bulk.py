"""``streamq job … --q FILTER --all``: what is done to all jobs that a filter means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import click

import streamq
from streamq.cli.operation import followed, tell
from streamq.cli.options import DURATION, Command, Option, refuse_unknown, with_app
from streamq.cli.outlet import LONGEST, echo_json, say
from streamq.exits import Exit
from streamq.model.counted import counted
from streamq.model.typed import typed

Begin = Callable[["streamq.Queue"], Awaitable["streamq.Operation"]]

rated = click.option(
    "--rate", cls=Option, metavar="N/s", help="Jobs a second at most, such as 50/s or 10/m; with --all."
)
canary = click.option(
    "--canary", cls=Option, type=click.IntRange(1, 100),
    help="So many jobs first; stop, if one of them fails again; with --all.",
)  # fmt: skip


def by_filter(command: Command) -> Command:
    """The options of a command that takes a job, or a filter."""
    options = (
        click.option("--q", cls=Option, metavar="FILTER", help="The jobs that a filter means; with --all."),
        click.option("--all", cls=Option, is_flag=True, help="All of them: in the background."),
        click.option("--dry-run", cls=Option, is_flag=True, help="With --q: tell how many there are, and do nothing."),
        click.option("--no-wait", cls=Option, is_flag=True, help="With --all: set it off, and return at once."),
        click.option(
            "--wait", cls=Option, type=DURATION, metavar="DURATION",
            help="With --all: wait so long at most, and end with 5 when it still goes on.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def is_bulk(queue: str, job_id: str | None, chosen: dict[str, Any], **others: Any) -> bool:
    """Whether a filter was typed, and not a job. Raises ``UsageError`` for both, for none, and without ``--all``.

    So it does for ``others``, which go with a filter alone, and not with the id of a job.
    """
    text, every = chosen["q"], chosen["all"]
    if (text is None) == (job_id is None):
        raise streamq.UsageError("say which: the id of one job, or --q FILTER --all")
    if job_id is not None and every:
        raise streamq.UsageError("--all goes with --q FILTER, not with the id of a job")
    alone = {"no_wait": chosen["no_wait"] or None, "wait": chosen["wait"], **others}
    for name, given in alone.items():
        if job_id is not None and given is not None:
            raise streamq.UsageError(
                f"--{name.replace('_', '-')} goes with --q FILTER --all, not with a job's id"
            )
    if chosen["dry_run"] and text is None:
        raise streamq.UsageError("--dry-run goes with --q FILTER, not with the id of a job")
    if text is not None and not every and not chosen["dry_run"]:
        raise streamq.UsageError(
            f"to change all of these jobs add --all, to count them --dry-run; to see them: {_listing(queue, text)}"
        )
    return text is not None


def _listing(queue: str, text: str) -> str:
    """The command that lists the jobs of a filter. A long one is not said again: a line of an error is cut off."""
    said = typed("job ls", queue, q=text)
    return (
        said if len(said) <= LONGEST // 2 else f"{typed('job ls', queue, q='FILTER')}, with the same FILTER"
    )


def taken(kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a filter, taken out of all that were typed, and what is to be done."""
    return {"kind": kind, **{name: options.pop(name) for name in ("q", "all", "dry_run", "no_wait", "wait")}}


def run(queue: str, chosen: dict[str, Any], options: dict[str, Any], begin: Begin, *, as_json: bool) -> int:
    """Set an operation off, and follow it to its end, or only count its jobs. Returns the exit code."""
    if chosen.get("dry_run"):
        return _count(queue, chosen, options, as_json=as_json)

    async def act(app: streamq.App) -> streamq.OperationRecord:
        await refuse_unknown(app, queue)
        begun = await begin(app.queue(queue))
        if chosen["no_wait"]:
            return await begun.status()
        return await followed(begun, chosen["wait"], shown=not as_json)

    record = with_app(options, act)
    tell(record, as_json=as_json)
    return Exit.FAILED if record.state == "stopped" else 0


def _count(queue: str, chosen: dict[str, Any], options: dict[str, Any], *, as_json: bool) -> int:
    async def look(app: streamq.App) -> streamq.Counted:
        await refuse_unknown(app, queue)
        return await app.queue(queue).count_all(chosen["kind"], chosen["q"], patience=60.0)

    found = with_app(options, look)
    if as_json:
        echo_json(found.asdict())
    else:
        least = "" if found.exact else "at least "
        say(f"{least}{counted(found.count, 'job')}; to {chosen['kind']} all of them add --all")
    return 0
