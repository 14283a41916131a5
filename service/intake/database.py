"""The database: connections to PostgreSQL, and the meaning of its errors. The only importer of asyncpg."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from types import ModuleType
from typing import Any, Final, Self

from streamq import ConfigurationError, StreamqError, Unavailable

COMMAND: Final = 30.0
"""Seconds that a statement may take: one over a batch takes milliseconds, and longer on a server in trouble."""
CONNECT: Final = 10.0
"""Seconds that connecting may take."""
CONNECTIONS: Final = 5
"""At most in a process, beside the one that listens: one for each table, and one for who looks."""
CLOSING: Final = 2.0
"""Seconds that connections may take to say good-bye."""
QUIET: Final = 30.0
"""Seconds after which a connection that only listens is asked whether it is still there."""
MISSING: Final = "database intake needs the package asyncpg: install streamq[intake]"

Row = dict[str, Any]


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, or does not take the statement now."""

    code = "database-unavailable"
    advice = "try: pg_isready, with the address of STREAMQ_INTAKE_URL"


class TableMissing(StreamqError):
    """A table or a column of the intake is not there, or it may not be used."""

    code = "table-missing"


def driver() -> ModuleType:
    """The package. Raises ``ConfigurationError`` where it is not installed."""
    try:
        import asyncpg  # noqa: PLC0415  # an extra: whoever has no intake needs none
    except ImportError:
        raise ConfigurationError(MISSING) from None
    module: ModuleType = asyncpg
    return module


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the driver as ours."""
    asyncpg = driver()
    absent = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedObjectError)
    try:
        yield
    except absent as error:
        raise TableMissing(f"{error}: run streamq intake init") from None
    except asyncpg.InsufficientPrivilegeError as error:
        raise TableMissing(f"{error}: grant the user of the intake SELECT, UPDATE and DELETE") from None
    except TimeoutError:
        raise DatabaseUnavailable(f"the database did not answer within {COMMAND:g} s") from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise DatabaseUnavailable(f"the database says: {str(error) or type(error).__name__}") from None


class Database:
    """Connections that are made when they are needed.

    ``url`` tells the address as libpq has it, which may hold a password; it is asked again when the database refuses.
    Every method raises ``DatabaseUnavailable`` and ``TableMissing``. Raises ``ConfigurationError`` where the driver is
    missing, or cannot read the address.
    """

    def __init__(self, url: Callable[[], str]) -> None:
        self._source, self._url, self._driver = url, url(), driver()
        self._pool: Any = None

    async def __aenter__(self) -> Self:
        # Without prepared statements, so that it works behind a pooler of transactions as well.
        try:
            self._pool = await self._driver.create_pool(
                self._url, min_size=0, max_size=CONNECTIONS, **self._options()
            )
        except (ValueError, self._driver.InterfaceError) as error:
            raise ConfigurationError(f"STREAMQ_INTAKE_URL cannot be read: {error}") from None
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            async with asyncio.timeout(CLOSING):
                await self._pool.close()
        except TimeoutError:
            self.abandon()

    def abandon(self) -> None:
        """Break all connections: whoever waits for an answer on one gets an error instead."""
        self._pool.terminate()

    def _options(self) -> dict[str, Any]:
        return {
            "command_timeout": COMMAND,
            "timeout": CONNECT,
            "statement_cache_size": 0,
            "server_settings": {"application_name": "streamq"},
        }

    async def fetch(self, statement: str, *values: Any) -> list[Row]:
        """The rows of a statement, which is a transaction of its own."""
        try:
            with _told():
                return [dict(row) for row in await self._pool.fetch(statement, *values)]
        except DatabaseUnavailable:
            self._renew()
            raise

    def _renew(self) -> None:
        if (url := self._source()) != self._url:
            self._url = url
            self._pool.set_connect_args(url, **self._options())

    async def script(self, steps: Callable[[Callable[..., Any]], Any]) -> Any:
        """Several statements in one transaction: ``steps`` is given what runs one and returns its rows."""
        with _told():
            async with self._pool.acquire() as connection, connection.transaction():

                async def run(statement: str, *values: Any) -> Sequence[Any]:
                    if values:
                        return [dict(row) for row in await connection.fetch(statement, *values)]
                    await connection.execute(statement)
                    return []

                return await steps(run)

    @asynccontextmanager
    async def listening(self, channel: str, heard: Callable[[str], None]) -> AsyncIterator[Listener]:
        """A connection of its own that hears what is notified on a channel."""
        with _told():
            connection = await self._driver.connect(self._url, **self._options())
        listener = Listener(connection)
        try:
            with _told():
                await connection.add_listener(channel, lambda _c, _pid, _ch, said: heard(said))
            yield listener
        finally:
            connection.terminate()


class Listener:
    """A connection that listens."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._ended = asyncio.Event()
        connection.add_termination_listener(lambda _: self._ended.set())

    async def ended(self) -> None:
        """Wait for its end, and ask now and then whether it is there. Raises ``DatabaseUnavailable``."""
        while not self._ended.is_set():
            try:
                async with asyncio.timeout(QUIET):
                    await self._ended.wait()
            except TimeoutError:
                with _told():
                    await self._connection.execute("SELECT 1")
        raise DatabaseUnavailable("the connection that listens has ended")
