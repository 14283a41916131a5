"""Background operations: what an operator set off on many jobs, and how far it is."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streamq.model import codec
from streamq.model.clock import from_ms
from streamq.model.keys import is_name
from streamq.model.states import State
from streamq.times import rfc3339


def new_id(queue: str) -> str:
    """An id that tells its queue."""
    return f"{queue}.{secrets.token_hex(8)}"


def queue_of(operation_id: str) -> str:
    """The queue that the id tells; empty where it tells none."""
    queue = operation_id.rpartition(".")[0]
    return queue if is_name(queue) else ""


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """A background operation at one moment. Times are aware, in UTC, by the server's clock."""

    id: str
    queue: str
    kind: str
    """``purge`` or ``drain``."""
    states: tuple[State, ...]
    """Of which jobs."""
    state: str
    """``running``, ``done`` or ``cancelled``."""
    done: int
    """Jobs that it has deleted."""
    total: int
    """Jobs that there were in these states when it began."""
    by: str = ""
    """Who set it off; empty when that was not said."""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    ended_at: datetime | None = None

    def asdict(self) -> dict[str, Any]:
        """The operation as JSON has it; times in RFC 3339."""
        return {
            "id": self.id, "queue": self.queue, "kind": self.kind, "states": [state.value for state in self.states],
            "state": self.state, "done": self.done, "total": self.total, "by": self.by,
            "created_at": rfc3339(self.created_at), "updated_at": rfc3339(self.updated_at),
            "ended_at": rfc3339(self.ended_at),
        }  # fmt: skip


def begin_text(kind: str, states: Sequence[State], total: int, by: str) -> bytes:
    """An operation that begins, as the script takes it."""
    names = [state.value for state in states]
    return codec.dumps({"kind": kind, "states": names, "left": names, "total": total, "by": by})


def operation(queue: str, operation_id: str, raw: bytes) -> OperationRecord | None:
    """An operation as its key has it; ``None`` for what cannot be read."""
    try:
        said = codec.loads(raw)
        return OperationRecord(
            operation_id, queue, str(said["kind"]), tuple(State(name) for name in said["states"]), str(said["state"]),
            int(said["done"]), int(said["total"]), str(said.get("by", "")),
            *[_time(said.get(name)) for name in ("created_ms", "updated_ms", "ended_ms")],
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None


def _time(ms: float | None) -> datetime | None:
    return None if ms is None else from_ms(ms)
