"""``streamq worker``, ``scheduler`` and ``reclaimer``: one role per process."""

from __future__ import annotations

from typing import Any

import click

from streamq.cli.options import reports_errors, server


@click.command()
@click.argument("app", required=False, envvar="STREAMQ_APP")
@click.option("--queues", envvar="STREAMQ_QUEUES", show_envvar=True, help="Separated by commas. Default: all of APP.")
@click.option("--concurrency", type=int, envvar="STREAMQ_CONCURRENCY", show_envvar=True, help="Jobs at once, per process. Default: 100")  # noqa: E501
@click.option("--processes", type=int, envvar="STREAMQ_PROCESSES", show_envvar=True, help="Default: 1")
@click.option("--no-duties", is_flag=True, help="Leave delayed jobs and lost workers to schedulers.")
@click.option("--name", hidden=True)
@click.option("--supervised", is_flag=True, hidden=True)
@server
@reports_errors
def worker(app: str | None, name: str | None, supervised: bool, no_duties: bool, **options: Any) -> None:
    """Run the jobs of APP (module:attribute).

    \b
    Example:
      streamq worker tasks:app --queues sms,mail --concurrency 200 --processes 2
    """
    from streamq import logs
    from streamq.run import load_app, run
    from streamq.settings import Settings

    settings = Settings.load(**options)
    logs.set_up(settings.log, settings.log_level)
    loaded = load_app(app, settings)
    if settings.processes > 1:
        given = [app] if app else []
        run(_supervise(loaded, [*given, *(["--no-duties"] if no_duties else [])], options))
    else:
        run(_work(loaded, name, duties=not no_duties, supervised=supervised))


async def _work(app: Any, name: str | None, *, duties: bool, supervised: bool) -> None:
    from streamq.run import on_end_of_input, on_signals
    from streamq.worker import Worker

    async with app:
        running = Worker(app, name=name, duties=duties)
        on_signals(running.stop)
        if supervised:
            await on_end_of_input(running.stop)
        await running.run()


async def _supervise(app: Any, arguments: list[str], options: dict[str, Any]) -> None:
    from streamq.run import on_signals
    from streamq.supervisor import Supervisor
    from streamq.worker import Worker

    for name, value in options.items():
        if value is not None and name != "processes":
            arguments += [f"--{name.replace('_', '-')}", str(value)]
    async with app:
        queues = Worker(app).queues
        supervisor = Supervisor(app, queues, app.settings.processes, arguments)
        on_signals(supervisor.stop)
        await supervisor.run()


def _schedule(app: str | None, options: dict[str, Any], *, only_reclaim: bool) -> None:
    from streamq import logs
    from streamq.run import load_app, run
    from streamq.settings import Settings

    settings = Settings.load(**options)
    logs.set_up(settings.log, settings.log_level)
    run(_until_signal(load_app(app, settings), only_reclaim=only_reclaim))


async def _until_signal(app: Any, *, only_reclaim: bool) -> None:
    import asyncio
    import contextlib

    from streamq.run import on_signals
    from streamq.worker import Scheduler

    async with app:
        running = asyncio.create_task(Scheduler(app, only_reclaim=only_reclaim).run())
        on_signals(lambda: bool(running.cancel()) and None)
        with contextlib.suppress(asyncio.CancelledError):
            await running


@click.command()
@click.argument("app", required=False, envvar="STREAMQ_APP")
@server
@reports_errors
def scheduler(app: str | None, **options: Any) -> None:
    """Promote delayed jobs and recover those of lost workers, for all queues. Any number may run.

    \b
    Example:
      streamq scheduler
    """
    _schedule(app, options, only_reclaim=False)


@click.command()
@click.argument("app", required=False, envvar="STREAMQ_APP")
@server
@reports_errors
def reclaimer(app: str | None, **options: Any) -> None:
    """Recover the jobs of lost workers, and nothing else. (Schedulers and workers do it too.)

    \b
    Example:
      streamq reclaimer
    """
    _schedule(app, options, only_reclaim=True)
