"""Names that are typed: the shell completes them with what the server knows, and a wrong one is told the nearest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

import streamq
from streamq.cli.outlet import complain
from streamq.errors import meant
from streamq.model.names import NAME_FORM, is_name
from streamq.model.shown import as_given, shown

PATIENCE: Final = 2.0
"""Seconds that a shell waits for names; then there are none."""

Look = Callable[["streamq.App"], Awaitable[Iterable[str]]]


class _Name(click.types.StringParamType):
    """A text that names something on the server."""

    def __init__(self, look: Look, is_possible: Callable[[str], bool] = bool) -> None:
        self._look, self._is_possible = look, is_possible

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """What is no name was typed wrong, whatever the server knows."""
        name = super().convert(value, param, ctx)
        if not self._is_possible(name):
            self.fail(f"{as_given(name)} is no name: {NAME_FORM}", param, ctx)
        return name

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002  # click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """The names that begin so. A name that would do something to a terminal is left out."""
        found = _asked(ctx, self._look)
        return [CompletionItem(name) for name in found if name.startswith(incomplete) and shown(name) == name]


def _asked(ctx: click.Context, look: Look) -> list[str]:
    """What is told on the server that the command line names so far; nothing where it cannot be told soon."""

    async def main() -> list[str]:
        named = {name: ctx.params.get(name) for name in ("redis_url", "data_dir")}
        settings = streamq.Settings.load(**named, connect_timeout=PATIENCE, command_timeout=PATIENCE)
        async with asyncio.timeout(PATIENCE), streamq.App(settings) as app:
            return sorted(set(await look(app)))

    logging.disable()
    try:
        return streamq.run(main())
    except (streamq.StreamqError, OSError, TimeoutError):
        return []  # a shell has no place for it; the command that is typed will say it
    finally:
        logging.disable(logging.NOTSET)


async def _queues(app: streamq.App) -> list[str]:
    return await app.queues()


async def _tasks(app: streamq.App) -> list[str]:
    return [each.name for each in await app.served_tasks()]


async def _schedules(app: streamq.App) -> list[str]:
    return [each.schedule.name for each in await app.schedules.list()]


async def _shared(app: streamq.App) -> list[str]:
    return [each.name for each in await app.shared_limits()]


async def _workers(app: streamq.App) -> list[str]:
    return [each.name for each in await app.workers()]


async def _operations(app: streamq.App) -> list[str]:
    return [each.id for each in await app.operations()]


QUEUE: Final = _Name(_queues, is_name)
TASK: Final = _Name(_tasks)
SCHEDULE: Final = _Name(_schedules, is_name)
SHARED: Final = _Name(_shared, is_name)
WORKER: Final = _Name(_workers)
OPERATION: Final = _Name(_operations)


async def warn_of_unknown_task(app: streamq.App, task: str | None) -> None:
    """Say the nearest task where no worker has published this one. It is no error: a worker may be yet to come."""
    known = (
        {name for each in await app.served_tasks() for name in (each.name, *each.aliases)}
        if task
        else set[str]()
    )
    if task and known and task not in known:
        hint = meant(task, known, f"there are {', '.join(sorted(known)[:10])}")
        complain(f"warning: no worker has published a task {as_given(task)}: {hint}")


async def warn_of_unknown_shared(app: streamq.App, name: str) -> None:
    """The same of a shared limit of which nothing is said."""
    known = set(await _shared(app))
    if known and name not in known:
        hint = meant(name, known, f"there are {', '.join(sorted(known)[:10])}")
        complain(f"warning: nothing is said of a shared limit {as_given(name)}: {hint}")
