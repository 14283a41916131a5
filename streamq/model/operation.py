"""Background operations: what an operator set off on many jobs, and how far it is."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from streamq.model import codec, places
from streamq.model.clock import from_ms
from streamq.model.names import is_name
from streamq.model.states import State
from streamq.times import rfc3339

END: Final = "-"
"""The cursor behind all states."""


def new_id(queue: str) -> str:
    """An id that tells its queue."""
    return f"{queue}.{secrets.token_hex(8)}"


def queue_in(operation_id: str) -> str:
    """The queue that the id tells; empty where it tells none."""
    queue = operation_id.rpartition(".")[0]
    return queue if is_name(queue) else ""


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """A background operation at one moment. Times are aware, in UTC, by the server's clock."""

    id: str
    queue: str
    kind: str
    """``purge`` or ``drain``; or by a filter ``retry``, ``cancel``, ``promote`` or ``delete``."""
    states: tuple[State, ...]
    """Of which jobs."""
    state: str
    """``running``, ``done``, ``cancelled``, or ``stopped`` where the first jobs of a redrive failed again."""
    done: int
    """Jobs that it has deleted, or otherwise changed: each is counted in the call that changes it."""
    total: int
    """Jobs that there were in these states when it began."""
    by: str = ""
    """Who set it off; empty when that was not said."""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    ended_at: datetime | None = None
    filter: str = ""
    """Which jobs of these states it is for; empty for a purge, which is for all of them."""
    looked: int = 0
    """Jobs that it has looked at, by a filter."""
    skipped: int = 0
    """Jobs that its filter meant and that it did not change: they were elsewhere by then, or their key was in use."""
    rate: float | None = None
    """Jobs a second at most."""
    canary: int | None = None
    """Jobs of which the ends are awaited first: when any of them fails again, it is stopped."""
    reason: str = ""
    """Why it was stopped."""
    parts: int = 1
    """Partitions of its queue that it was told to."""

    @property
    def in_turn(self) -> bool:
        """Whether it goes through them one after the other, as its numbers are of the whole queue."""
        return in_turn(self.parts, self.rate, self.canary)

    def asdict(self) -> dict[str, Any]:
        """The operation as JSON has it; times in RFC 3339."""
        return {
            "id": self.id, "queue": self.queue, "kind": self.kind, "states": [state.value for state in self.states],
            "state": self.state, "done": self.done, "total": self.total, "by": self.by,
            "created_at": rfc3339(self.created_at), "updated_at": rfc3339(self.updated_at),
            "ended_at": rfc3339(self.ended_at), "filter": self.filter, "looked": self.looked,
            "skipped": self.skipped, "rate": self.rate, "canary": self.canary, "reason": self.reason,
        }  # fmt: skip


def begin_text(kind: str, states: Sequence[State], total: int, by: str) -> bytes:
    """An operation that begins, as the script takes it."""
    names = [state.value for state in states]
    return codec.dumps({"kind": kind, "states": names, "left": names, "total": total, "by": by})


DONE: Final = {"retry": "retried", "cancel": "cancelled", "promote": "promoted", "delete": "deleted"}
"""What has become of the jobs of an operation by filter, by its kind. A purge and a drain delete."""


class Bulk(NamedTuple):
    """What an operation by filter does, as the script takes it when it begins."""

    kind: str
    """``retry``, ``cancel``, ``promote`` or ``delete``: what people may ask for."""
    states: tuple[State, ...]
    filter: str
    whole: bool
    """Whether the filter means all jobs of these states."""
    rate: float | None = None
    canary: int | None = None
    reason: str = ""
    """Why its jobs are cancelled: their records say it."""

    def begin_text(self, total: int, by: str, parts: int = 1) -> bytes:
        """The operation as it begins in one of so many partitions."""
        told = {name: value for name, value in self._asdict().items() if value not in (None, "", False)}
        if parts > 1:
            told["parts"] = parts
        return codec.dumps({
            **told, "states": [state.value for state in self.states], "total": total, "by": by, "cursor": "",
            **({"why": self.reason} if self.reason else {}), "reason": "",
        })  # fmt: skip


class Course(NamedTuple):
    """How far an operation by filter is, and what it is for."""

    kind: str
    states: tuple[State, ...]
    filter: str
    cursor: str
    """Empty at the beginning, ``-`` at the end, and else a state, a dot, and a place in its list."""
    last: dict[str, str]
    last_end: float
    created: int
    told: bytes
    """What the records of cancelled jobs are to say of their end."""
    rate: float | None
    canary: int | None = None
    parts: int = 1

    @property
    def in_turn(self) -> bool:
        """Whether it goes through the partitions of its queue one after the other."""
        return in_turn(self.parts, self.rate, self.canary)


def in_turn(parts: int, rate: float | None, canary: int | None) -> bool:
    """Whether an operation goes through so many partitions one after the other: so its rate and its canary are numbers
    of the whole queue."""
    return parts > 1 and (rate is not None or canary is not None)


class Handed(NamedTuple):
    """What the partitions that have had their turn in an operation hand to the next."""

    done: int = 0
    """Jobs that they have changed: the first of them are its canary."""
    credit: float = 1.0
    """Of its rate, jobs that may be changed at once."""


def handed(raw: bytes | None, before: Handed) -> tuple[str, Handed]:
    """The state of the part of an operation that a partition had, and what that one hands on."""
    try:
        said = codec.loads(raw or b"{}")
        done = before.done + _count(said.get("done", 0))
        return str(said.get("state", "done")), Handed(done, float(said.get("credit", before.credit)))
    except (ValueError, TypeError, AttributeError, OverflowError):
        return "", before


def course(raw: bytes) -> Course | None:
    """The course of an operation by filter as its key has it; ``None`` for any other, and for what cannot be read."""
    try:
        said = codec.loads(raw)
        if said["state"] != "running" or not isinstance(said["cursor"], str):
            return None
        told = {"type": "Cancelled", "message": str(said.get("why", ""))}
        last, states = said["last"], tuple(State(name) for name in said["states"])
        if not states or said["cursor"].partition(".")[0] not in ("", END, *states):
            return None
        return Course(
            str(said["kind"]), states, str(said["filter"]), said["cursor"],
            last if isinstance(last, dict) else {}, float(said["last_end"]), int(said["created_ms"]),
            codec.dumps({**told, **({"by": said["by"]} if said.get("by") else {})}),
            float(said["rate"]) if said.get("rate") else None,
            _count(said["canary"]) if said.get("canary") else None, _count(said.get("parts", 1)),
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None


def operation(queue: str, operation_id: str, raw: bytes) -> OperationRecord | None:
    """An operation as its key has it; ``None`` for what cannot be read."""
    try:
        said = codec.loads(raw)
        return OperationRecord(
            operation_id, queue, str(said["kind"]), tuple(map(State, said["states"])),
            str(said["state"]),
            _count(said["done"]), _count(said["total"]), str(said.get("by", "")),
            _time(said.get("created_ms")), _time(said.get("updated_ms")), _time(said.get("ended_ms")),
            filter=str(said.get("filter", "")), looked=_count(said.get("looked", 0)),
            skipped=_count(said.get("skipped", 0)), rate=None if said.get("rate") is None else float(said["rate"]),
            canary=None if said.get("canary") is None else _count(said["canary"]),
            reason=str(said.get("reason", "")), parts=_count(said.get("parts", 1)),
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None


def as_one(records: Sequence[OperationRecord]) -> OperationRecord:
    """An operation on all partitions of a queue, of what each tells of its part."""
    first, *others = records
    if not others:
        return (
            first
            if places.SEPARATOR not in first.queue
            else replace(first, queue=places.queue_of(first.queue))
        )
    state = next((state for state in _WORST if any(each.state == state for each in records)), first.state)
    ends = [each.ended_at for each in records if each.ended_at]
    reason = next((each.reason for each in records if each.reason), "")
    return replace(
        first, queue=places.queue_of(first.queue), state=state, reason=reason,
        **{name: sum(getattr(each, name) for each in records) for name in ("done", "total", "looked", "skipped")},
        created_at=min((each.created_at for each in records if each.created_at), default=None),
        updated_at=max((each.updated_at for each in records if each.updated_at), default=None),
        ended_at=max(ends) if state != "running" and ends else None,
    )  # fmt: skip


_WORST: Final = ("running", "stopped", "cancelled", "done")
"""The state of an operation is the first of these that any of its parts has."""


def _count(value: Any) -> int:
    if not 0 <= value < 2**53:
        raise ValueError(value)
    return int(value)


def _time(ms: float | None) -> datetime | None:
    return None if ms is None else from_ms(ms)
