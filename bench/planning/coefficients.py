"""The coefficients: what the planner knows of an engine and a machine, all measured; and their file."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    """The server's CPU, in full batches; ``call`` and ``turn`` are what a batch costs however small it is."""

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
    """The worker's CPU, in full batches, with a handler that does nothing."""

    run: Cost
    awaiting: float
    """Microseconds more for a handler that awaits something."""
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
class Limits:
    """What the engine and the server allow."""

    read: int
    """Jobs that a worker reads at once, at most."""
    sent: int
    """Jobs of one enqueue call, at most: more are several calls."""
    attempts: int
    """That a job may spend, by default."""
    connections: int
    """That the server takes in all."""
    of_worker: int
    of_producer: int
    """Connections per process."""


@dataclass(frozen=True, slots=True)
class Coefficients:
    """All of them. ``about`` is where and when they were measured, as in a results file."""

    version: Literal[3]
    """Of the file: a reader refuses any other."""
    redis: RedisCpu
    worker: WorkerCpu
    delays: Delays
    memory: Memory
    limits: Limits
    about: dict[str, Any]

    def slowed(self, factor: float) -> Coefficients:
        """The same on a machine that takes ``factor`` times as long to compute: timers and memory stay."""
        return replace(
            self, redis=_scaled(self.redis, factor), worker=_scaled(self.worker, factor),
            delays=replace(self.delays, turn=self.delays.turn * factor),
        )  # fmt: skip


def _scaled(costs: Any, factor: float) -> Any:
    def scale(value: Any) -> Any:
        return Cost(value.job * factor, value.byte * factor) if isinstance(value, Cost) else value * factor

    return replace(costs, **{name: scale(getattr(costs, name)) for name in costs.__slots__})


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
