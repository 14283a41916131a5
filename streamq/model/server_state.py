"""The queue server as it tells of itself: what it remembers, what it may forget, and how much room it has."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

Persistence = Literal["on", "failing", "off"]

_WORST: Final = ("failing", "off", "on")
NO_EVICTION: Final = "noeviction"
"""The policy with which a full server refuses what is new: with all others it removes jobs."""


@dataclass(frozen=True, slots=True)
class ServerState:
    """What is ``None`` the server does not tell to our user. On a cluster memory and its limit are those of the node
    that is fullest, and the rest is what is worst of all nodes."""

    memory: int
    """Bytes that it uses; 0 where it does not say."""
    memory_limit: int
    """Bytes that it may use; 0 where it has no limit, or does not say."""
    eviction_policy: str | None
    """Jobs are safe with ``noeviction`` alone."""
    persistence: Persistence | None
    """Whether the append-only file is ``on``, ``failing`` (it cannot be written) or ``off`` (a restart loses jobs)."""
    role: str | None
    """``master``, or what else it calls itself."""
    clock_apart: float | None = None
    """Seconds by which its clock is ahead of that of the host that asked; negative where it is behind."""
    memory_of_all: int = 0
    """Bytes that all nodes use together."""
    nodes: int = 1
    """How many primaries there are: 1 where it is no cluster."""

    def asdict(self) -> dict[str, Any]:
        """The state as JSON has it."""
        return {name: getattr(self, name) for name in self.__slots__}


def state_of(info: Mapping[str, str], host_ms: float | None = None) -> ServerState:
    """The state by what INFO says, which may be nothing; ``host_ms`` is when that was, by this host's clock."""
    return ServerState(
        _bytes(info.get("used_memory", "")), _bytes(info.get("maxmemory", "")), info.get("maxmemory_policy"),
        _persistence(info), info.get("role"), _apart(info.get("server_time_usec", ""), host_ms),
        _bytes(info.get("used_memory", "")),
    )  # fmt: skip


def worst_of(states: Sequence[ServerState]) -> ServerState:
    """The state of several nodes, the first of which is that of the lists of queues and workers."""
    fullest = max(states, key=lambda state: (state.memory / (state.memory_limit or math.inf), state.memory))
    policies = [state.eviction_policy for state in states if state.eviction_policy]
    kept = sorted({state.persistence for state in states if state.persistence}, key=_WORST.index)
    apart = [state.clock_apart for state in states if state.clock_apart is not None]
    return replace(
        fullest,
        eviction_policy=next((each for each in policies if each != NO_EVICTION), next(iter(policies), None)),
        persistence=next(iter(kept), None), role=states[0].role, clock_apart=max(apart, key=abs, default=None),
        memory_of_all=sum(state.memory for state in states), nodes=len(states),
    )  # fmt: skip


def _bytes(said: str) -> int:
    return int(said) if said.isdigit() else 0


def _apart(micros: str, host_ms: float | None) -> float | None:
    return (
        round((int(micros) / 1000 - host_ms) / 1000, 3) if micros.isdigit() and host_ms is not None else None
    )


def _persistence(info: Mapping[str, str]) -> Persistence | None:
    if "aof_enabled" not in info:
        return None
    if info["aof_enabled"] != "1":
        return "off"
    return "on" if info.get("aof_last_write_status", "ok") == "ok" else "failing"
