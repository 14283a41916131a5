"""``streamq schedule``: look at, make and steer schedules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

import streamq
from streamq.cli import Group
from streamq.cli.changes import payload_of
from streamq.cli.jobs import warn_of_idle
from streamq.cli.names import QUEUE, SCHEDULE, TASK, warn_of_unknown_task
from streamq.cli.options import Option, as_json, by_actor, of_table, server, with_app
from streamq.cli.outlet import echo_json, say, table
from streamq.model.typed import typed

Command = Callable[..., Any]
NAMED = click.argument("name", type=SCHEDULE)


@click.group(cls=Group)
def schedule() -> None:
    """Look at and steer schedules.

    \b
    Example:
      streamq schedule ls
    """


def of_times(command: Command) -> Command:
    """A flag for each option of a schedule."""
    command = click.option(
        "--blackout", "blackouts", cls=Option, multiple=True, metavar="FROM/TO",
        help="No run from the one to the other: times of day, dates or moments, such as 22:00/06:00. May be repeated.",
    )(command)  # fmt: skip
    command = click.option(
        "--holidays", cls=Option, metavar="COUNTRY[-PART]",
        help="No run on the holidays of a country, such as DE or DE-BY; needs the extra `calendar`.",
    )(command)  # fmt: skip
    return of_table(command, streamq.SCHEDULING.values())


def _taken(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a schedule, taken out of all that were typed."""
    taken = {name: options.pop(name) for name in streamq.SCHEDULING}
    holidays, blackouts = options.pop("holidays"), options.pop("blackouts")
    windows = [_window(text) for text in blackouts]
    taken["calendar"] = streamq.Calendar(holidays, windows) if holidays or windows else None
    return {name: value for name, value in taken.items() if value is not None}


def _window(text: str) -> tuple[str, str]:
    begin, found, end = text.partition("/")
    if not found:
        raise streamq.UsageError(
            "a black-out window is FROM/TO, such as 22:00/06:00 or 2026-12-24/2027-01-01"
        )
    return begin, end


def _show(record: streamq.ScheduleRecord, *, as_json: bool) -> None:
    from streamq.model import codec  # noqa: PLC0415  # --help need not pay for it

    said = record.asdict()
    if as_json:
        echo_json(said)
        return
    for name, value in said.items():
        if value not in (None, [], {}):
            say(f"{name:<16} {value if isinstance(value, str) else codec.dumps(value).decode()}")


def _show_times(times: Sequence[streamq.PlannedTime], *, as_json: bool) -> None:
    said = [each.asdict() for each in times]
    if as_json:
        echo_json({"times": said})
    else:
        table(
            [{"local": each["local"], "utc": each["at"], "note": each["note"]} for each in said],
            "no run comes",
        )


def _when(of: streamq.Schedule) -> str:
    """When it runs, in one cell."""
    if of.cron is not None:
        return f"{of.cron} {of.zone}"
    return f"every {of.every:g} s" if of.every is not None else f"at {of.at}"


@schedule.command()
@server
@as_json
def ls(as_json: bool, **options: Any) -> None:
    """List the schedules. One that no worker's code declares any more is marked as orphaned.

    \b
    Example:
      streamq schedule ls
    """

    async def look(app: streamq.App) -> Sequence[streamq.ScheduleRecord]:
        return await app.schedules.list()

    records = with_app(options, look)
    if as_json:
        echo_json({"schedules": [record.asdict() for record in records]})
        return
    rows = [
        {
            "name": each.name, "state": each.state + (", orphaned" if each.orphaned else ""),
            "when": _when(each.schedule), "queue": each.schedule.queue, "task": each.schedule.task,
            "next": each.asdict()["next_at"], "last": each.asdict()["last_planned_at"], "runs": each.runs,
            "skipped": each.skipped, "missed": each.missed,
        }
        for each in records
    ]  # fmt: skip
    table(rows, "no schedule yet")


@schedule.command()
@NAMED
@server
@as_json
def get(name: str, as_json: bool, **options: Any) -> None:
    """Show everything known of a schedule.

    \b
    Example:
      streamq schedule get report
    """
    _show(with_app(options, lambda app: app.schedules.get(name)), as_json=as_json)


@schedule.command()
@NAMED
@click.argument("queue", type=QUEUE)
@click.argument("task", type=TASK)
@click.option(
    "--payload", cls=Option, default="null", metavar="JSON",
    help="The payload of its jobs; @FILE reads it from a file, - from standard input.",
)  # fmt: skip
@of_times
@click.option(
    "--version", cls=Option, type=click.IntRange(0), metavar="NUMBER",
    help="Only if it is at this version; 0: only if there is none of this name.",
)  # fmt: skip
@by_actor
@server
@as_json
def put(
    name: str, queue: str, task: str, payload: str, version: int | None, as_json: bool, **options: Any
) -> None:  # fmt: skip
    """Make a schedule, or change it to what is given.

    \b
    Examples:
      streamq schedule put report default report --cron '0 9 * * MON-FRI' --zone Europe/Berlin
      streamq schedule put sweep default sweep --every 5m --overlap skip --blackout 22:00/06:00
    """
    text, times = payload_of(payload), _taken(options)

    async def act(app: streamq.App) -> streamq.ScheduleRecord:
        app.queue(queue)  # an invalid name is an error, not a new queue
        await warn_of_idle(app, queue)
        await warn_of_unknown_task(app, task)
        return await app.schedules.put(name, queue=queue, task=task, payload=text, version=version, **times)

    _show(with_app(options, act), as_json=as_json)


@schedule.command()
@NAMED
@by_actor
@server
@as_json
def rm(name: str, as_json: bool, **options: Any) -> None:
    """Remove a schedule. Jobs that it has enqueued stay.

    \b
    Example:
      streamq schedule rm report
    """
    with_app(options, lambda app: app.schedules.remove(name))
    if as_json:
        echo_json({"removed": name})


@schedule.command()
@NAMED
@by_actor
@server
@as_json
def run(name: str, as_json: bool, **options: Any) -> None:
    """Run a schedule now, beside what is planned.

    \b
    Example:
      streamq schedule run report
    """
    job = with_app(options, lambda app: app.schedules.run(name))
    if as_json:
        echo_json({"id": job.id, "queue": job.queue, "task": job.task})
    else:
        say(f"job {job.id} on {job.queue}: {typed('job get', job.queue, job.id)}")


@schedule.command()
@NAMED
@click.option("--reason", cls=Option, default="", help="Why, for those who look at it.")
@by_actor
@server
@as_json
def pause(name: str, reason: str, as_json: bool, **options: Any) -> None:
    """Let a schedule rest until it is resumed.

    \b
    Example:
      streamq schedule pause report --reason 'the provider is down'
    """
    _show(with_app(options, lambda app: app.schedules.pause(name, reason=reason)), as_json=as_json)


@schedule.command()
@NAMED
@by_actor
@server
@as_json
def resume(name: str, as_json: bool, **options: Any) -> None:
    """Let a paused schedule run again, from its next planned time on.

    \b
    Example:
      streamq schedule resume report
    """
    _show(with_app(options, lambda app: app.schedules.resume(name)), as_json=as_json)


@schedule.command()
@click.argument("name", required=False, type=SCHEDULE)
@of_times
@click.option(
    "--count",
    cls=Option,
    type=click.IntRange(1, 100),
    default=5,
    show_default=True,
    help="How many; 1 to 100.",
)
@server
@as_json
def preview(name: str | None, count: int, as_json: bool, **options: Any) -> None:
    """Show the next planned times, with a note where clocks are set. Without NAME, those of the options.

    \b
    Examples:
      streamq schedule preview report --count 10
      streamq schedule preview --cron '30 2 * * *' --zone Europe/Berlin
    """
    times = _taken(options)
    if (name is None) is not bool(times):
        raise streamq.UsageError("name a schedule, or say when one would run: --cron, --every or --at")

    _show_times(_planned(name, count, times, options), as_json=as_json)


def _planned(
    name: str | None, count: int, times: dict[str, Any], options: dict[str, Any]
) -> Sequence[streamq.PlannedTime]:
    """The next planned times: those of a schedule that is kept, or, without a server, those of the options."""
    if name is None:
        schedules = streamq.App().schedules
        return schedules.preview(
            schedules.made("preview", queue="preview", task="preview", options=times), count
        )

    async def look(app: streamq.App) -> Sequence[streamq.PlannedTime]:
        return app.schedules.preview((await app.schedules.get(name)).schedule, count)

    return with_app(options, look)
