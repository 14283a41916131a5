"""The states of a job and the moves between them.

A job's state is the place where its envelope lies; a move takes it from one place to another, in one script.
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
    """Parked until its group has capacity."""
    COMPLETED = "completed"
    """Ended with a result."""
    FAILED = "failed"
    """Ended without one: attempts spent, told to fail, crashed too often, or unknown task."""
    CANCELLED = "cancelled"
    """Ended by request."""
    EXPIRED = "expired"
    """Ended because its time was over before it ran."""


class Move(NamedTuple):
    """One legal move: its verb, the states it starts from, those it may end in, and the scripts that make it."""

    verb: str
    start: frozenset[State]
    end: frozenset[State]
    scripts: tuple[str, ...]


def _move(verb: str, start: set[State], end: set[State], *scripts: str) -> Move:
    return Move(verb, frozenset(start), frozenset(end), scripts)


MOVES: Final = (
    _move("enqueue", set(), {State.WAITING, State.DELAYED}, "enqueue"),
    _move("admit", set(), {State.WAITING, State.DELAYED, State.HELD}, "admit"),
    _move("fetch", {State.WAITING}, {State.ACTIVE}, "fetch"),  # or XREADGROUP as it is
    _move("complete", {State.ACTIVE}, {State.COMPLETED}, "settle"),
    _move("fail", {State.ACTIVE}, {State.FAILED}, "settle"),
    _move("retry", {State.ACTIVE}, {State.DELAYED}, "settle"),
    _move("promote", {State.DELAYED}, {State.WAITING}, "promote"),
    _move("hold", {State.ACTIVE}, {State.HELD}, "settle"),
    _move("resume", {State.HELD}, {State.WAITING}, "resume"),
    _move("release", {State.ACTIVE}, {State.WAITING}, "release"),
    _move("reclaim", {State.ACTIVE}, {State.WAITING, State.FAILED}, "reclaim"),
    _move("requeue", {State.FAILED}, {State.WAITING}, "requeue"),
    _move(
        "purge",
        {
            State.WAITING, State.DELAYED, State.HELD, State.COMPLETED, State.FAILED, State.CANCELLED,
            State.EXPIRED,
        },
        set(),
        "purge",
    ),
    _move(
        "prune", {State.COMPLETED, State.FAILED, State.CANCELLED, State.EXPIRED}, set(),
        "settle", "prune", "prune_ended",
    ),
)  # fmt: skip
"""A new move is one more row."""
