"""Processes that a server left behind, distinguished from all others before any of them is ended.

A process that has its `server.lock` open inherited it from the server whose pid is in it, and belongs to the session of
that server. A pid in a file proves nothing by itself: the kernel may have reused it. So a process is ended only when
three things are true at that moment: it is our user's, it is of that session, and it has that very file open.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


def end_holders(lock: Path, session: int) -> None:
    """Kill the processes of ours, of a session, that have the file open."""
    for pid in list(_having_open(lock)):
        with contextlib.suppress(ProcessLookupError, PermissionError):  # the caller reports what is left
            if _is_of(pid, session):
                _kill(pid, lock, session)


def _is_of(pid: int, session: int) -> bool:
    return os.getsid(pid) == session and pid != os.getpid()


def _kill(pid: int, lock: Path, session: int) -> None:
    """Kill it if it is still the same process: a pidfd stays with its process, though a pid is reused."""
    if not hasattr(os, "pidfd_open"):
        os.kill(pid, signal.SIGKILL)
        return
    process = os.pidfd_open(pid)
    try:
        if _is_of(pid, session) and pid in _having_open(lock, pid):
            signal.pidfd_send_signal(process, signal.SIGKILL)
    finally:
        os.close(process)


def _having_open(lock: Path, only: int | None = None) -> Iterator[int]:
    return _by_proc(lock, only) if sys.platform == "linux" else _by_lsof(lock)


def _by_proc(lock: Path, only: int | None) -> Iterator[int]:
    wanted = lock.lstat()
    for process in [Path(f"/proc/{only}")] if only else Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or is not ours to look at
            if process.stat().st_uid == os.geteuid() and any(
                os.path.samestat(wanted, found) for found in _open_files(process)
            ):
                yield int(process.name)


def _open_files(process: Path) -> Iterator[os.stat_result]:
    for descriptor in (process / "fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            yield descriptor.stat()


def _by_lsof(lock: Path) -> Iterator[int]:
    """macOS has ``lsof``; where it is missing no process can be identified, and so none is ended."""
    words = ["lsof", "-a", "-u", str(os.geteuid()), "-t", "--", str(lock)]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        said = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 - its words are ours
        yield from map(int, said.stdout.split())
