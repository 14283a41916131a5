"""The states of a job and the moves between them.

A job's state is the place where its envelope lies; a move takes it from one place to another, in one script.

    verb       from                to                          script
    ---------  ------------------  --------------------------  -----------
    enqueue    (nothing)           waiting, delayed            enqueue.lua
    fetch      waiting             active                      fetch.lua, or XREADGROUP as it is
    complete   active              completed                   settle.lua
    fail       active              failed                      settle.lua
    retry      active              delayed                     settle.lua
    promote    delayed             waiting                     promote.lua
    release    active              waiting                     release.lua
    reclaim    active              waiting, failed             reclaim.lua
    requeue    failed              waiting                     requeue.lua
    prune      completed, failed   (nothing)                   settle.lua, prune.lua
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class State(StrEnum):
    """Where a job is. The value is what the API, the command line and the scripts say."""

    WAITING = "waiting"
    """In the ready stream, not yet delivered."""
    ACTIVE = "active"
    """Delivered to a worker: pending in the group under its name."""
    DELAYED = "delayed"
    """Parked until its due time: a new delay, a retry or a snooze."""
    HELD = "held"
    """Parked until its group lets it go."""
    COMPLETED = "completed"
    """Ended with a result."""
    FAILED = "failed"
    """Ended without one: attempts spent, told to fail, crashed too often, or unknown task."""
    CANCELLED = "cancelled"
    """Ended by request."""
    EXPIRED = "expired"
    """Ended because its time was over before it ran."""


class Move(NamedTuple):
    """One legal move: its verb, the states it starts from and those it may end in."""

    verb: str
    start: frozenset[State]
    end: frozenset[State]


def _move(verb: str, start: set[State], end: set[State]) -> Move:
    return Move(verb, frozenset(start), frozenset(end))


MOVES: Final = (
    _move("enqueue", set(), {State.WAITING, State.DELAYED}),
    _move("fetch", {State.WAITING}, {State.ACTIVE}),
    _move("complete", {State.ACTIVE}, {State.COMPLETED}),
    _move("fail", {State.ACTIVE}, {State.FAILED}),
    _move("retry", {State.ACTIVE}, {State.DELAYED}),
    _move("promote", {State.DELAYED}, {State.WAITING}),
    _move("release", {State.ACTIVE}, {State.WAITING}),
    _move("reclaim", {State.ACTIVE}, {State.WAITING, State.FAILED}),
    _move("requeue", {State.FAILED}, {State.WAITING}),
    _move("prune", {State.COMPLETED, State.FAILED}, set()),
)
