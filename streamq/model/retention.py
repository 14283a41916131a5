"""Retention: how many records of finished jobs are kept, and for how long: of a queue, and of tasks in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from typing import Any, Final

from streamq.model import codec

TASK: Final = "task:"
DECLARED: Final = "declared:"
"""How a field of the key begins that an operator has told of a task, or that a task's own code says."""
MOST: Final = 2**53
"""Records that may be asked for: more than a server holds, and as far as a script counts."""


@dataclass(frozen=True, slots=True)
class Kept:
    """How many records are kept, and each for how many seconds; ``None`` where nothing of its own is said.

    ``completed`` is of jobs that completed, ``failed`` of those that failed, were cancelled, or expired.
    """

    completed: int | None = None
    completed_for: float | None = None
    failed: int | None = None
    failed_for: float | None = None

    def or_else(self, other: Kept) -> Kept:
        """It, and where it says nothing ``other``."""
        return Kept(
            *(
                mine if mine is not None else its
                for mine, its in zip(_parts(self), _parts(other), strict=True)
            )
        )

    def asdict(self) -> dict[str, Any]:
        """It as JSON has it."""
        return asdict(self)


NAMES: Final = tuple(each.name for each in fields(Kept))
UNSAID: Final = Kept()


@dataclass(frozen=True, slots=True)
class Retention:
    """What is told of a queue, beyond what the settings say."""

    queue: Kept = UNSAID
    tasks: Mapping[str, Kept] = field(default_factory=dict)
    """Of the tasks that have a retention of their own; what an operator told wins over their code."""

    def asdict(self) -> dict[str, Any]:
        """It as JSON has it."""
        return {**self.queue.asdict(), "tasks": {name: kept.asdict() for name, kept in self.tasks.items()}}


DEFAULT: Final = Retention()


def retention(told: Mapping[bytes, bytes]) -> Retention:
    """What the key says. What cannot be read says nothing."""
    if not told:
        return DEFAULT
    texts = {name.decode("utf-8", "replace"): raw for name, raw in told.items()}
    tasks: dict[str, Kept] = {}
    for begin in (DECLARED, TASK):
        for name, raw in texts.items():
            if name.startswith(begin):
                task = name[len(begin) :]
                tasks[task] = read(raw).or_else(tasks.get(task, UNSAID))
    own = Kept(*(_seconds(name, _number(texts.get(name))) for name in NAMES))
    return Retention(own, {task: kept for task, kept in tasks.items() if kept != UNSAID})


def written(kept: Kept) -> bytes:
    """The retention of a task, as its field has it."""
    return codec.dumps({name: value for name, value in kept.asdict().items() if value is not None})


def field_of(name: str, value: float | None) -> str:
    """A value of a queue as its field has it, times in ms; empty for none."""
    return "" if value is None else f"{value * 1000 if name.endswith('_for') else value:.0f}"


def digest(task: str) -> str:
    """The end of the keys of a task: its name may be any text."""
    return sha256(task.encode()).hexdigest()[:16]


def _parts(kept: Kept) -> tuple[Any, ...]:
    return (kept.completed, kept.completed_for, kept.failed, kept.failed_for)


def read(raw: bytes) -> Kept:
    """The retention of a task from its field; what cannot be read says nothing."""
    try:
        said = codec.loads(raw)
        return Kept(*(_valid(name, said.get(name)) for name in NAMES))
    except (ValueError, TypeError, AttributeError):
        return UNSAID


def _valid(name: str, value: Any) -> Any:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST
    return (float(value) if name.endswith("_for") else int(value)) if fits else None


def _number(raw: bytes | None) -> int | None:
    return int(raw) if raw is not None and raw.isdigit() and len(raw) <= 16 else None


def _seconds(name: str, number: int | None) -> Any:
    return number if number is None or not name.endswith("_for") else number / 1000
