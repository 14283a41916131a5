"""``streamq top``: queues, workers and what runs longest, on one screen that goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Iterator
from functools import partial
from typing import Any, Final

import click

import streamq
from streamq.cli.options import DURATION, Option, as_json, server, with_app
from streamq.cli.outlet import echo_json, is_terminal, say, screen, screen_left, tabled
from streamq.exits import Exit
from streamq.model.clock import host_now

LOOKED_AT: Final = 50
"""Running jobs of a queue that are looked at: the oldest."""
LONGEST: Final = 10
"""Of these so many are shown."""
SPAN: Final = "1m"
FEW: Final = 12
"""Rows of a terminal in which three tables have no room."""


@click.command()
@click.option(
    "--interval", cls=Option, type=DURATION, metavar="DURATION", default="2s", show_default=True,
    help="Between two looks.",
)  # fmt: skip
@click.option(
    "--once", cls=Option, is_flag=True, help="Look once and end, as where the output is no terminal."
)
@server
@as_json
def top(interval: float, once: bool, as_json: bool, **options: Any) -> int:
    """Watch queues, workers and the jobs that run longest. Ctrl-C ends it.

    What the terminal has no room for is counted: paused queues are shown first, then the busiest.

    \b
    Examples:
      streamq top
      streamq top --once --json
    """
    if as_json:
        echo_json(with_app(options, _looked))
    elif once or not is_terminal():
        for line in _lines(with_app(options, _looked)):
            say(line)
    else:
        with_app(options, lambda app: _watch(app, max(0.2, interval)))
        return Exit.INTERRUPTED
    return 0


async def _watch(app: streamq.App, interval: float) -> None:
    """Until a signal comes. What was looked at last is shown anew when the terminal gets another size."""
    from streamq.runtime import stoppable  # noqa: PLC0415  # --help need not pay for it

    with stoppable(), screen() as fill, _resized() as resized:
        while True:
            made = partial(_lines, await _looked(app))
            fill(made)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval):
                    while await resized.wait():
                        resized.clear()
                        fill(made)


@contextlib.contextmanager
def _resized() -> Iterator[asyncio.Event]:
    """Set when the terminal has got another size, or is ours again after Ctrl-Z, which leaves it as it was."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        with screen_left():
            os.kill(os.getpid(), signal.SIGSTOP)  # until the shell lets us go on
        event.set()

    loop.add_signal_handler(signal.SIGWINCH, event.set)
    loop.add_signal_handler(signal.SIGTSTP, stop)
    try:
        yield event
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)
        loop.remove_signal_handler(signal.SIGTSTP)


async def _looked(app: streamq.App) -> dict[str, Any]:
    """All that is shown, as JSON."""
    names = await app.queues()
    told, statistics = await app.steering(names), await app.statistics(SPAN)
    rows = await _each(_queue(app, name, statistics.get(name)) for name in names)
    running = [row for found in await _each(_running(app, name) for name in names) for row in found]
    for row in rows:
        pause = told[row["queue"]].asdict()["paused"]
        row["paused"] = None if not pause else pause["reason"] or "yes"
    workers = [
        {
            "worker": each.name, "host": each.host, "state": each.load.state if each.load else "unknown",
            "busy": each.load.busy if each.load else None, "slots": each.concurrency,
            "queues": ", ".join(each.queues),
        }
        for each in await app.workers()
    ]  # fmt: skip
    longest = sorted(running, key=lambda row: -row["seconds"])[:LONGEST]
    return {"queues": rows, "workers": workers, "longest": longest}


async def _each(looks: Any) -> list[Any]:
    return list(await asyncio.gather(*looks))


async def _queue(app: streamq.App, name: str, found: streamq.Statistics | None) -> dict[str, Any]:
    counts = (await app.queue(name).counts()).asdict()
    figures = found.total if found is not None else streamq.Figures()
    states = {state: counts[state] for state in ("waiting", "held", "active", "delayed", "failed")}
    return {
        "queue": name,
        **states,
        "a second": figures.rate,
        "wait p99": figures.wait.p99,
        "run p99": figures.run.p99,
    }


async def _running(app: streamq.App, name: str) -> list[dict[str, Any]]:
    page: Awaitable[streamq.Page] = app.queue(name).jobs(streamq.State.ACTIVE, limit=LOOKED_AT)
    at = host_now()
    return [
        {
            "job": job.id,
            "queue": name,
            "task": job.task,
            "seconds": round((at - job.started_at).total_seconds(), 1),
        }
        for job in (await page).items
        if job.started_at is not None
    ]


def _lines(looked: dict[str, Any], height: int | None = None) -> list[str]:
    """The three tables, one below the other; ``height``: no more lines than that."""
    rows = sorted(looked["queues"], key=_rank)
    if not any(row["paused"] for row in rows):
        rows = [{name: value for name, value in row.items() if name != "paused"} for row in rows]
    tables = [
        tabled(rows, "no queue yet: enqueue a job or start a worker"),
        tabled(looked["workers"], "no worker is running"),
        tabled(looked["longest"], "no job runs now"),
    ]
    fitted = tables if height is None else _fitted(tables, height)
    return [line for part in fitted for line in ("", *part)][1:]


def _rank(row: dict[str, Any]) -> tuple[bool, int, str]:
    """Paused queues first, then those in which most is to be done or has failed."""
    return (
        not row["paused"],
        -sum(row[state] for state in ("waiting", "held", "active", "failed")),
        row["queue"],
    )


def _fitted(tables: list[list[str]], height: int) -> list[list[str]]:
    """So much of each that all are seen: a quarter of the screen is for each, and what one leaves is for the others.

    On a screen of a few rows there is the first one alone.
    """
    if height < FEW:
        return [_cut(tables[0], height)]
    room = height - (len(tables) - 1)  # a line is empty between two of them
    heights = [min(len(part), height // 4) for part in tables]
    for place, part in enumerate(tables):
        heights[place] = min(len(part), heights[place] + room - sum(heights))
    return [_cut(part, most) for part, most in zip(tables, heights, strict=True)]


def _cut(lines: list[str], height: int) -> list[str]:
    """The first lines, and how many more there are."""
    if len(lines) <= height:
        return lines
    return [*lines[: height - 1], f"and {len(lines) - height + 1} more"]
