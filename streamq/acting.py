"""Who acts: the person on whose behalf this code steers queues and jobs, as the audit trail is to name them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from streamq.errors import UsageError
from streamq.model.shown import as_given

NAME: Final = 200
"""Characters of an actor at most: a name, an address, or that of a key."""
_ACTOR: Final[ContextVar[str]] = ContextVar("streamq_actor", default="")


@contextmanager
def acting(actor: str) -> Iterator[None]:
    """What is done within the block is done by this actor: 1 to 200 characters on one line. Raises ``UsageError``."""
    given: object = actor
    if not (isinstance(given, str) and 1 <= len(given) <= NAME and given.isprintable()):
        raise UsageError(f"{as_given(actor)} cannot be an actor: use 1 to {NAME} characters on one line")
    token = _ACTOR.set(actor)
    try:
        yield
    finally:
        _ACTOR.reset(token)


def actor() -> str:
    """Who acts now; empty where nobody has said so."""
    return _ACTOR.get()
