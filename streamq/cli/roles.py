"""``streamq worker``, ``scheduler`` and ``reclaimer``: one role per process."""

from __future__ import annotations

from typing import Any, Final

import click

import streamq
from streamq.cli.options import Option, Twin, app_named, check_queues, concurrency, configured, server

HANDED_ON: Final = "STREAMQ_SUPERVISED"
"""The variable in which a supervisor passes the typed options to its workers, as JSON."""


@click.command()
@app_named
@click.option(
    "--queues", cls=Twin, envvar="STREAMQ_QUEUES",
    help="Separated by commas, each with the weight of its share if that is not 1: a:3,b. Default: all of APP.",
)  # fmt: skip
@click.option(
    "--strict-queues", cls=Twin, is_flag=True, default=None, envvar="STREAMQ_STRICT_QUEUES",
    help="In their order: one gets nothing while one before it has jobs.",
)  # fmt: skip
@concurrency
@click.option(
    "--processes", cls=Twin, type=click.IntRange(1, 256), envvar="STREAMQ_PROCESSES",
    help="Default: 1",
)  # fmt: skip
@click.option(
    "--undeclared", cls=Option, is_flag=True, help="Queues may be served that no task of APP is declared on."
)
@click.option(
    "--no-duties",
    cls=Option,
    is_flag=True,
    help="Leave delayed jobs, schedules and lost workers to schedulers.",
)
@click.option("--name", hidden=True, allow_from_autoenv=False)
@click.option("--supervised", envvar=HANDED_ON, hidden=True)
@server
def worker(
    app: str | None, name: str | None, supervised: str | None, no_duties: bool, undeclared: bool, **options: Any
) -> None:  # fmt: skip
    """Run the jobs of APP, which is module:attribute.

    \b
    Examples:
      streamq worker tasks:app --queues sms,mail --concurrency 200 --processes 2
      streamq worker tasks:app --queues critical:3,mail
      streamq worker tasks:app --queues urgent,mail,reports --strict-queues
    """
    from streamq.model import codec  # noqa: PLC0415  # --help need not pay for it

    if supervised:
        options = codec.loads(supervised)
    loaded = streamq.load_app(app)
    # what is odd about the settings of supervised workers is logged by their supervisor
    configured(loaded, streamq.Settings, options, tell=not supervised)
    if not undeclared:
        check_queues(loaded)
    if loaded.settings.processes == 1:
        streamq.run(_work(loaded, name, duties=not no_duties, supervised=bool(supervised)))
        return
    flags = {"--no-duties": no_duties, "--undeclared": undeclared}
    arguments = [*([app] if app else []), *(flag for flag, given in flags.items() if given)]
    typed = {option: value for option, value in options.items() if value is not None} | {"processes": 1}
    # in the environment: a password may be among them, and every user of the machine can read a command line
    streamq.run(_supervise(loaded, arguments, {HANDED_ON: codec.dumps(typed).decode()}))


async def _work(app: streamq.App, name: str | None, *, duties: bool, supervised: bool) -> None:
    from streamq.runtime import on_end_of_input, stoppable  # noqa: PLC0415  # --help need not pay for it

    worker = streamq.Worker(app, name=name, duties=duties)
    with stoppable(worker.stop):  # before anything is waited for
        if supervised:
            await on_end_of_input(worker.stop)
        async with app:
            await worker.run()


async def _supervise(app: streamq.App, arguments: list[str], handed_on: dict[str, str]) -> None:
    from streamq.runtime import stoppable  # noqa: PLC0415  # --help need not pay for it
    from streamq.worker.supervisor import Supervisor  # noqa: PLC0415  # as above

    queues = streamq.Worker(app).queues
    supervisor = Supervisor(app, queues, app.settings.processes, arguments, handed_on)
    with stoppable(supervisor.stop):
        async with app:
            await supervisor.run()


def _do_upkeep(app: str | None, options: dict[str, Any], *, only_reclaim: bool) -> None:
    """No task is run, so no app needs to be named; where one is, its settings count."""
    named = streamq.load_app(app) if app or streamq.Settings.load().app else streamq.App()
    configured(named, streamq.Settings, options)
    streamq.run(_schedule(named, only_reclaim=only_reclaim))


async def _schedule(app: streamq.App, *, only_reclaim: bool) -> None:
    from streamq.runtime import stoppable  # noqa: PLC0415  # --help need not pay for it

    with stoppable():
        async with app:
            await streamq.Scheduler(app, only_reclaim=only_reclaim).run()


@click.command()
@app_named
@server
def scheduler(app: str | None, **options: Any) -> None:
    """Promote delayed jobs, run schedules, recover the jobs of lost workers, for all queues. Any number may run.

    No APP is needed; where one is named, its settings count, and the schedules that it declares are kept.

    \b
    Example:
      streamq scheduler
    """
    _do_upkeep(app, options, only_reclaim=False)


@click.command()
@app_named
@server
def reclaimer(app: str | None, **options: Any) -> None:
    """Recover the jobs of lost workers, and nothing else. (Schedulers and workers do it too.)

    No APP is needed; where one is named, its settings count.

    \b
    Example:
      streamq reclaimer
    """
    _do_upkeep(app, options, only_reclaim=True)
