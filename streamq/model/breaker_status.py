"""How a circuit breaker is: closed while jobs start, open while they are held, half open while one of them tries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from streamq.model import codec
from streamq.model.group_status import pause_of
from streamq.model.limit import Breaker, limit_of
from streamq.model.steering import Pause

BreakerState = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """How the breaker of a scope is now."""

    scope: str
    """Of what it is: ``queue``, ``task:<name>`` or ``group:<name>``."""
    state: BreakerState
    breaker: Breaker | None
    """When it opens by itself; ``None`` where nothing is said."""
    failed: int
    """How many of the attempts have failed that ended within its window, where it is closed."""
    ended: int
    """How many these are."""
    pause: Pause | None
    """Since when it is open, why and by whom; ``breaker`` is who opens it by itself."""

    def asdict(self) -> dict[str, Any]:
        """It as JSON has it."""
        return {
            "scope": self.scope, "state": self.state, "breaker": str(self.breaker) if self.breaker else None,
            "failed": self.failed, "ended": self.ended, "pause": self.pause.asdict() if self.pause else None,
        }  # fmt: skip


def status(
    scope: str, texts: tuple[bytes | None, ...], pause: bytes | None, counts: Mapping[bytes, bytes], now: float
) -> BreakerStatus:  # fmt: skip
    """A breaker by what the keys ``gate:limits`` and ``gate:errors:SCOPE`` say of it ``now``, in ms."""
    said = limit_of(*texts).breaker
    sums = dict.fromkeys((b"good", b"bad"), 0)
    for field, count in counts.items():
        kind, _, bucket = field.partition(b" ")
        size = said.window * 100 if isinstance(said, Breaker) else 0  # ms of a tenth of its window
        if kind in sums and bucket.isdigit() and count.isdigit() and now / max(1, size) - int(bucket) < 11:
            sums[kind] += int(count)
    told, trial = pause_of(pause or b"", 0), _probe(pause or b"")
    if trial is not None and not isinstance(said, Breaker):
        told = None  # its breaker was taken back, and so it holds nobody
    state: BreakerState = "closed"
    if told is not None:
        is_over = pause_of(pause or b"", now) is None
        state = "half-open" if trial is not None and (trial or is_over) else "closed" if is_over else "open"
    return BreakerStatus(
        scope, state, said if isinstance(said, Breaker) else None, sums[b"bad"], sum(sums.values()),
        told if state != "closed" else None,
    )  # fmt: skip


def _probe(pause: bytes) -> str | None:
    """The job that was let through last by a breaker that has opened by itself; empty where none was yet."""
    try:
        said = codec.loads(pause.partition(b" ")[2])
        return str(said.get("probe") or "") if said.get("breaker") is True else None
    except (ValueError, AttributeError):
        return None
