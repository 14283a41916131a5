"""The outbox: a job that is written in the same transaction as the order it belongs to.

    job = outgoing("receipts", "send_receipt", 991, delay=60)
    await connection.execute(*job.asyncpg)

Where the transaction is rolled back, there is no job; where it is committed, there is one, and not two. Needs no driver
of its own, and no Redis.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Unpack

from pydantic_core import to_json

from streamq import (
    OPTIONS,
    App,
    ConfigurationError,
    EnqueueOptions,
    Job,
    JSONText,
    StreamqError,
    Unique,
    UsageError,
)
from streamq.durations import seconds_of
from streamq.times import looks_like_a_time, parse_rfc3339, rfc3339

from ..json_text import encoded
from .table import ONCE, Fields, Table, Unreadable

NAME: Final = "streamq_outbox"
_INSERT: Final = "INSERT INTO streamq_outbox (queue, task, payload, options) VALUES "


class Outgoing(NamedTuple):
    """A job to be, as a statement of each driver and its values: write ``execute(*job.asyncpg)``."""

    queue: str
    task: str
    payload: str
    """As JSON."""
    options: str
    """As JSON."""

    @property
    def asyncpg(self) -> tuple[str, str, str, str, str]:
        """For ``await connection.execute(*…)`` of asyncpg."""
        return (f"{_INSERT}($1, $2, ($3::text)::jsonb, ($4::text)::jsonb)", *self)

    @property
    def psycopg(self) -> tuple[str, tuple[str, str, str, str]]:
        """For ``cursor.execute(*…)`` of psycopg, also with ``await``."""
        return f"{_INSERT}(%s, %s, %s::jsonb, %s::jsonb)", (self.queue, self.task, self.payload, self.options)

    @property
    def sqlalchemy(self) -> tuple[Any, dict[str, str]]:
        """For ``connection.execute(*…)`` or ``session.execute(*…)`` of SQLAlchemy, which must be installed."""
        from sqlalchemy import text  # noqa: PLC0415  # who has a session has it

        values = "(:queue, :task, CAST(:payload AS jsonb), CAST(:options AS jsonb))"
        return text(_INSERT + values), self._asdict()


def outgoing(queue: str, task: str, payload: Any = None, **options: Unpack[EnqueueOptions]) -> Outgoing:
    """A job for the outbox, with the options of ``enqueue``; a ``delay`` counts from the row's transaction.

    ``payload`` is whatever has a JSON form. It is checked by its task where the row becomes a job: what does not fit
    stays in the table, with status ``failed`` and the reason. Raises ``UsageError`` for an option that is none.
    """
    given = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        if name not in OPTIONS:
            raise UsageError(f"{name!r} is not an option of a job: use {', '.join(OPTIONS)}")
        if wrong := OPTIONS[name].wrong(value):
            raise UsageError(wrong)
    said = {name: _written(value) for name, value in given.items()}
    return Outgoing(queue, task, to_json(payload).decode(), to_json(said).decode())


def _written(value: Any) -> Any:
    match value:
        case datetime():
            return rfc3339(value)
        case timedelta():
            return value.total_seconds()
        case Unique():
            return {name: _written(getattr(value, name)) for name in Unique.__slots__}
    return value


async def _send(app: App, fields: Fields, key: str) -> Job[Any]:
    """The job of a row. One that has a unique key of its own is made once by its request instead."""
    queue, task = str(fields["queue"]), str(fields["task"])
    options = _options(fields)
    payload = JSONText(encoded(fields["payload"]))
    try:
        if not {"key", "unique"} & options.keys():
            return await app.enqueue(queue, task, payload, key=key, unique=ONCE, **options)
        async with app.once(queue, key, b"") as request:
            return await request.enqueue(task, payload, **options)
    except ConfigurationError as error:  # what can name no queue
        raise Unreadable(str(error)) from None


def _options(fields: Fields) -> Any:
    """The options of a row, as ``enqueue`` takes them. Raises ``Unreadable``."""
    given = fields["options"]
    if not isinstance(given, Mapping):
        raise Unreadable("options: must be an object")
    if strange := sorted(given.keys() - OPTIONS.keys()):
        raise Unreadable(f"options: {strange[0]!r} is none of {', '.join(OPTIONS)}")
    try:
        options = {name: _read(name, value) for name, value in given.items() if value is not None}
        if (delay := options.pop("delay", None)) is not None:
            options["at"] = parse_rfc3339(fields["created_at"]) + timedelta(seconds=seconds_of(delay) or 0)
    except (ValueError, TypeError, OverflowError, StreamqError) as error:
        raise Unreadable(f"options: {error}") from None
    return options


def _read(name: str, value: Any) -> Any:
    if OPTIONS[name].form == "unique":
        return Unique(**value)
    return (
        parse_rfc3339(value)
        if OPTIONS[name].form in ("time", "moment") and looks_like_a_time(value)
        else value
    )


COLUMNS: Final = frozenset({"queue", "task", "payload", "options", "created_at"})
TABLE: Final = Table(NAME, _send, COLUMNS, follows=False)
