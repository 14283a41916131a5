"""``streamq queue``: look at and steer a queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

import click

import streamq
from streamq.cli import Group
from streamq.cli.group import given_of, limiting
from streamq.cli.names import QUEUE, TASK, warn_of_unknown_task
from streamq.cli.operation import followed, tell
from streamq.cli.options import (
    DURATION,
    Command,
    Option,
    as_json,
    by_actor,
    flag,
    pausing,
    refuse_unknown,
    server,
    with_app,
)
from streamq.cli.outlet import echo_json, say
from streamq.model import states
from streamq.model.counted import counted
from streamq.model.limit import OF_QUEUE

PURGED: Final = tuple(state.value for state in states.PURGED)


@click.group(cls=Group)
def queue() -> None:
    """Look at a queue, pause it, bound it, empty it.

    \b
    Example:
      streamq queue pause sms --reason "provider down" --until 30m
    """


_task = click.option("--task", cls=Option, type=TASK, metavar="TASK", help="Only the jobs of this task.")


def _on(
    name: str, options: dict[str, Any], act: Callable[[streamq.Queue], Awaitable[object]], *, as_json: bool
) -> None:
    """Do something to a queue that is known, and show what is known of it then."""

    async def acted(app: streamq.App) -> dict[str, Any]:
        of = app.queue(name)
        await refuse_unknown(app, name)
        await warn_of_unknown_task(app, click.get_current_context().params.get("task"))
        await act(of)
        said = await of.limits()
        limits = {
            scope: {"code": each.code.asdict(), "told": each.told.asdict()} for scope, each in said.items()
        }
        told, partitions = (await of.steering()).asdict(), (await of.partitions()).asdict()
        counts = (await of.counts()).asdict()
        return {"queue": name, "counts": counts, **told, "limits": limits, "partitions": partitions}

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
        "partitions": _partitions(said["partitions"]),
        **{name: _pause(pause) for name, pause in pauses.items() if pause}, **_kept("keeps", said["retention"]),
        **{f"limit of {scope}": _limit(limit) for scope, limit in said["limits"].items()},
    }  # fmt: skip
    for name, value in rows.items():
        if value is not None:
            say(f"{name:<12} {value}")


def _kept(what: str, said: dict[str, Any]) -> dict[str, str]:
    """What was told of a retention, a line for the queue and for each task."""
    tasks = said.get("tasks", {})
    told = {part: said[part] for part in streamq.KEEPING if said[part] is not None}
    parts = [f"{part} {value:,.15g}{' s' if part.endswith('_for') else ''}" for part, value in told.items()]
    lines = {what: ", ".join(parts)} if parts else {}
    for name, kept in tasks.items():
        lines |= _kept(f"{what} of task {name}", kept)
    return lines


def _partitions(said: dict[str, Any]) -> str | None:
    """How many partitions, and what becomes of a change; nothing of a queue that has one."""
    if said["phase"] == "closing":
        return f"{said['count']}, from {said['was']}: it is found out what stays where it is (closing)"
    if said["phase"] == "moving":
        stay = [*said["examples"], *["..."][: said["staying"] > len(said["examples"])]]
        return f"{said['count']}, from {said['was']}; still where they were: {said['staying']:,} ({', '.join(stay)})"
    if said["reach"] > said["count"]:
        return f"{said['count']}; {said['reach'] - said['count']} more are drained"
    return str(said["count"]) if said["count"] > 1 else None


def _limit(limit: dict[str, Any]) -> str:
    """A limit on one line: what was told goes before what code says."""
    return ", ".join(f"{part} {value}" for part, value in (limit["code"] | limit["told"]).items())


def _pause(pause: dict[str, Any]) -> str:
    """A pause on one line."""
    parts = {"since": pause["since"], "until": pause["until"], "by": pause["by"]}
    said = [f"{name} {value}" for name, value in parts.items() if value]
    return "; ".join([pause["reason"] or "yes", *said])


@queue.command()
@click.argument("name", type=QUEUE)
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
@click.argument("name", type=QUEUE)
@_task
@pausing
@by_actor
@server
@as_json
def pause(
    name: str, task: str | None, reason: str, until: float | datetime | None, as_json: bool, **options: Any
) -> None:  # fmt: skip
    """Start no job of a queue, or of one task in it; what runs goes on.

    \b
    Examples:
      streamq queue pause sms --reason "provider down" --until 30m
      streamq queue pause default --task report
    """
    _on(name, options, lambda of: of.pause(reason, until=until, task=task), as_json=as_json)


@queue.command()
@click.argument("name", type=QUEUE)
@_task
@by_actor
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
@click.argument("name", type=QUEUE)
@_task
@limiting(*OF_QUEUE)
@click.option(
    "--max-waiting", cls=Option, type=click.IntRange(0), help="Jobs that may wait; more are refused."
)
@click.option("--unlimited", cls=Option, is_flag=True, help="Any number of jobs may wait.")
@by_actor
@server
@as_json
def limit(
    name: str, task: str | None, max_waiting: int | None, unlimited: bool, as_json: bool, **options: Any
) -> None:
    """Limit how many jobs of a queue, or of one task in it, run at once, start in a time, and wait.

    \b
    Examples:
      streamq queue limit sms --concurrency 50 --rate 100/s
      streamq queue limit sms --task send_sms --rate default
      streamq queue limit sms --max-waiting 100000
    """
    given = given_of(options, *OF_QUEUE)
    if max_waiting is not None and unlimited:
        raise streamq.UsageError("say --max-waiting NUMBER or --unlimited, not both")
    if max_waiting is not None or unlimited:
        given["max_waiting"] = max_waiting
    if not given:
        raise streamq.UsageError(
            f"say which limit: {', '.join(map(flag, OF_QUEUE))}, --max-waiting NUMBER or --unlimited"
        )
    _on(name, options, lambda of: of.limit(task=task, **given), as_json=as_json)


def _keeping(command: Command) -> Command:
    """An option for each part of a retention."""
    for option in reversed([*streamq.KEEPING.values()]):
        kind: Any = _OrDefault(DURATION if option.form == "duration" else click.IntRange(0))
        metavar = "DURATION|default" if option.form == "duration" else "NUMBER|default"
        command = click.option(flag(option.name), cls=Option, type=kind, metavar=metavar, help=option.help)(
            command
        )
    return command


class _OrDefault(click.ParamType):  # type: ignore[type-arg]  # it has none before click 8.4
    """A value, or ``default`` for what the settings or the task's code say."""

    name = "value"

    def __init__(self, kind: click.ParamType) -> None:  # type: ignore[type-arg]
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == "default" else self._kind.convert(value, param, ctx)


@queue.command()
@click.argument("name", type=QUEUE)
@_task
@_keeping
@by_actor
@server
@as_json
def retention(name: str, task: str | None, as_json: bool, **options: Any) -> None:
    """Say how many records of finished jobs a queue keeps, or a task in it; without an option, show it.

    \b
    Examples:
      streamq queue retention sms --completed 5000 --failed-for 14d
      streamq queue retention sms --task heartbeat --completed 0
      streamq queue retention sms --completed default
    """
    given = {part: options.pop(part) for part in streamq.KEEPING}
    told = {part: None if value == "default" else value for part, value in given.items() if value is not None}
    if task is not None and not told:
        raise streamq.UsageError("say what is kept of the task: --completed, --failed, and for how long")

    async def act(of: streamq.Queue) -> None:
        if told:
            await of.keep(task=task, **told)

    _on(name, options, act, as_json=as_json)


@queue.command()
@click.argument("name", type=QUEUE)
@click.argument("count", type=int, required=False)
@by_actor
@server
@as_json
def partition(name: str, count: int | None, as_json: bool, **options: Any) -> None:
    """Say over how many partitions the jobs of a queue are spread, 1 to 64; without a number, show it.

    \b
    Examples:
      streamq queue partition sms 16
      streamq queue partition sms
    """

    async def act(of: streamq.Queue) -> None:
        if count is not None:
            await of.partition(count)

    _on(name, options, act, as_json=as_json)


@queue.command()
@click.argument("name", type=QUEUE)
@click.option("--purge", cls=Option, is_flag=True, help="Also a queue that has jobs, records or schedules.")
@click.option("--yes", cls=Option, is_flag=True, help="Do not ask for the name of the queue.")
@by_actor
@server
@as_json
def rm(name: str, purge: bool, yes: bool, as_json: bool, **options: Any) -> None:
    """Remove a queue that nobody serves and that is empty. With --purge, asks for its name before.

    After `streamq migrate` it removes, where the queue was, what says where it is now.

    \b
    Examples:
      streamq queue rm old-imports
      streamq queue rm old-imports --purge --yes
    """

    async def act(app: streamq.App) -> None:
        of = app.queue(name)
        if not await app.client.store.migrations.door(name):  # one that has moved is on no list
            await refuse_unknown(app, name)
        if purge and not yes:
            _confirm(name, f"the queue and all of its {sum((await of.counts()).asdict().values()):,}")
        await of.remove(purge=purge)

    with_app(options, act)
    if as_json:
        echo_json({"deleted": name})
    else:
        say(f"queue {name} is removed")


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
        by_actor, server, as_json,
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@queue.command()
@click.argument("name", type=QUEUE)
@click.option(
    "--state", cls=Option, multiple=True, type=click.Choice(PURGED),
    help="Only these jobs; may be given several times. Default: all but those that run.",
)  # fmt: skip
@_deleting
def purge(name: str, state: tuple[str, ...], yes: bool, **options: Any) -> None:
    """Delete jobs and records of a queue for good, all but those that run. Asks for the queue's name before.

    \b
    Examples:
      streamq queue purge sms --state failed
      streamq queue purge sms --yes --no-wait
    """
    chosen = state or PURGED
    _delete(name, chosen, lambda of: of.purge(chosen), yes=yes, **options)


@queue.command()
@click.argument("name", type=QUEUE)
@click.option("--delayed", cls=Option, is_flag=True, help="The delayed and held jobs, too.")
@_deleting
def drain(name: str, delayed: bool, yes: bool, **options: Any) -> None:
    """Delete the jobs of a queue that wait, for good; records stay. Asks for the queue's name before.

    \b
    Example:
      streamq queue drain sms
    """
    chosen = PURGED[:3] if delayed else ("waiting",)
    _delete(name, chosen, lambda of: of.drain(delayed=delayed), yes=yes, **options)


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
                name,
                ", ".join(counted(counts[state], f"{state} job") for state in states if counts[state])
                or "no job",
            )
        begun = await begin(of)
        return await (begun.status() if no_wait else followed(begun, wait, shown=not as_json))

    tell(with_app(options, act), as_json=as_json)


def _confirm(name: str, what: str) -> None:
    """Raise ``UsageError`` unless the queue's name is typed."""
    try:
        typed = click.prompt(f"This deletes {what} for good. Type the name of the queue to go on", err=True)
    except click.Abort:
        raise streamq.UsageError("nothing is deleted: type the name of the queue, or use --yes") from None
    if typed != name:
        raise streamq.UsageError(f"nothing is deleted: {typed!r} is not the name of the queue")
