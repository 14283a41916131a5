"""Steering: what an operator has told a queue, as its key `steering` keeps it and as people and workers read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from streamq.model import codec
from streamq.model.clock import from_ms
from streamq.model.lanes import READY
from streamq.model.retention import DEFAULT, Retention, retention
from streamq.times import rfc3339

NOTHING: Final[Mapping[bytes, bytes]] = MappingProxyType({})
PAUSED: Final = b"paused"
TASK: Final = b"task:"
MAX_WAITING: Final = b"max_waiting"
LIMITED: Final = b"limited"
"""The fields of the key; that of a paused task goes on with its name."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause of a queue, or of a task in it."""

    reason: str = ""
    by: str = ""
    """Who asked for it; empty when that was not said."""
    since: datetime | None = None
    until: datetime | None = None
    """When it ends by itself; ``None`` lasts until somebody resumes."""

    def asdict(self) -> dict[str, Any]:
        """The pause as JSON has it; times in RFC 3339."""
        return {
            "reason": self.reason, "by": self.by, "since": rfc3339(self.since), "until": rfc3339(self.until),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Steering:
    """What was told to a queue; nothing, for most."""

    paused: Pause | None = None
    tasks: Mapping[str, Pause] = field(default_factory=dict)
    """The tasks that are paused in it."""
    max_waiting: int | None = None
    lanes: tuple[int, ...] = (READY,)
    """The lanes from which its jobs are delivered, suspects apart: those of priorities are made when first used."""

    limited: bool = False
    """Whether the queue, or a task in it, has a limit: then also jobs without a group wait for the gate."""
    retention: Retention = DEFAULT
    """How many records are kept, where that was told to it."""

    def asdict(self) -> dict[str, Any]:
        """It as JSON has it."""
        return {
            "paused": self.paused.asdict() if self.paused else None,
            "paused_tasks": {name: pause.asdict() for name, pause in self.tasks.items()},
            "max_waiting": self.max_waiting, "retention": self.retention.asdict(),
        }  # fmt: skip


UNSTEERED: Final = Steering()


def steering(
    told: Mapping[bytes, bytes], now: float, lanes: tuple[int, ...] = (READY,), kept: Mapping[bytes, bytes] = NOTHING
) -> Steering:  # fmt: skip
    """What the key says ``now`` (ms since the epoch by the server's clock). Pauses that are over, and what cannot be
    read, are left out."""
    paused = _pause(told.get(PAUSED), now)
    tasks = {
        name[len(TASK) :].decode("utf-8", "replace"): pause
        for name, raw in told.items()
        if name.startswith(TASK) and (pause := _pause(raw, now))
    }
    bound = told.get(MAX_WAITING, b"")
    return Steering(
        paused, tasks, int(bound) if bound.isdigit() else None, lanes, LIMITED in told, retention(kept)
    )


def _pause(raw: bytes | None, now: float) -> Pause | None:
    if raw is None:
        return None
    try:
        said = codec.loads(raw)
        until = said.get("until_ms")
        if until is not None and until <= now:
            return None
        since = said.get("since_ms")
        return Pause(
            str(said.get("reason", "")), str(said.get("by", "")),
            None if since is None else from_ms(since), None if until is None else from_ms(until),
        )  # fmt: skip
    except (ValueError, TypeError, AttributeError, OverflowError):
        return Pause("(what is written of this pause cannot be read)")  # the scripts take it for a pause, too
