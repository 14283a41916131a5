"""The commands of the database intake: ``streamq intake init`` and ``streamq intake status``."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that help is instant

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

import streamq
from streamq.cli.options import Option, Twin, as_json
from streamq.cli.outlet import echo_json, say, table

if TYPE_CHECKING:
    from ..intake.database import Database
    from ..settings import ServiceSettings

T = TypeVar("T")

STATUSES: Final = ("pending", "processing", "error", "failed")

database_url = click.option(
    "--database-url", "intake_url", cls=Twin, envvar="STREAMQ_INTAKE_URL", metavar="URL",
    help="Database, as postgresql://login@db.example.com/name.",
)  # fmt: skip


@click.group()
def intake() -> None:
    """Take jobs from tables of PostgreSQL."""


@intake.command()
@click.option("--print", "printed", cls=Option, is_flag=True, help="Print the SQL, and do nothing.")
@database_url
@as_json
def init(printed: bool, as_json: bool, **given: Any) -> None:
    """Make the tables, or add to them what they lack.

    What was applied is remembered, so it can be run again. One transaction has all of it.

    \b
    Examples:
      streamq intake init --database-url postgresql://owner@db.example.com/shop
      streamq intake init --print | psql
    """
    from ..intake.schema import apply, migrations

    if printed:
        for each in migrations():
            for line in each.text.rstrip("\n").split("\n"):
                say(line)
        return
    done = [each.name for each in _with_database(given, lambda database, _: apply(database))]
    if as_json:
        echo_json({"applied": done})
    else:
        say(f"applied: {', '.join(done)}" if done else "nothing to do: all is applied already")


@intake.command()
@database_url
@as_json
def status(as_json: bool, **given: Any) -> None:
    """Show how many rows wait, are under way and have failed, by table.

    The oldest is the one that has waited longest for being taken, in seconds.

    \b
    Examples:
      streamq intake status
      streamq intake status --json
    """
    found = _with_database(given, _status)
    if as_json:
        echo_json(found)
        return
    table([{**row, "oldest": _seconds(row["oldest"])} for row in found["tables"]], "no table")
    say(f"doorbell: {found['doorbell']}")


async def _status(database: Database, settings: ServiceSettings) -> dict[str, Any]:
    from ..intake.intake import doorbell_of
    from ..intake.table import COUNTS
    from ..messaging.rows import tables

    every = tables(settings)
    rows = []
    for each in every:
        counts = {row["status"]: row for row in await database.fetch(COUNTS.format(t=each.name))}
        oldest = counts["pending"]["oldest"] if "pending" in counts else None
        numbers = {name: counts[name]["rows"] if name in counts else 0 for name in STATUSES}
        rows.append({"table": each.name, **numbers, "oldest": oldest})
    return {"tables": rows, "doorbell": doorbell_of(settings, database, every).name}


def _seconds(age: float | None) -> str:
    return "" if age is None else f"{age:,.0f} s"


def _with_database(given: dict[str, Any], act: Callable[[Database, ServiceSettings], Awaitable[T]]) -> T:
    from ..intake.database import Database
    from ..settings import ServiceSettings

    settings = ServiceSettings.load(**{name: value for name, value in given.items() if value is not None})
    url = settings.secret("intake_url")
    if not url:
        raise streamq.ConfigurationError(
            "no database is named: set STREAMQ_INTAKE_URL, or give --database-url"
        )

    async def main() -> T:
        async with Database(lambda: url) as database:
            return await act(database, settings)

    return streamq.run(main())
