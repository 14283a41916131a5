"""The states of a job and the moves between them.

A job's state is the place where its envelope lies; a move takes it from one place to another, in one script.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class State(StrEnum):
    """Where a job is. The value is what the API, the command line and the scripts say."""

    WAITING = "waiting"
    """In a lane, not yet delivered."""
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


PURGED: Final = (
    State.HELD, State.DELAYED, State.WAITING, State.COMPLETED, State.FAILED, State.CANCELLED, State.EXPIRED,
)  # fmt: skip
"""The states whose jobs can be purged, in the order in which they are: all but those that run.

Held ones go before those that they follow, so that none of them begins to wait meanwhile.
"""


class Move(NamedTuple):
    """One legal move: its verb, the states it starts from, those it may end in, and the scripts that make it."""

    verb: str
    start: frozenset[State]
    end: frozenset[State]
    scripts: tuple[str, ...]
    asked: str = ""
    """The word with which people ask for it, in all interfaces; empty for what happens by itself."""


def _move(verb: str, start: set[State], end: set[State], *scripts: str, asked: str = "") -> Move:
    return Move(verb, frozenset(start), frozenset(end), scripts, asked)


_TO_COME: Final = {State.WAITING, State.DELAYED, State.HELD}
_ENDED: Final = {State.COMPLETED, State.FAILED, State.CANCELLED, State.EXPIRED}


MOVES: Final = (
    _move("enqueue", set(), {State.WAITING, State.DELAYED}, "enqueue"),
    _move("admit", set(), {State.WAITING, State.DELAYED, State.HELD}, "admit"),
    _move("fetch", {State.WAITING}, {State.ACTIVE}, "fetch"),  # or XREADGROUP as it is
    _move("complete", {State.ACTIVE}, {State.COMPLETED}, "settle"),
    _move("fail", {State.ACTIVE}, {State.FAILED}, "settle"),
    _move("expire", {State.ACTIVE}, {State.EXPIRED}, "settle"),
    _move("retry", {State.ACTIVE}, {State.DELAYED, State.CANCELLED}, "settle"),
    _move("hold", {State.ACTIVE}, {State.HELD, State.CANCELLED}, "settle"),
    _move("resume", {State.HELD}, {State.WAITING}, "resume"),
    _move("release", {State.ACTIVE}, {State.WAITING, State.CANCELLED}, "release"),
    _move("reclaim", {State.ACTIVE}, {State.WAITING, State.FAILED, State.CANCELLED}, "reclaim"),
    _move(
        "cancel", {*_TO_COME, State.ACTIVE}, {State.CANCELLED}, "cancel", "settle", "release", "reclaim",
        "bulk", asked="cancel",
    ),
    _move("promote", {State.DELAYED}, {State.WAITING}, "promote", "change", "bulk", asked="promote"),
    _move("reschedule", {State.WAITING, State.DELAYED}, {State.DELAYED}, "change", asked="reschedule"),
    _move("priority", _TO_COME, _TO_COME, "change", asked="priority"),
    _move("edit", _TO_COME, _TO_COME, "change", asked="edit"),
    _move(
        "requeue", {State.FAILED, State.CANCELLED, State.EXPIRED}, {State.WAITING}, "requeue", "bulk",
        asked="retry",
    ),
    _move("clone", set(), {State.WAITING}, "clone"),
    _move("purge", {*_TO_COME, *_ENDED}, set(), "purge"),
    _move("remove", _ENDED, set(), "remove", "bulk", asked="delete"),
    _move("prune", _ENDED, set(), "settle", "prune", "prune_ended"),
)  # fmt: skip
"""A new move is one more row."""

STARTS: Final = {move.asked: move.start for move in MOVES if move.asked}
"""The states in which each action that people ask for is possible."""


def allowed_in(state: str) -> tuple[str, ...]:
    """The actions that people may ask for in a state."""
    return tuple(action for action, states in STARTS.items() if state in states)
