"""The connection that listens to channels: commands go out, replies and messages come in, each on its own."""

from __future__ import annotations

import asyncio
from typing import Any

from redis import exceptions as foreign

from streamq.errors import Unavailable
from streamq.redis.answers import packed, translate
from streamq.redis.link import Link, write


class Subscriber(Link):
    """A ``Link`` for one who sends and one who reads."""

    async def connect(self) -> None:
        """Connect to the first address that answers. Raises ``Unavailable`` with what each said."""
        await self._connected()

    async def send(self, *commands: tuple[Any, ...]) -> None:
        """Send commands; what they are answered is read by ``receive``. Raises ``Unavailable``."""
        connection = self._connection
        if connection is None:
            raise Unavailable("not connected")
        try:
            async with asyncio.timeout(self._timeout):
                await write(connection, packed(commands))
        except (foreign.RedisError, OSError, TimeoutError) as error:
            raise translate(error, sent=False) from error

    async def receive(self) -> Any:
        """The next reply or message; an error of the server is returned, not raised. Raises ``Unavailable``."""
        connection = self._connection
        if connection is None:
            raise Unavailable("not connected")
        try:
            return await self._reply(connection)
        except (foreign.RedisError, OSError) as error:
            raise translate(error, sent=False) from error
