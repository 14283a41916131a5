"""``streamq worker``, ``scheduler`` and ``reclaimer``: one role per process."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

import click

import streamq
from streamq import codec
from streamq.cli.options import Twin, server

HANDED_ON: Final = "STREAMQ_SUPERVISED"
"""The variable by which a supervisor tells its workers what was typed, as JSON."""


@click.command()
@click.argument("app", required=False, envvar="STREAMQ_APP")
@click.option(
    "--queues", cls=Twin, envvar="STREAMQ_QUEUES", show_envvar=True,
    help="Separated by commas. Default: all of APP.",
)  # fmt: skip
@click.option(
    "--concurrency", cls=Twin, type=int, envvar="STREAMQ_CONCURRENCY", show_envvar=True,
    help="Jobs at once, per process. Default: 100",
)  # fmt: skip
@click.option(
    "--processes", cls=Twin, type=int, envvar="STREAMQ_PROCESSES", show_envvar=True, help="Default: 1"
)
@click.option("--no-duties", is_flag=True, help="Leave delayed jobs and lost workers to schedulers.")
@click.option("--name", hidden=True)
@click.option("--supervised", envvar=HANDED_ON, hidden=True)
@server
def worker(
    app: str | None, name: str | None, supervised: str | None, no_duties: bool, **options: Any
) -> None:
    """Run the jobs of APP (module:attribute).

    \b
    Example:
      streamq worker tasks:app --queues sms,mail --concurrency 200 --processes 2
    """
    if supervised:
        options = codec.loads(supervised)
    loaded = _load(app, options, tell=not supervised)  # a worker's supervisor has told it
    if loaded.settings.processes == 1:
        streamq.run(_work(loaded, name, duties=not no_duties, supervised=bool(supervised)))
        return
    arguments = [*([app] if app else []), *(["--no-duties"] if no_duties else [])]
    typed = {option: value for option, value in options.items() if value is not None} | {"processes": 1}
    # in the environment, not on the command line, which every user of the machine may read: a password may be in it
    streamq.run(_supervise(loaded, arguments, {HANDED_ON: codec.dumps(typed).decode()}))


def _load(app: str | None, options: dict[str, Any], *, tell: bool = True) -> streamq.App:
    loaded = streamq.load_app(app)
    settings = loaded.configure(streamq.Settings, options)
    streamq.set_up_logs(settings.log, settings.log_level)
    if tell:
        settings.tell()
    return loaded


async def _work(app: streamq.App, name: str | None, *, duties: bool, supervised: bool) -> None:
    from streamq.runtime import on_end_of_input, on_signals  # noqa: PLC0415  # --help need not pay for it

    worker = streamq.Worker(app, name=name, duties=duties)
    on_signals(worker.stop)  # before anything is waited for
    if supervised:
        await on_end_of_input(worker.stop)
    async with app:
        await worker.run()


async def _supervise(app: streamq.App, arguments: list[str], handed_on: dict[str, str]) -> None:
    from streamq.runtime import on_signals  # noqa: PLC0415  # --help need not pay for it
    from streamq.supervisor import Supervisor  # noqa: PLC0415  # the same

    queues = streamq.Worker(app).queues
    supervisor = Supervisor(app, queues, app.settings.processes, arguments, handed_on)
    on_signals(supervisor.stop)
    async with app:
        await supervisor.run()


async def _schedule(app: streamq.App, *, only_reclaim: bool) -> None:
    from streamq.runtime import on_signals  # noqa: PLC0415  # --help need not pay for it

    async def role() -> None:
        async with app:
            await streamq.Scheduler(app, only_reclaim=only_reclaim).run()

    running = asyncio.create_task(role())
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
