"""The outbox: a job that is written in the transaction of the order it belongs to, with any driver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import sqlalchemy
import sqlalchemy.orm
from pydantic import BaseModel
from streamq_service.intake.outbox import outgoing
from streamq_service.messaging import messaging_app

from streamq import App, Counts, State, Unique, UsageError

from ..rig import ON_ONE_SERVER, until, working
from .intake import Base, Settings


class Order(BaseModel):
    """A payload with what JSON has no form for."""

    number: int
    at: datetime


@asynccontextmanager
async def moving(base: Base, settings: Settings, **given: Any) -> AsyncIterator[App]:
    """A service that moves rows of the outbox, with a task of the user's own; what it got is in ``app.state``."""
    app = messaging_app(settings(intake_url=base.url, intake_poll=0.2, **given))
    app.state["got"] = []

    @app.task(queue="receipts")
    async def send_receipt(order: Order) -> None:
        app.state["got"].append(order)

    async with app, working(app) as worker:
        await worker.is_ready.wait()
        yield app


async def left(base: Base) -> list[Any]:
    """Rows of the outbox."""
    return list(await base.connection.fetch("SELECT * FROM streamq_outbox ORDER BY id"))


def receipt(number: int, **options: Any) -> Any:
    """One for the outbox."""
    order = Order(number=number, at=datetime(2026, 5, 1, tzinfo=UTC))
    return outgoing("receipts", "send_receipt", order, **options)


@pytest.mark.keeps_keys
@ON_ONE_SERVER
async def test_a_row_of_a_committed_transaction_is_one_job_and_one_of_another_is_none(
    base: Base, settings: Settings
) -> None:
    async with moving(base, settings) as app:
        async with base.connection.transaction():
            await base.connection.execute(*receipt(1).asyncpg)
        undone = base.connection.transaction()
        await undone.start()
        await base.connection.execute(*receipt(2).asyncpg)
        await undone.rollback()
        await base.connection.execute(*receipt(3).asyncpg)
        await until(lambda: _completed(app, 2))
        await until(lambda: _empty(base))
        assert [(order.number, order.at.year) for order in app.state["got"]] == [(1, 2026), (3, 2026)]
        assert (await app.queue("receipts").counts()).asdict() == {**Counts().asdict(), "completed": 2}


async def _completed(app: App, count: int) -> bool:
    return (await app.queue("receipts").counts()).completed == count


def with_psycopg(url: str) -> None:
    """A row by psycopg."""
    with psycopg.connect(url) as connection:
        connection.execute(*receipt(7).psycopg)


def with_sqlalchemy(url: str) -> None:
    """A row by SQLAlchemy."""
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(*receipt(7).sqlalchemy)
    engine.dispose()


def with_a_session(url: str) -> None:
    """A row by a session of SQLAlchemy."""
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with sqlalchemy.orm.Session(engine) as session, session.begin():
        session.execute(*receipt(7).sqlalchemy)
    engine.dispose()


@pytest.mark.keeps_keys
@ON_ONE_SERVER
@pytest.mark.parametrize("write", [with_psycopg, with_sqlalchemy, with_a_session])
async def test_psycopg_and_sqlalchemy_write_the_same_row_as_asyncpg(
    base: Base, settings: Settings, write: Any
) -> None:
    await base.connection.execute(*receipt(7, attempts=3, delay="1h").asyncpg)
    await asyncio.to_thread(write, base.url)
    ours, theirs = [(row["queue"], row["task"], row["payload"]) for row in await left(base)]
    assert ours == theirs == ("receipts", "send_receipt", '{"at": "2026-05-01T00:00:00Z", "number": 7}')
    async with moving(base, settings) as app:
        await until(lambda: app.state["got"])
        assert (await app.queue("receipts").counts()).delayed == 1


@pytest.mark.keeps_keys
@ON_ONE_SERVER
async def test_the_options_of_a_job_come_along_and_a_delay_counts_from_the_transaction(
    base: Base, settings: Settings
) -> None:
    at = datetime.now(UTC) + timedelta(hours=2)
    for options in (
        {"delay": timedelta(minutes=5), "priority": "high"},
        {"at": at, "group": "66338", "attempts": 2, "expires": at + timedelta(hours=1)},
        {"delay": "1h", "key": "save", "unique": Unique(conflict="replace")},
        {"delay": "1h", "key": "save", "unique": Unique(conflict="replace")},
    ):
        await base.connection.execute(*receipt(1, **options).asyncpg)
    await base.connection.execute("UPDATE streamq_outbox SET created_at = now() - interval '1 minute'")
    async with moving(base, settings) as app:
        await until(lambda: _empty(base))
        found = (await app.queue("receipts").jobs(State.DELAYED)).items
    soon, hour, later = sorted(found, key=lambda job: job.due_at or at)
    now = datetime.now(UTC)
    assert soon.due_at is not None
    assert abs(soon.due_at - now - timedelta(minutes=4)) < timedelta(seconds=5)
    assert (soon.priority, hour.key) == ("high", "save")
    assert (later.group, later.attempts) == ("66338", 2)
    assert later.due_at is not None
    assert abs(later.due_at - at) < timedelta(seconds=1)


@pytest.mark.keeps_keys
@ON_ONE_SERVER
async def test_a_row_without_a_payload_is_a_job_without_one_in_whatever_queue_it_names(
    base: Base, settings: Settings
) -> None:
    async with moving(base, settings) as app:
        await base.write("streamq_outbox", queue="elsewhere", task="of another program")
        await until(lambda: _empty(base))
        (job,) = (await app.queue("elsewhere").jobs(State.WAITING)).items
    assert (job.task, job.payload) == ("of another program", None)


async def _empty(base: Base) -> bool:
    return not await left(base)


@pytest.mark.keeps_keys
@ON_ONE_SERVER
async def test_a_row_that_cannot_be_a_job_stays_and_says_why_and_the_others_go_on(
    base: Base, settings: Settings
) -> None:
    wrong = {
        "number": outgoing("receipts", "send_receipt", {"number": "x", "at": "2026-05-01T00:00:00Z"}).asyncpg,
        "queue": receipt(1)._replace(queue="no such / name").asyncpg,
        "options: 'dealy'": receipt(1)._replace(options='{"dealy": 5}').asyncpg,
        "options: must be an object": receipt(1)._replace(options="[]").asyncpg,
        "options: ": receipt(1)._replace(options='{"unique": {"until": "never"}}').asyncpg,
        "attempts": receipt(1)._replace(options='{"attempts": -1}').asyncpg,
    }
    for row in wrong.values():
        await base.connection.execute(*row)
    await base.connection.execute(*receipt(8).asyncpg)
    async with moving(base, settings) as app:
        await until(lambda: app.state["got"])
        await until(lambda: _failed(base, len(wrong)))
    for row, words in zip(await left(base), wrong, strict=True):
        assert words in row["error"]


async def _failed(base: Base, count: int) -> bool:
    return (await base.statuses("streamq_outbox")).get("failed") == count


@pytest.mark.keeps_keys
@ON_ONE_SERVER
async def test_rows_for_which_the_queue_has_no_room_wait_in_the_table(base: Base, settings: Settings) -> None:
    async with moving(base, settings) as app:
        await app.queue("receipts").limit(max_waiting=4)
        await app.queue("receipts").pause("a moment")
        for number in range(12):
            await base.connection.execute(*receipt(number).asyncpg)
        await until(lambda: _left(base, 7))
        await app.queue("receipts").resume()
        await until(lambda: _completed(app, 12), 30.0)
    assert sorted(order.number for order in app.state["got"]) == [*range(12)]


async def _left(base: Base, count: int) -> bool:
    said = await base.statuses("streamq_outbox")  # a job may have begun before the worker heard of the pause
    return said in ({"pending": count}, {"pending": count + 1})


def test_what_is_no_option_is_refused_before_anything_is_written() -> None:
    with pytest.raises(UsageError, match="'dealy' is not an option of a job: use delay, at"):
        outgoing("receipts", "send_receipt", dealy=5)  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="attempts=-1 is not possible"):
        outgoing("receipts", "send_receipt", attempts=-1)
