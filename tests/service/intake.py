"""What tests of the intake stand on: databases of their own, rows, and services that read them."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import asyncpg
import pytest
from streamq_service.intake.database import Database
from streamq_service.intake.schema import apply
from streamq_service.messaging import messaging_app
from streamq_service.settings import ServiceSettings

from streamq import App

from ..postgres import Postgres
from ..rig import until, working


@dataclass
class Base:
    """A database, and a connection to it."""

    url: str
    connection: asyncpg.Connection[Any]

    async def write(self, table: str, **fields: Any) -> str:
        """Write a row; its id."""
        names = ", ".join(fields)
        values = ", ".join(f"${at}" for at in range(1, len(fields) + 1))
        statement = f"INSERT INTO {table} ({names}) VALUES ({values}) RETURNING id::text"  # noqa: S608
        return str(await self.connection.fetchval(statement, *fields.values()))

    async def row(self, table: str, row_id: str) -> dict[str, Any]:
        """A row."""
        found = await self.connection.fetchrow(f"SELECT * FROM {table} WHERE id::text = $1", row_id)  # noqa: S608
        return dict(found)

    async def statuses(self, table: str) -> dict[str, int]:
        """How many rows there are in each status."""
        said = await self.connection.fetch(f"SELECT status, count(*) FROM {table} GROUP BY status")  # noqa: S608
        return {row["status"]: row["count"] for row in said}

    async def ended(self, table: str, row_id: str, status: str = "complete") -> dict[str, Any]:
        """A row once it is in that status."""

        async def row() -> dict[str, Any] | None:
            found = await self.row(table, row_id)
            return found if found["status"] == status else None

        return cast("dict[str, Any]", await until(row, 20.0))

    async def sms(self, message: str = "hello", **more: Any) -> str:
        """Write a text message."""
        given = {"workspace_id": "66338", "phone_number": "+15550100199", "message": message, **more}
        return await self.write("sms_queue", **given)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Base]:
    """A database that is there."""
    connection = await asyncpg.connect(url)
    try:
        yield Base(url, connection)
    finally:
        await connection.close()


@pytest.fixture
async def bare(postgres: Postgres) -> AsyncIterator[Base]:
    """An empty database of this test alone."""
    name = f"t{uuid.uuid4().hex[:10]}"
    async with connected(postgres.url) as server:
        await server.connection.execute(f"CREATE DATABASE {name}")
        async with connected(postgres.url_of(name)) as base:
            yield base
        await server.connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def base(bare: Base) -> Base:
    """The same with the tables of the intake."""
    await migrated(bare.url)
    return bare


async def migrated(url: str) -> None:
    """Make the tables."""
    async with Database(lambda: url) as database:
        await apply(database)


@asynccontextmanager
async def reading(settings: ServiceSettings) -> AsyncIterator[App]:
    """A service with a worker that reads rows within the block."""
    async with messaging_app(settings) as app, working(app) as worker:
        await worker.is_ready.wait()
        yield app


Settings = Callable[..., ServiceSettings]
