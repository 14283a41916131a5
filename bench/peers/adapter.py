"""The anatomy of an adapter: ``PYTHON -m bench.peers.NAME JSON``. Reports are JSON lines on standard output.

It ends when its standard input does, so it cannot outlive the bench, however that ends. It runs where only its peer
is installed, so here is nothing but the standard library.

role     does
-------  ------------------------------------------------------------------------------------------------
enqueue  puts the payloads of a file into the peer's queue, after a warm-up; reports jobs and seconds
work     one worker process; reports when all expected jobs have run: jobs, runs, seconds from first to last
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

Payload = dict[str, Any]
Batches = Iterator[list[Payload]]
Enqueue = Callable[[str, Batches], Coroutine[Any, Any, None] | None]
"""Enqueues all batches, the best bulk way the peer offers. Gets the server's URL."""
Work = Callable[[str], Coroutine[Any, Any, None] | None]
"""Works until the process ends, and says ``JOBS.ran(payload)`` in every job. Gets the server's URL."""


class Jobs:
    """Counts the jobs that ran, each once however often it did, and reports when all have."""

    def __init__(self) -> None:
        self.expected = self.runs = self._first = 0
        self._seen: set[str] = set()

    def ran(self, payload: Payload) -> None:
        """A job runs."""
        if not self.runs:
            self._first = time.monotonic_ns()
        self.runs += 1
        self._seen.add(payload["contact"])
        if len(self._seen) == self.expected:
            span = time.monotonic_ns() - self._first
            _report({"jobs": self.expected, "runs": self.runs, "seconds": span / 1e9})


JOBS: Final = Jobs()
_STDOUT: Final = os.dup(1)


def play(enqueue: Enqueue, work: Work, *, packages: Sequence[str], settings: str) -> None:
    """Play the role that the arguments name. ``packages`` and ``settings`` are for the results."""
    os.dup2(2, 1)  # what a peer prints is no report
    threading.Thread(target=_end_with_input, daemon=True).start()
    config = json.loads(sys.argv[1])
    if config["role"] == "work":
        JOBS.expected = config["expected"]
        _run(work(config["url"]))
    else:
        versions = {"python": platform.python_version(), **{name: version(name) for name in packages}}
        payloads = json.loads(Path(config["payloads"]).read_bytes())
        about = {"versions": versions, "settings": settings}
        _run(enqueue(config["url"], _batches(payloads, config["warm"], about)))
    threading.Event().wait()


def _batches(payloads: list[Payload], warm: int, about: dict[str, Any]) -> Batches:
    """Some to warm up, and then the rest: the time until it is asked for more counts."""
    yield payloads[:warm]
    start = time.perf_counter()
    yield payloads[warm:]
    _report({"jobs": len(payloads) - warm, "seconds": time.perf_counter() - start, **about})


def chunks(payloads: Sequence[Payload], size: int) -> Iterator[Sequence[Payload]]:
    """Slices of at most ``size``."""
    for start in range(0, len(payloads), size):
        yield payloads[start : start + size]


def _run(main: Coroutine[Any, Any, None] | None) -> None:
    """On uvloop where the environment has it: every asyncio peer recommends it."""
    if not inspect.iscoroutine(main):
        return
    try:
        from uvloop import run  # noqa: PLC0415 - not every environment has it
    except ImportError:
        asyncio.run(main)
    else:
        run(main)


def _report(said: dict[str, Any]) -> None:
    os.write(_STDOUT, json.dumps(said).encode() + b"\n")


def _end_with_input() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)  # at once: nobody needs what still runs, and the bench empties the server
