"""``streamq worker``, ``scheduler`` and ``reclaimer``: one role per process."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import click

import streamq
from streamq.cli.options import server


@click.command()
@click.argument("app", required=False, envvar="STREAMQ_APP")
@click.option(
    "--queues", envvar="STREAMQ_QUEUES", show_envvar=True, help="Separated by commas. Default: all of APP."
)
@click.option(
    "--concurrency",
    type=int,
    envvar="STREAMQ_CONCURRENCY",
    show_envvar=True,
    help="Jobs at once, per process. Default: 100",
)
@click.option("--processes", type=int, envvar="STREAMQ_PROCESSES", show_envvar=True, help="Default: 1")
@click.option("--no-duties", is_flag=True, help="Leave delayed jobs and lost workers to schedulers.")
@click.option("--name", hidden=True)
@click.option("--supervised", is_flag=True, hidden=True)
@server
def worker(app: str | None, name: str | None, supervised: bool, no_duties: bool, **options: Any) -> None:
    """Run the jobs of APP (module:attribute).

    \b
    Example:
      streamq worker tasks:app --queues sms,mail --concurrency 200 --processes 2
    """
    loaded = _load(app, options)
    if loaded.settings.processes == 1:
        streamq.run(_work(loaded, name, duties=not no_duties, supervised=supervised))
        return
    given = [app] if app else []
    given += ["--no-duties"] if no_duties else []
    for option, value in options.items():
        if value is not None and option != "processes":
            given += [f"--{option.replace('_', '-')}", str(value)]
    streamq.run(_supervise(loaded, given))


def _load(app: str | None, options: dict[str, Any]) -> streamq.App:
    settings = streamq.Settings.load(**options)
    streamq.set_up_logs(settings.log, settings.log_level)
    return streamq.load_app(app, settings)


async def _work(app: streamq.App, name: str | None, *, duties: bool, supervised: bool) -> None:
    from streamq.runtime import on_end_of_input, on_signals  # noqa: PLC0415  # --help need not pay for it

    async with app:
        worker = streamq.Worker(app, name=name, duties=duties)
        on_signals(worker.stop)
        if supervised:
            await on_end_of_input(worker.stop)
        await worker.run()


async def _supervise(app: streamq.App, arguments: list[str]) -> None:
    from streamq.runtime import on_signals  # noqa: PLC0415  # --help need not pay for it
    from streamq.supervisor import Supervisor  # noqa: PLC0415  # the same

    async with app:
        supervisor = Supervisor(app, streamq.Worker(app).queues, app.settings.processes, arguments)
        on_signals(supervisor.stop)
        await supervisor.run()


async def _schedule(app: streamq.App, *, only_reclaim: bool) -> None:
    from streamq.runtime import on_signals  # noqa: PLC0415  # --help need not pay for it

    async with app:
        running = asyncio.create_task(streamq.Scheduler(app, only_reclaim=only_reclaim).run())
        on_signals(running.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await running


@click.command()
@click.argument("app", required=False, envvar="STREAMQ_APP")
@server
def scheduler(app: str | None, **options: Any) -> None:
    """Promote delayed jobs and recover those of lost workers, for all queues. Any number may run.

    \b
    Example:
      streamq scheduler
    """
    streamq.run(_schedule(_load(app, options), only_reclaim=False))


@click.command()
@click.argument("app", required=False, envvar="STREAMQ_APP")
@server
def reclaimer(app: str | None, **options: Any) -> None:
    """Recover the jobs of lost workers, and nothing else. (Schedulers and workers do it too.)

    \b
    Example:
      streamq reclaimer
    """
    streamq.run(_schedule(_load(app, options), only_reclaim=True))
