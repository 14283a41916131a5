"""What the doctor finds, and what every look of it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from streamq.app import App
from streamq.model.worker_info import WorkerInfo
from streamq.redis.links import Links

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``remedy`` is what to do, empty when nothing is."""

    check: str
    """What was looked at."""
    code: str
    """What was found: it stays the same from version to version, for programs."""
    verdict: Verdict
    said: str
    remedy: str = ""


@dataclass(slots=True)
class Patient:
    """What is examined."""

    app: App
    links: Links
    info: dict[str, str]
    """What the server says of itself; empty where it may not be asked."""
    repair: bool = False
    workers: Sequence[WorkerInfo] = ()
    """Those that are registered and not lost; known once the workers were looked at."""
    servers_reached: Sequence[str] = field(default=())
    """The addresses that answered."""
