"""``streamq breaker``: look at the circuit breakers of a queue, open and close them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import click

import streamq
from streamq.cli import Group
from streamq.cli.group import shown_parts
from streamq.cli.names import QUEUE, TASK, warn_of_unknown_task
from streamq.cli.options import Command, Option, as_json, by_actor, pausing, refuse_unknown, server, with_app
from streamq.cli.outlet import echo_json, table


@click.group(cls=Group)
def breaker() -> None:
    """Look at the circuit breakers of a queue, open and close them.

    `streamq queue limit --breaker` and `streamq group limit --breaker` say when one opens by itself.

    \b
    Example:
      streamq breaker open sms --task send-sms --reason "the provider is down"
    """


def _of(command: Command) -> Command:
    """Whose breaker it is."""
    command = click.option("--group", cls=Option, metavar="GROUP", help="That of a group.")(command)
    return click.option(
        "--task", cls=Option, type=TASK, metavar="TASK", help="That of a task. Default: of all jobs."
    )(command)


def _on(
    queue: str, task: str | None, group: str | None, options: dict[str, Any],
    act: Callable[[streamq.CircuitBreaker], Awaitable[object]], *, as_json: bool,
) -> None:  # fmt: skip
    """Do something to a breaker, and show how it is then."""

    async def acted(app: streamq.App) -> dict[str, Any]:
        of = app.queue(queue).breaker(task=task, group=group)
        await refuse_unknown(app, queue)
        await warn_of_unknown_task(app, task)
        await act(of)
        return (await of.status()).asdict()

    shown_parts(with_app(options, acted), as_json=as_json)


async def _nothing(_: streamq.CircuitBreaker) -> None:
    """It is only looked at."""


@breaker.command("ls")
@click.argument("queue", type=QUEUE)
@server
@as_json
def listed(queue: str, as_json: bool, **options: Any) -> None:
    """List the breakers that are open, and those of which a limit of their own says when they open.

    \b
    Example:
      streamq breaker ls sms
    """

    async def act(app: streamq.App) -> list[streamq.BreakerStatus]:
        await refuse_unknown(app, queue)
        return await app.queue(queue).breakers()

    found = [each.asdict() for each in with_app(options, act)]
    if as_json:
        echo_json(found)
        return
    rows = [
        {
            "scope": each["scope"], "state": each["state"], "opens at": each["breaker"],
            "failed": f"{each['failed']} of {each['ended']}",
            "since": each["pause"]["since"] if each["pause"] else None,
            "reason": each["pause"]["reason"] if each["pause"] else None,
        }
        for each in found
    ]  # fmt: skip
    table(rows, "no breaker is open, and none is told")


@breaker.command()
@click.argument("queue", type=QUEUE)
@_of
@server
@as_json
def get(queue: str, task: str | None, group: str | None, as_json: bool, **options: Any) -> None:
    """Show whether a breaker is closed, open or half open, and how many attempts have failed of late.

    \b
    Example:
      streamq breaker get sms --task send-sms
    """
    _on(queue, task, group, options, _nothing, as_json=as_json)


@breaker.command("open")
@click.argument("queue", type=QUEUE)
@_of
@pausing
@by_actor
@server
@as_json
def open_(
    queue: str, task: str | None, group: str | None, reason: str, until: float | datetime | None, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Hold the jobs of a task, of a group, or of a queue; what runs goes on.

    \b
    Example:
      streamq breaker open sms --task send-sms --reason "the provider is down" --until 10m
    """
    _on(queue, task, group, options, lambda of: of.open(reason, until=until), as_json=as_json)


@breaker.command()
@click.argument("queue", type=QUEUE)
@_of
@by_actor
@server
@as_json
def close(queue: str, task: str | None, group: str | None, as_json: bool, **options: Any) -> None:
    """Let the jobs of a breaker start, whatever has failed.

    \b
    Example:
      streamq breaker close sms --task send-sms
    """
    _on(queue, task, group, options, lambda of: of.close(), as_json=as_json)
