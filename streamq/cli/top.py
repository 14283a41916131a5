"""``streamq top``: queues, workers and what runs longest, on one screen that goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Final

import click

import streamq
from streamq.cli.options import DURATION, Option, as_json, server, with_app
from streamq.cli.outlet import echo_json, is_terminal, say, screen, table
from streamq.model.clock import host_now

LOOKED_AT: Final = 50
"""Running jobs of a queue that are looked at: the oldest."""
LONGEST: Final = 10
"""Of these so many are shown."""
SPAN: Final = "1m"


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
def top(interval: float, once: bool, as_json: bool, **options: Any) -> None:
    """Watch queues, workers and the jobs that run longest. Ctrl-C ends it.

    \b
    Examples:
      streamq top
      streamq top --once --json
    """

    goes_on = is_terminal() and not once and not as_json

    async def watch(app: streamq.App) -> None:
        while True:
            looked = await _looked(app)
            if as_json:
                echo_json(looked)
            else:
                _show(looked, full=goes_on)
            if not goes_on:
                return
            await asyncio.sleep(max(0.2, interval))

    with_app(options, watch)


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


def _show(looked: dict[str, Any], *, full: bool) -> None:
    """``full``: in the place of what was there."""
    with screen(full=full):
        rows = looked["queues"]
        if not any(row["paused"] for row in rows):
            rows = [{name: value for name, value in row.items() if name != "paused"} for row in rows]
        table(rows, "no queue yet: enqueue a job or start a worker")
        say()
        table(looked["workers"], "no worker is running")
        say()
        table(looked["longest"], "no job runs now")
