"""The processes that this one has started, looked at before and after each test: so it has to be quick."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

_TELLS = Path(f"/proc/self/task/{os.getpid()}/children").exists()
"""Whether the kernel tells them: to look through all processes of the machine takes thirty times as long."""


def children() -> set[int]:
    """The ids of our child processes at any depth."""
    if not _TELLS:
        return {child.pid for child in psutil.Process().children(recursive=True)}
    me = os.getpid()
    # The kernel may miss one whose neighbour ends while it is asked.
    return _below(me) | _below(me)


def _below(process: int) -> set[int]:
    told = [_text(thread / "children") for thread in _threads(process)]
    own = {int(child) for each in told for child in each.split()}
    return own.union(*map(_below, own))


def _threads(process: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{process}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return []


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):  # the thread has ended
        return ""


def session_of(process: int) -> int:
    """The leader of its session; 0 for one that has gone."""
    try:
        return os.getsid(process)
    except ProcessLookupError:
        return 0


def command(process: int) -> str:
    """What it was started as."""
    try:
        return " ".join(psutil.Process(process).cmdline())
    except psutil.NoSuchProcess:
        return ""
    except psutil.ZombieProcess:
        return "(ended, but nobody waited for it)"
