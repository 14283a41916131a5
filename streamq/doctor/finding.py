"""A finding of the doctor, and the patient that every check is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from streamq.app import App
from streamq.model.worker_info import WorkerInfo
from streamq.redis.links import Links
from streamq.redis.server import Server
from streamq.settings.location import Location

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. ``remedy`` is what to do, empty when nothing is wrong."""

    check: str
    """The name of the check."""
    code: str
    """What was found, as a code for programs: stable across versions."""
    verdict: Verdict
    said: str
    remedy: str = ""


@dataclass(slots=True)
class Patient:
    """What is examined."""

    app: App
    links: Links
    repair: bool = False
    workers: Sequence[WorkerInfo] = ()
    """Those that are registered and not lost; known once the workers were looked at."""
    infos: Mapping[Server, dict[str, str]] = field(default_factory=dict)
    """INFO of each server that can be asked."""
    reached: Mapping[Location, Server] = field(default_factory=dict)
    """The addresses that answered."""

    async def partitions(self) -> tuple[str, ...]:
        """The partitions of all queues: what is looked at key by key."""
        return await self.app.client.partition_names(*await self.app.queues())
