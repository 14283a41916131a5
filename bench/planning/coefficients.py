"""The coefficients: what the planner knows of an engine and a machine, all measured; and their file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import orjson
from pydantic import TypeAdapter, ValidationError

from .memory import Memory


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of one job, in microseconds: what every job takes, and what each byte of its payload adds."""

    job: float
    byte: float

    def of(self, payload: float) -> float:
        """Microseconds for a payload of so many bytes."""
        return self.job + self.byte * payload

    @classmethod
    def through(cls, small: tuple[int, float], large: tuple[int, float]) -> Self:
        """The line through two measurements (bytes, microseconds); noise does not make bytes cost less than nothing."""
        byte = max(0.0, (large[1] - small[1]) / (large[0] - small[0]))
        return cls(max(0.0, small[1] - byte * small[0]), byte)


@dataclass(frozen=True, slots=True)
class RedisCpu:
    """The server's CPU, with all slots of a worker taken; ``call`` and ``turn`` are what a batch costs."""

    enqueue: Cost
    delay: Cost
    run: Cost
    """To fetch and to settle."""
    promote: float
    call: float
    """Microseconds per enqueue call."""
    turn: float
    """Microseconds per batch that is fetched and settled."""


@dataclass(frozen=True, slots=True)
class WorkerCpu:
    """The worker's CPU, with all slots taken and a handler that awaits: one that does not costs less."""

    run: Cost
    promoted: float
    """Microseconds more for a job that was delayed."""
    turn: float
    """Microseconds per batch."""


@dataclass(frozen=True, slots=True)
class Delays:
    """Time that passes without work, in seconds."""

    enqueue: float
    """Until a job that is enqueued by itself is there."""
    turn: float
    """From a free slot to a job in it: reading the next batch, beside settling the last."""
    slot: float
    """What a slot is taken longer than the handler takes: timers, the way in and out."""


@dataclass(frozen=True, slots=True)
class Connections:
    """To the server: that it takes in all, and that a process has."""

    most: int
    of_worker: int
    of_producer: int


@dataclass(frozen=True, slots=True)
class Coefficients:
    """All of them. ``about`` is where and when they were measured, as in a results file."""

    version: Literal[5]
    """Of the file: a reader refuses any other."""
    redis: RedisCpu
    worker: WorkerCpu
    delays: Delays
    memory: Memory
    connections: Connections
    about: dict[str, Any]
    slowness: float = 1.0
    """How many times as long the machine takes to compute now: timers and memory stay."""


def save(coefficients: Coefficients, path: Path) -> None:
    """Write the file."""
    path.write_bytes(orjson.dumps(coefficients, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def load(path: Path) -> Coefficients:
    """Read the file. Raises ``ValueError`` with one sentence."""
    try:
        return TypeAdapter(Coefficients).validate_json(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        place, said = ".".join(map(str, error.errors()[0]["loc"])), error.errors()[0]["msg"]
        raise ValueError(
            f"{path} is not a file of coefficients: {place or 'JSON'}: {said}; make one with "
            f"`streamq bench plan --save FILE …`"
        ) from None
