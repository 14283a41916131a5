"""The connection that listens to channels: commands go out, replies and messages come in, each on its own."""

from __future__ import annotations

from typing import Any

from redis import exceptions as foreign

from streamq.errors import Unavailable
from streamq.redis.answers import packed, translate
from streamq.redis.link import Link


class Subscriber(Link):
    """A ``Link`` for one who sends and one who reads."""

    def is_idle(self, seconds: float) -> bool:  # noqa: ARG002
        """Never: it listens."""
        return False

    async def send(self, *commands: tuple[Any, ...]) -> None:
        """Send commands; what they are answered is read by ``receive``. Raises ``Unavailable``."""
        wire = self._wire
        if wire is None or wire.lost is not None:
            raise Unavailable("not connected")
        wire.write(packed(commands))

    async def receive(self) -> Any:
        """The next reply or message; an error of the server is returned, not raised. Raises ``Unavailable``."""
        wire = self._wire
        if wire is None:
            raise Unavailable("not connected")
        try:
            (reply,) = await wire.take(1, None)
        except (foreign.RedisError, OSError) as error:
            raise translate(error, sent=False) from error
        return reply
