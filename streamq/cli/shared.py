"""``streamq shared``: look at the limits that several queues draw from, set, pause and resume them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import click

import streamq
from streamq.cli import Group
from streamq.cli.group import given_of, limiting, shown_parts, until_when, words
from streamq.cli.names import SHARED, warn_of_unknown_shared
from streamq.cli.options import as_json, by_actor, flag, pausing, server, with_app
from streamq.cli.outlet import echo_json, table
from streamq.model.limit import OF_SHARED
from streamq.model.shown import as_given


@click.group(cls=Group)
def shared() -> None:
    """Look at the limits that several queues draw from, set, pause and resume them.

    \b
    Example:
      streamq shared limit provider --rate 100/s
    """


def _on(
    name: str, options: dict[str, Any], act: Callable[[streamq.SharedLimit], Awaitable[object]], *, as_json: bool,
    unknown: Callable[[streamq.App, str], Awaitable[object]] | None = warn_of_unknown_shared,
) -> None:  # fmt: skip
    """``unknown`` sees to a name of which nothing is said."""

    async def acted(app: streamq.App) -> dict[str, Any]:
        of = app.shared(name)
        if unknown is not None:
            await unknown(app, name)
        await act(of)
        return (await of.status()).asdict()

    shown_parts(with_app(options, acted), as_json=as_json)


async def _nothing(_: streamq.SharedLimit) -> None:
    """It is only looked at."""


async def _refused(app: streamq.App, name: str) -> None:
    known = [each.name for each in await app.shared_limits()]
    if name not in known:
        raise streamq.NotThere(name, f"nothing is said of a shared limit {as_given(name)}", known)


@shared.command("ls")
@server
@as_json
def listed(as_json: bool, **options: Any) -> None:
    """List the shared limits, how much of each is drawn, and by which queues.

    \b
    Example:
      streamq shared ls
    """

    async def act(app: streamq.App) -> list[streamq.SharedStatus]:
        return await app.shared_limits()

    found = with_app(options, act)
    if as_json:
        echo_json([each.asdict() for each in found])
        return
    rows = [
        {
            "shared limit": each.name, "limit": words(each.limit), "held": each.held, "used": each.used,
            "queues": ",".join(each.queues), "waiting": ",".join(each.waiting), "paused": until_when(each.paused),
        }
        for each in found
    ]  # fmt: skip
    table(rows, "no shared limit is told")


@shared.command()
@click.argument("name", type=SHARED)
@server
@as_json
def get(name: str, as_json: bool, **options: Any) -> None:
    """Show what a shared limit allows, how much of it is drawn, by which queues, and whether it is paused.

    \b
    Example:
      streamq shared get provider
    """
    _on(name, options, _nothing, as_json=as_json, unknown=_refused)


@shared.command()
@click.argument("name", type=SHARED)
@limiting(*OF_SHARED)
@by_actor
@server
@as_json
def limit(name: str, as_json: bool, **options: Any) -> None:
    """Say how many units may be held by jobs that run, and be started in a time, by all queues together.

    \b
    Examples:
      streamq shared limit provider --rate 100/s --concurrency 20
      streamq shared limit provider --rate default
    """
    given = given_of(options, *OF_SHARED)
    if not given:
        raise streamq.UsageError(f"say what is limited: {', '.join(map(flag, OF_SHARED))}")
    _on(name, options, lambda of: of.limit(**given), as_json=as_json, unknown=None)


@shared.command()
@click.argument("name", type=SHARED)
@pausing
@by_actor
@server
@as_json
def pause(name: str, reason: str, until: float | datetime | None, as_json: bool, **options: Any) -> None:
    """Start no job that draws from it, in any queue; what runs goes on.

    \b
    Example:
      streamq shared pause provider --reason "429" --until 30s
    """
    _on(name, options, lambda of: of.pause(reason, until=until), as_json=as_json)


@shared.command()
@click.argument("name", type=SHARED)
@by_actor
@server
@as_json
def resume(name: str, as_json: bool, **options: Any) -> None:
    """End the pause of a shared limit.

    \b
    Example:
      streamq shared resume provider
    """
    _on(name, options, lambda of: of.resume(), as_json=as_json)


@shared.command()
@click.argument("name", type=SHARED)
@by_actor
@server
@as_json
def rm(name: str, as_json: bool, **options: Any) -> None:
    """Take back what was told of a shared limit, and its pause: what code says holds again.

    \b
    Example:
      streamq shared rm provider
    """
    _on(name, options, lambda of: of.unlimit(), as_json=as_json)
