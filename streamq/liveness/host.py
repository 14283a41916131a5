"""This host as the operating system shows it: which one it is, and whether a process on it runs.

Where there is no ``/proc`` nothing is known: the host has no id, and no process counts as running.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_NOT_RUNNING: Final = frozenset("TtZXx")
"""States of a process that is stopped, traced, or dead and not yet waited for."""


@cache
def host_id() -> str:
    """The boot and the process-id namespace: equal for two processes that see each other's pids. Else empty."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def started_at(pid: int) -> int:
    """When a process started, in ticks since the boot: with its pid, it names the process. 0 when unknown."""
    return _look(pid)[1]


def runs(pid: int, started: int) -> bool:
    """Whether the process that started then still runs. One that is stopped (SIGSTOP, a debugger) does not."""
    state, began = _look(pid)
    return began == started != 0 and state not in _NOT_RUNNING


def _look(pid: int) -> tuple[str, int]:
    try:
        # the name, in parentheses, may have anything in it: read from behind it
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return fields[0], int(fields[19])
    except (OSError, ValueError, IndexError):
        return "X", 0


def own_start() -> int:
    """``started_at`` of this process."""
    return started_at(os.getpid())
