"""Messages through the HTTP API to a provider while processes are killed: none missing, altered, early, needless.

The provider's ledger must hold each message at least once, equal byte by byte, none early; repeats only of jobs
that were running on the worker when it was killed, under the key of the first time.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from bench.figures import Figure, Measured
from bench.results import write
from bench.rig import Rig
from bench.server import Server, ServerClock

from . import ledger
from .deployment import Deployment
from .ledger import Judgement
from .texts import LONGEST, WORKSPACE, Message, load

CLIENTS: Final = 50
ANSWER_MS: Final = 200
"""What the provider takes to answer: a hundred jobs are always under way in a busy worker."""
START: Final = 20.0
"""Seconds the workers may take to start."""
PATIENCE: Final = 90.0
"""Seconds all may take after the last was sent."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one went."""

    messages: list[Message]
    judgement: Judgement
    at_kill: set[str]
    """Keys of the jobs that ran on the killed worker."""
    seconds: float


async def measure(rig: Rig) -> Measured:
    """The figures of a delivery, on a server of its own that writes its append-only file."""
    messages = load(rig.messages, rig.of(4_000, 300), longest=rig.of(LONGEST, 2.0))
    done = await delivered(messages, rig.say)
    judgement = done.judgement
    rig.say(f"{judgement.calls:,} calls in {done.seconds:.1f} s; delayed ones late by {judgement.lateness()}")
    return [
        Figure(
            "messages delivered", "calls/s", judgement.calls / done.seconds,
            note=f"{len(messages):,} messages, {judgement.repeats} repeats of {len(done.at_kill)} running at the kill",
        ),
        *(Figure(f"messages: {name}", "", count) for name, count in judgement.breaches.items()),
    ]  # fmt: skip


async def deliver(file: Path | None, count: int, json: Path | None) -> bool:
    """Deliver, print the figures, write them; False on any breach. Raises ``Gone`` when a process fails."""
    done = await delivered(load(file, count), _say)
    figures = _figures(done)
    for name, value in figures.items():
        click.echo(f"{name:<42} {value}")
    kept = not any(done.judgement.breaches.values())
    click.echo("every promise is kept" if kept else "BREACH: see above")
    if json is not None:
        write(json, {"figures": figures, "kept": kept, "messages": count, "late_ms": done.judgement.late})
    return kept


async def delivered(messages: list[Message], say: Callable[[str], None]) -> Delivery:
    """Deliver and judge. Raises ``Gone`` when a process fails."""
    with tempfile.TemporaryDirectory(prefix="streamq-delivery-", ignore_cleanup_errors=True) as folder:
        async with Deployment(Path(folder)) as running:
            start = time.monotonic()
            judgement, at_kill = await _deliver(running, messages, say)
            return Delivery(messages, judgement, at_kill, time.monotonic() - start)


async def _deliver(
    running: Deployment, messages: list[Message], say: Callable[[str], None]
) -> tuple[Judgement, set[str]]:
    await running.behave(mode="slow", delay_ms=ANSWER_MS)
    clock = await _clock(running)
    victim = await _victim(running)
    keys: dict[int, str] = {}
    say(f"sending {len(messages):,} messages from {CLIENTS} clients")
    async with asyncio.TaskGroup() as group:
        group.create_task(_kill(running, len(messages) // 2, say))
        waiting = iter(messages)
        for _ in range(CLIENTS):
            group.create_task(_client(running, clock, waiting, keys))
    await _finished(running)
    jobs = await running.finished()
    at_kill = {key for key, job in jobs.items() if _was_lost(job, victim)}
    calls = ledger.read(running.ledger)
    return ledger.judge(messages, keys, calls, at_kill, error=clock.error), at_kill


async def _clock(running: Deployment) -> ServerClock:
    server = Server(running.server.url, running.server.pid)
    try:
        return await server.clock()
    finally:
        await server.client.aclose()


async def _victim(running: Deployment) -> str:
    """The name of the worker that will be killed, once all workers are registered."""
    async with running.within("the workers are not registered", START):
        while len(names := await running.registered()) < len(running.workers):  # noqa: ASYNC110 - they tell only those who ask
            await asyncio.sleep(0.05)
    return names[running.workers[0].pid]


async def _client(
    running: Deployment, clock: ServerClock, waiting: Iterator[Message], keys: dict[int, str]
) -> None:
    for message in waiting:
        now = clock.at(time.monotonic_ns())
        body: dict[str, Any] = {
            "to": message.to, "message": message.line.decode(), "contactId": message.contact,
            "workspaceId": WORKSPACE,
        }  # fmt: skip
        if message.delay is not None:
            message.due = int((now + message.delay) * 1000) / 1000
            body |= (
                {"scheduledFor": datetime.fromtimestamp(message.due, UTC).isoformat(timespec="milliseconds")}
                if message.absolute
                else {"delay": message.delay}
            )
        keys[message.number] = await running.send(body)


async def _kill(running: Deployment, half: int, say: Callable[[str], None]) -> None:
    """SIGKILL for a worker half way, and for the scheduler, which starts again a second later."""
    while await running.received() < half:  # noqa: ASYNC110 - the same
        await asyncio.sleep(0.01)
    running.workers[0].kill()
    running.scheduler.kill()
    say(f"after {half:,} calls: a worker and the scheduler are killed")
    await asyncio.sleep(1)
    await running.restart_scheduler()
    say("the scheduler is started again")


async def _finished(running: Deployment) -> None:
    async with running.within("not all jobs are finished", PATIENCE):
        while await running.unfinished():  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.1)


def _was_lost(job: dict[str, Any], worker: str) -> bool:
    return any(error["type"] == "WorkerLost" and error["worker"] == worker for error in job["history"])


def _figures(done: Delivery) -> dict[str, int | str]:
    delayed, judgement = sum(message.delay is not None for message in done.messages), done.judgement
    return {
        "messages sent": f"{len(done.messages):,}, {delayed:,} of them delayed",
        "calls the provider received": f"{judgement.calls:,} in {done.seconds:.1f} s",
        "jobs running on the killed worker": len(done.at_kill),
        "repeats": judgement.repeats,
        "delayed ones came late by": judgement.lateness(),
        **judgement.breaches,
    }


def _say(text: str) -> None:
    click.echo(f"delivery  {text}", err=True)
