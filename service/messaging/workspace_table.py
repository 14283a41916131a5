"""Names of workspaces from a table of the database of the intake, with the columns ``id`` and ``name``."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from streamq import ConfigurationError, StreamqError

from ..intake.database import Database
from ..settings import ServiceSettings
from .workspaces import WorkspaceNames

log = logging.getLogger("streamq.messaging")

EVERY: Final = 60.0
"""Seconds from one look to the next."""
_MOST: Final = 100_000
"""Names: a longer table names as many."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")


def check_table(settings: ServiceSettings) -> None:
    """Raise ``ConfigurationError`` for names of workspaces from a table that cannot be read."""
    table = WorkspaceNames(settings.workspace_names).table
    if table is None:
        return
    if not _NAME.fullmatch(table):
        raise ConfigurationError(
            "STREAMQ_WORKSPACE_NAMES: write a table as table:workspaces, or table:schema.workspaces"
        )
    if not settings.secret("intake_url"):
        raise ConfigurationError(
            "STREAMQ_WORKSPACE_NAMES names a table, and no database has one: set STREAMQ_INTAKE_URL"
        )


@asynccontextmanager
async def followed(names: WorkspaceNames, settings: ServiceSettings) -> AsyncIterator[None]:
    """Names are read now and then while it is open; where there is no table nothing is done.

    Raises ``ConfigurationError`` where the driver is missing, or cannot read the address.
    """
    if names.table is None:
        yield
        return
    async with Database(lambda: settings.secret("intake_url")) as database:
        reading = asyncio.create_task(_read(names, names.table, database))
        try:
            yield
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading


async def _read(names: WorkspaceNames, table: str, database: Database) -> None:
    """For ever. A database that is away leaves the names as they were; the log says so once."""
    told = False
    while True:
        try:
            rows = await database.fetch(_statement(table))
        except StreamqError as error:
            if not told:
                log.warning("names of workspaces cannot be read from the table %s: %s", table, error)
            told = True
        else:
            told = False
            names.take({row["id"]: row["name"] for row in rows})
        await asyncio.sleep(EVERY)


def _statement(table: str) -> str:
    quoted = ".".join(f'"{part}"' for part in table.split("."))
    return f"SELECT id::text AS id, name::text AS name FROM {quoted} LIMIT {_MOST}"  # noqa: S608  # letters and digits
