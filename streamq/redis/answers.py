"""What a server says and what is said to it: commands as bytes, replies that came late, and errors as ours."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeGuard

import hiredis
from redis import exceptions as foreign

from streamq.errors import OutcomeUnknown, OutOfMemory, Rejected, StreamqError, Unavailable, UsageError
from streamq.noun_errors import QueueMoved


class NoGroup(StreamqError):
    """The stream or its group is gone; whoever meets this makes it again and repeats."""


class NoScript(StreamqError):
    """The server does not have the script (it restarted, or its cache was flushed)."""


class Demoted(Unavailable):
    """The server takes no writes (any more): it has run none of the command, and another is the primary or will be."""


class Redirected(Demoted):
    """The slot of the keys is another node's, or on its way there: it has run none of the command."""


_BY_FIRST_WORD: Final[dict[str, type[StreamqError]]] = {
    "NOGROUP": NoGroup,
    "NOSCRIPT": NoScript,
    "OOM": OutOfMemory,
    "NOAUTH": Rejected,
    "NOPERM": Rejected,
    "WRONGPASS": Rejected,
    "READONLY": Demoted,
    "MOVED": Redirected,
    "ASK": Redirected,
    "TRYAGAIN": Redirected,
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
    (foreign.MovedError, "MOVED"),
    (foreign.AskError, "ASK"),
    (foreign.TryAgainError, "TRYAGAIN"),
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
    if is_of_another_type(error):
        text += ": another program wrote it, or the queue moves to another server, or has moved"
    if isinstance(error, foreign.ResponseError):
        return Rejected(f"the server refuses the command: {text}")
    text = _of_certificate(error) or text
    if not isinstance(error, (foreign.ConnectionError, foreign.TimeoutError, OSError)):
        text = f"{type(error).__name__}: {text}"  # its text alone would not say what it is about
    if sent:
        return OutcomeUnknown(f"no answer from the server ({text or 'timed out'}); the command may have run")
    return Unavailable(f"cannot reach the server: {text or 'timed out'}")


def _of_certificate(error: BaseException) -> str:
    """What is wrong with a server's certificate, and what to do; nothing where that is not the matter."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, ssl.SSLCertVerificationError):
        seen = seen.__cause__ or seen.__context__
    if seen is None:
        return ""
    why = getattr(seen, "verify_message", "")  # OpenSSL says it, nobody else
    if "expired" in why or "mismatch" in why:
        return f"its certificate will not do: {why}"
    return (
        f"its certificate is of an authority that is not trusted here ({why}): "
        "name the authority's file in STREAMQ_REDIS_CA"
    )


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


def is_of_another_type(error: object) -> bool:
    """Whether a key is what no version of ours writes: somebody else's, under a name of ours, or the text that a queue
    moves. Who looks at many queues takes it for nothing, and goes on with the others."""
    return isinstance(error, QueueMoved) or (isinstance(error, Exception) and "WRONGTYPE" in str(error))


def is_foreign(error: object) -> bool:
    """The same where no text is found that the queue moves: somebody else's, or one that was there a moment ago."""
    return is_of_another_type(error) and not isinstance(error, QueueMoved)


def readable(queues: Iterable[str], replies: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Each queue with its reply, but for those whose key is of another type. Raises the first other error."""
    for queue, reply in zip(queues, replies, strict=True):
        if is_of_another_type(reply):
            continue
        if isinstance(reply, Exception):
            raise translate(reply, sent=True) from reply
        yield queue, reply


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


def is_refusal_to_read(reply: object) -> bool:
    """Whether the server has closed the connection as it will not read what we write: a part is too long for it."""
    return isinstance(reply, foreign.ResponseError) and "Protocol error" in str(reply)


def concerns_all(error: object) -> TypeGuard[Unavailable]:
    """Whether the server cannot be reached or takes no command from anybody: no other queue of it would fare better."""
    return isinstance(error, Unavailable) and not isinstance(error, Rejected)


def in_place(replies: Sequence[Any], *, all_asked: bool) -> list[Any]:
    """Replies of a pipeline with each error as one of ours, in its place: it concerns its queue, or its server.

    Raises what concerns all queues, where all servers were asked (``all_asked``).
    """
    if not [reply for reply in replies if isinstance(reply, Exception)]:
        return list(replies)
    told = [_ours(reply) if isinstance(reply, Exception) else reply for reply in replies]
    if all_asked and all(map(concerns_all, told)):
        raise told[0]
    return told


def _ours(reply: Exception) -> StreamqError:
    error = translate(reply, sent=True)
    if error is not reply:
        error.__cause__ = reply
    return error
