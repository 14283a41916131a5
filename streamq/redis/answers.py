"""What a server says and what is said to it: commands as bytes, replies that came late, and errors as ours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final

import hiredis
from redis import exceptions as foreign

from streamq.errors import OutcomeUnknown, OutOfMemory, Rejected, StreamqError, Unavailable, UsageError


class NoGroup(StreamqError):
    """The stream or its group is gone; whoever meets this makes it again and repeats."""


class NoScript(StreamqError):
    """The server does not have the script (it restarted, or its cache was flushed)."""


_BY_FIRST_WORD: Final[dict[str, type[StreamqError]]] = {
    "NOGROUP": NoGroup,
    "NOSCRIPT": NoScript,
    "OOM": OutOfMemory,
    "NOAUTH": Rejected,
    "NOPERM": Rejected,
    "WRONGPASS": Rejected,
    "READONLY": Unavailable,
    "LOADING": Unavailable,
    "MISCONF": Unavailable,
    "BUSY": Unavailable,
    "MASTERDOWN": Unavailable,
    "CLUSTERDOWN": Unavailable,
    "UNBLOCKED": Unavailable,
    "NOREPLICAS": Unavailable,
}
_BY_CLASS: Final[tuple[tuple[type[foreign.RedisError], str], ...]] = (
    (foreign.NoScriptError, "NOSCRIPT"),
    (foreign.OutOfMemoryError, "OOM"),
    (foreign.NoPermissionError, "NOPERM"),
    (foreign.AuthenticationError, "WRONGPASS"),
    (foreign.ReadOnlyError, "READONLY"),
    (foreign.BusyLoadingError, "LOADING"),
    (foreign.ClusterDownError, "CLUSTERDOWN"),
    (foreign.MasterDownError, "MASTERDOWN"),
)


def translate(error: Exception, *, sent: bool) -> StreamqError:
    """Any exception met on the way to a server as ours: redis-py's, the system's, TLS's or whatever else.

    ``sent`` tells whether the command may have reached the server.
    """
    if isinstance(error, StreamqError):
        return error
    if isinstance(error, foreign.ConnectionError) and isinstance(error.__cause__, StreamqError):
        return error.__cause__  # what we said while we connected, wrapped by redis-py
    if isinstance(error, foreign.ConnectionError) and isinstance(error.__cause__, foreign.RedisError):
        error = error.__cause__  # what the server said while we connected, wrapped by redis-py
    word, text = _first_word(error)
    if word in _BY_FIRST_WORD:
        return _BY_FIRST_WORD[word](f"the server says: {text}")
    if isinstance(error, foreign.ResponseError):
        return Rejected(f"the server refuses the command: {text}")
    if not isinstance(error, (foreign.ConnectionError, foreign.TimeoutError, OSError)):
        text = f"{type(error).__name__}: {text}"  # its text alone would not say what it is about
    if sent:
        return OutcomeUnknown(f"no answer from the server ({text or 'timed out'}); the command may have run")
    return Unavailable(f"cannot reach the server: {text or 'timed out'}")


def _first_word(error: Exception) -> tuple[str, str]:
    """The word by which a server classes its errors, and the whole text."""
    text = str(error)
    for kind, name in _BY_CLASS:  # redis-py cuts the first word off the errors it knows
        if isinstance(error, kind):
            return name, f"{name} {text}"
    word = text.partition(" ")[0]
    if word not in _BY_FIRST_WORD and ("NOGROUP" in text or "no such key" in text):
        word = "NOGROUP"  # an error inside a script is wrapped
    return word, text


def packed(commands: Sequence[tuple[Any, ...]]) -> bytes:
    """Commands as they are sent. Raises ``UsageError`` for a part that cannot be written, before anything is sent."""
    try:
        # hiredis packs in C; for a batch of thousands of arguments that is most of the price of sending it
        return b"".join(map(hiredis.pack_command, commands))
    except Exception as error:
        raise UsageError(
            f"this cannot be written as a command: {type(error).__name__}: {error}; nothing was sent"
        ) from error


def is_demotion(error: Exception) -> bool:
    """Whether the server says that it takes no writes (any more): also to a read it had blocked, and in a script."""
    if isinstance(error, foreign.ReadOnlyError):
        return True
    return str(error).startswith(("READONLY", "UNBLOCKED", "-READONLY"))


def left_over(reader: asyncio.StreamReader | None) -> list[Any]:
    """Replies that came before the connection broke: asyncio tells of the break first, and drops them.

    A server that refuses to read a command says why, closes, and resets the connection on which we still write.
    """
    parser, found = hiredis.Reader(), []
    with contextlib.suppress(Exception):  # not a reply: it does not count
        parser.feed(bytes(getattr(reader, "_buffer", b"")))
        while (reply := parser.gets()) is not False:
            found.append(foreign.ResponseError(str(reply)) if isinstance(reply, Exception) else reply)
    return found


def is_refusal_to_read(reply: object) -> bool:
    """Whether the server has closed the connection as it will not read what we write: a part is too long for it."""
    return isinstance(reply, foreign.ResponseError) and "Protocol error" in str(reply)


def role_says_replica(hello: object) -> bool:
    """Whether the reply to HELLO is a replica's."""
    parts = hello if isinstance(hello, list) else []
    return dict(zip(parts[::2], parts[1::2], strict=False)).get(b"role") in (b"replica", b"slave")
