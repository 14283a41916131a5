"""What a server says to one who only wants to know whether it serves us."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from streamq.model.clock import monotonic
from streamq.redis.replies import info_in

TRIAL: Final = "#!lua\nreturn 1"
"""A script that may write and does not: a server that takes no jobs refuses it, and says why."""


class Told(NamedTuple):
    """What it answered."""

    seconds: float
    """How long the first answer took."""
    hello: object
    """What it answered to HELLO."""
    info: dict[str, str]
    """What INFO says; empty where our user may not ask."""
    refusal: Exception | None
    """Why it takes no command, or no write."""


async def probe(connection: Any) -> Told:
    """Ask on a connection that has just been made. Raises when it breaks."""
    begun = monotonic()
    ping = await _tried(connection, "PING")  # refused by one that cannot save: it is asked on all the same
    seconds = monotonic() - begun
    hello = await _tried(connection, "HELLO", 2)
    info = await _tried(connection, "INFO")
    trial = await _tried(connection, "EVAL", TRIAL, 0)
    refusal = next((said for said in (ping, trial) if isinstance(said, Exception)), None)
    return Told(seconds, hello, info_in(info), refusal)


async def _tried(connection: Any, *command: Any) -> Any:
    """The reply, which may be an error of the server's. Raises when it cannot be reached."""
    await connection.send_command(*command)
    try:
        return await connection.read_response(disable_decoding=True, disconnect_on_error=False)
    except Exception as error:
        if not connection.is_connected or isinstance(error, OSError | TimeoutError):
            raise
        return error
