"""``streamq workers``: who works, on what, and how much; they are told to take no new jobs, or to stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import click

import streamq
from streamq.cli import Group
from streamq.cli.group import shown_parts
from streamq.cli.names import WORKER
from streamq.cli.options import as_json, by_actor, server, with_app
from streamq.cli.outlet import echo_json, table


@click.group(cls=Group, invoke_without_command=True)
@server
@as_json
def workers(as_json: bool, **options: Any) -> None:
    """List the workers that are registered, with what they do now, or look at one and steer it.

    \b
    Examples:
      streamq workers
      streamq workers quiet host-7-0a1b2c3d
    """
    if click.get_current_context().invoked_subcommand is None:
        _list(options, as_json=as_json)


def _list(options: dict[str, Any], *, as_json: bool) -> None:
    async def look(app: streamq.App) -> list[dict[str, Any]]:
        return [worker.asdict() for worker in await app.workers()]

    rows = with_app(options, look)
    if as_json:
        echo_json({"workers": rows})
    else:
        table([_row(row) for row in rows], "no worker is registered")


def _row(said: dict[str, Any]) -> dict[str, Any]:
    """A worker on one line."""
    return {
        "worker": said["name"], "state": said["state"] or "unknown", "busy": said["busy"],
        "slots": said["concurrency"], "longest since": said["running"][0]["since"] if said["running"] else None,
        "MB": _times(said["memory"], 1e-6), "lag ms": _times(said["loop_lag"], 1000),
        "round trip ms": _times(said["round_trip"], 1000), "overdue": len(said["overdue"]),
        "queues": ",".join(said["queues"]),
        "notes": "; ".join(f"{note['subject']}: {note['text']}" for note in said["notes"]),
    }  # fmt: skip


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else round(value * factor, 1)


@workers.command()
@click.argument("name", type=WORKER)
@server
@as_json
def get(name: str, as_json: bool, **options: Any) -> None:
    """Show one worker, and what runs there.

    \b
    Example:
      streamq workers get host-7-0a1b2c3d
    """

    async def look(app: streamq.App) -> dict[str, Any]:
        return (await app.worker(name).status()).asdict()

    shown_parts(with_app(options, look), as_json=as_json)


def _command(way: str, act: Callable[[streamq.RemoteWorker], Awaitable[None]], told: str) -> None:
    """``streamq workers quiet NAME``, and the like: something is asked of a worker, and it is shown as it is then."""

    async def acted(app: streamq.App, name: str) -> dict[str, Any]:
        worker = app.worker(name)
        await act(worker)
        return (await worker.status()).asdict()

    @workers.command(way, help=f"{told}\n\n\b\nExample:\n  streamq workers {way} host-7-0a1b2c3d")
    @click.argument("name", type=WORKER)
    @by_actor
    @server
    @as_json
    def command(name: str, as_json: bool, **options: Any) -> None:
        shown_parts(with_app(options, lambda app: acted(app, name)), as_json=as_json)


_command("quiet", lambda worker: worker.quiet(), "Let a worker take no new jobs; what runs there goes on.")
_command("resume", lambda worker: worker.resume(), "Let a worker take jobs again.")
_command(
    "stop", lambda worker: worker.stop(),
    "End a worker as by SIGTERM: it takes no new jobs, and what runs there has the grace to end.\n\n"
    "Whoever supervises its process may start another.",
)  # fmt: skip
