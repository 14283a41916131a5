"""The form of an adapter: ``PYTHON -m bench.peers NAME JSON``. Reports are JSON lines on standard output.

It ends when its standard input does, so it cannot outlive the bench, however that ends. It runs where only its peer
is installed, so here is nothing but the standard library. An adapter declares how a job is sent and how jobs are
worked off; what both roles have in common is here.

role     does
-------  ------------------------------------------------------------------------------------------------
enqueue  sends the payloads of a file: some to warm up, some one by one, the rest in bulk; reports jobs and seconds
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
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

Payload = dict[str, Any]


@dataclass(frozen=True)
class Sender:
    """How a peer is sent jobs, the best way it offers. What a call returns is awaited where that is possible."""

    one: Callable[[Payload], Any]
    """Sends one job, and returns when the server has it."""
    many: Callable[[Sequence[Payload]], Any] | None = None
    """Sends ``chunk`` jobs in one call; None where the peer has no such call."""
    chunk: int = 1
    """Jobs of a call of ``many``; without ``many``, calls of ``one`` at a time."""


Sending = Callable[[str], Coroutine[Any, Any, Sender]]
"""Opens what is needed to send, what must be closed in ``OPEN``. Gets the server's URL."""
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
            report({"jobs": self.expected, "runs": self.runs, "seconds": span / 1e9})


JOBS: Final = Jobs()
OPEN: Final = AsyncExitStack()
"""What an adapter has open until its process ends."""
_STDOUT: Final = os.dup(1)


def play(sending: Sending, work: Work, *, packages: str, settings: str) -> None:
    """Play the role that the arguments name. ``packages``, separated by spaces, and ``settings`` are for results."""
    os.dup2(2, 1)  # what a peer prints is no report
    threading.Thread(target=_end_with_input, daemon=True).start()
    config = json.loads(sys.argv[-1])
    if config["role"] == "work":
        JOBS.expected = config["expected"]
        _run(work(config["url"]))
    else:
        versions = {"python": platform.python_version(), **{name: version(name) for name in packages.split()}}
        payloads = json.loads(Path(config["payloads"]).read_bytes())
        about = {"versions": versions, "settings": settings}
        _run(_enqueue(sending(config["url"]), payloads, config["warm"], config["single"], about))
    threading.Event().wait()


async def _enqueue(
    sending: Coroutine[Any, Any, Sender],
    payloads: list[Payload],
    warm: int,
    single: int,
    about: dict[str, Any],
) -> None:
    async with OPEN:
        sender = await sending
        await _one_by_one(sender, payloads[:warm])
        start = time.perf_counter()
        await _one_by_one(sender, payloads[warm : warm + single])
        turn = time.perf_counter()
        await _in_bulk(sender, payloads[warm + single :])
        end = time.perf_counter()
    sent = {"single": single, "single_seconds": turn - start, "jobs": len(payloads) - warm - single}
    report({**sent, "seconds": end - turn, **about})


async def _one_by_one(sender: Sender, payloads: Sequence[Payload]) -> None:
    for payload in payloads:
        await _done(sender.one(payload))


async def _in_bulk(sender: Sender, payloads: Sequence[Payload]) -> None:
    for start in range(0, len(payloads), sender.chunk):
        chunk = payloads[start : start + sender.chunk]
        if sender.many is not None:
            await _done(sender.many(chunk))
        elif sender.chunk == 1:
            await _done(sender.one(chunk[0]))
        else:
            await asyncio.gather(*map(sender.one, chunk))


async def _done(sent: Any) -> None:
    if hasattr(sent, "__await__"):
        await sent


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


def report(said: dict[str, Any]) -> None:
    """Say something to the bench."""
    os.write(_STDOUT, json.dumps(said).encode() + b"\n")


def _end_with_input() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)  # at once: nobody needs what still runs, and the bench empties the server
