"""``streamq group``: look at the groups of a queue, limit, pause and resume them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

import click

import streamq
from streamq.cli import Group
from streamq.cli.names import QUEUE
from streamq.cli.options import (
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
from streamq.cli.outlet import echo_json, say, table
from streamq.model.limit import OF_GROUP, ORDERS, TURNS


@click.group(cls=Group)
def group() -> None:
    """Look at the groups of a queue, limit, pause and resume them.

    \b
    Example:
      streamq group limit sms 66338 --concurrency 2 --rate 10/s
    """


class _Part(click.ParamType):  # type: ignore[type-arg]  # it has none before click 8.4
    """A part of a limit; ``default`` takes it back."""

    name = "part"

    def __init__(self, kind: click.ParamType | type) -> None:  # type: ignore[type-arg]
        self._kind = click.types.convert_type(kind)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value in ("default", "unlimited") else self._kind.convert(value, param, ctx)


_PARTS: Final = {
    "concurrency": (_Part(int), "NUMBER|unlimited|default", "Jobs that run at once, on all workers together."),
    "rate": (_Part(str), "N/TIME|unlimited|default", "Starts in any time so long, such as 10/s or 100/5m."),
    "weight": (_Part(float), "NUMBER|default", "Its share beside other groups that wait; 1 is usual."),
    "max_waiting": (_Part(int), "NUMBER|unlimited|default", "Its jobs that may wait; more are refused."),
    "turns": (_Part(click.Choice(TURNS)), "jobs|time|default", "By what its groups take turns."),
    "breaker": (
        _Part(str), "SHARE/TIME|unlimited|default", "Close the gate for a while when so many fail, such as 50%/1m.",
    ),
    "shared": (_Part(str), "NAME|default", "The shared limit from which its jobs draw."),
    "order": (
        _Part(click.Choice(ORDERS)), "strict|pass|default",
        "Whether the next of it may pass a job that waits for its next attempt.",
    ),
}  # fmt: skip


def limiting(*names: str) -> Callable[[Command], Command]:
    """An option for each of these parts of a limit."""

    def decorate(command: Command) -> Command:
        for name in reversed(names):
            kind, metavar, said = _PARTS[name]
            command = click.option(flag(name), cls=Option, type=kind, metavar=metavar, help=said)(command)
        return command

    return decorate


def given_of(options: dict[str, Any], *names: str) -> dict[str, Any]:
    """The parts that were typed, taken out of the options of a command."""
    typed = {name: options.pop(name) for name in names}
    return {name: None if value == "default" else value for name, value in typed.items() if value is not None}


def _on(
    queue: str, name: str, options: dict[str, Any], act: Callable[[streamq.Group], Awaitable[object]], *, as_json: bool
) -> None:  # fmt: skip
    """Do something to a group of a queue that is known, and show how it is then."""

    async def acted(app: streamq.App) -> dict[str, Any]:
        of = app.queue(queue).group(name)
        await refuse_unknown(app, queue)
        await act(of)
        if name in ("*", "*:*"):
            said = (await app.queue(queue).limits()).get(f"group:{name}")
            return (
                {"name": name, "code": said.code.asdict(), "told": said.told.asdict()}
                if said
                else {"name": name}
            )
        return (await of.status()).asdict()

    shown_parts(with_app(options, acted), as_json=as_json)


async def _nothing(_: streamq.Group) -> None:
    """The group is only looked at."""


def shown_parts(said: dict[str, Any], *, as_json: bool) -> None:
    """Show what is known of one thing, a line for each part that says something."""
    if as_json:
        echo_json(said)
        return
    for name, value in said.items():
        parts = value.items() if isinstance(value, dict) else ()
        text = ", ".join(f"{part} {each}" for part, each in parts if each) if parts else value
        if text not in (None, "", {}):
            say(f"{name.replace('_', ' '):<12} {text}")


@group.command("ls")
@click.argument("queue", type=QUEUE)
@click.option("--longest", cls=Option, is_flag=True, help="Those first whose jobs have waited longest.")
@click.option("--limit", cls=Option, type=click.IntRange(1, 200), default=50, help="How many to list.")
@server
@as_json
def listed(queue: str, longest: bool, limit: int, as_json: bool, **options: Any) -> None:
    """List the groups of a queue of which jobs wait, those with most first.

    \b
    Examples:
      streamq group ls sms
      streamq group ls sms --longest --limit 10
    """

    async def act(app: streamq.App) -> list[streamq.GroupStatus]:
        await refuse_unknown(app, queue)
        return await app.queue(queue).groups(order="longest" if longest else "busiest", limit=limit)

    found = with_app(options, act)
    if as_json:
        echo_json([each.asdict() for each in found])
        return
    rows = [
        {
            "group": each.name, "waiting": each.waiting, "active": each.active, "oldest": f"{each.age:.0f} s",
            "limit": words(each.limit), "paused": until_when(each.paused),
        }
        for each in found
    ]  # fmt: skip
    table(rows, "no job waits in a group")


def words(limit: streamq.Limit) -> str:
    """A limit in a table."""
    return ", ".join(f"{name} {value}" for name, value in limit.asdict().items())


def until_when(pause: streamq.Pause | None) -> str | None:
    """A pause in a table."""
    if pause is None:
        return None
    return f"until {pause.asdict()['until']}" if pause.until else "yes"


@group.command()
@click.argument("queue", type=QUEUE)
@click.argument("name", metavar="GROUP")
@server
@as_json
def get(queue: str, name: str, as_json: bool, **options: Any) -> None:
    """Show how many jobs of a group wait and are active, its limit, and whether it is paused.

    \b
    Example:
      streamq group get sms 66338
    """
    _on(queue, name, options, _nothing, as_json=as_json)


@group.command()
@click.argument("queue", type=QUEUE)
@click.argument("name", metavar="GROUP")
@limiting(*OF_GROUP)
@by_actor
@server
@as_json
def limit(queue: str, name: str, as_json: bool, **options: Any) -> None:
    """Limit a group of a queue, at once and for what waits, too; `*` is every tenant, `*:*` every part of one.

    \b
    Examples:
      streamq group limit sms 66338 --concurrency 2 --rate 10/s
      streamq group limit sms '*' --max-waiting 10000
      streamq group limit sms 66338 --rate default
    """
    given = given_of(options, *OF_GROUP)
    if not given:
        raise streamq.UsageError(f"say what is limited: {', '.join(map(flag, OF_GROUP))}")
    _on(queue, name, options, lambda of: of.limit(**given), as_json=as_json)


@group.command()
@click.argument("queue", type=QUEUE)
@click.argument("name", metavar="GROUP")
@pausing
@by_actor
@server
@as_json
def pause(
    queue: str, name: str, reason: str, until: float | datetime | None, as_json: bool, **options: Any
) -> None:
    """Start no job of a group; what runs goes on.

    \b
    Example:
      streamq group pause sms 66338 --reason "they asked for it" --until 30m
    """
    _on(queue, name, options, lambda of: of.pause(reason, until=until), as_json=as_json)


@group.command()
@click.argument("queue", type=QUEUE)
@click.argument("name", metavar="GROUP")
@by_actor
@server
@as_json
def resume(queue: str, name: str, as_json: bool, **options: Any) -> None:
    """End the pause of a group.

    \b
    Example:
      streamq group resume sms 66338
    """
    _on(queue, name, options, lambda of: of.resume(), as_json=as_json)
