"""The options that commands share, and an app on the server that they name."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import click

import streamq
from streamq.cli.ending import QueueNotFound
from streamq.cli.outlet import Warnings
from streamq.durations import seconds_of
from streamq.errors import meant
from streamq.model.shown import as_given
from streamq.model.weights import weights_of
from streamq.noun_errors import QueueMoved
from streamq.times import NoTime, looks_like_a_time, parse_rfc3339

Command = Callable[..., Any]
T = TypeVar("T")
S = TypeVar("S", bound="streamq.Settings")


class Option(click.Option):
    """An option whose environment variable the help shows."""

    def __init__(self, *names: Any, **given: Any) -> None:
        super().__init__(*names, **{"show_envvar": True, **given})

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """The value of its variable. Kubernetes sets variables of the same form for a service named as a command."""
        said = super().resolve_envvar_value(ctx)
        return None if said is not None and said.startswith("tcp://") else said


class Twin(Option):
    """An option whose environment variable the settings read.

    Click must not read it: what is typed wins over the arguments of ``App(…)``, and those win over the environment.
    """

    def resolve_envvar_value(self, ctx: click.Context) -> None:
        """Always ``None``: see above."""


class _Duration(click.ParamType):  # type: ignore[type-arg]  # it has none before click 8.4
    """A duration as people write it, converted to seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return seconds_of(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION: Final = _Duration()


class _Time(click.ParamType):  # type: ignore[type-arg]  # as above
    """A time with its zone, as RFC 3339 writes it."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            return parse_rfc3339(value)
        except NoTime as error:
            self.fail(f"{as_given(value)} {error}: write it as 2030-01-31T09:00:00Z", param, ctx)


TIME: Final = _Time()


class _Moment(click.ParamType):  # type: ignore[type-arg]  # as above
    """How long from now, or a time."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if looks_like_a_time(value):
            return TIME.convert(value, param, ctx)
        try:
            return seconds_of(value)
        except ValueError as error:
            self.fail(f"{error}, or a time, as 2030-01-31T09:00:00Z", param, ctx)


class _Unique(click.ParamType):  # type: ignore[type-arg]  # as above
    """The fields of ``Unique``: as JSON, or ``until=started,conflict=replace``."""

    name = "unique"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from dataclasses import fields  # noqa: PLC0415  # --help need not pay for it

        given, known = self._read(str(value), param, ctx), {each.name for each in fields(streamq.Unique)}
        if strange := sorted(given.keys() - known):
            self.fail(f"{strange[0]!r} is nothing of it: use {', '.join(sorted(known))}", param, ctx)
        try:
            return streamq.Unique(**given)
        except streamq.ConfigurationError as error:
            self.fail(str(error), param, ctx)

    def _read(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        from streamq.model import codec  # noqa: PLC0415  # as above

        if text.startswith("{"):
            try:
                return dict(codec.loads(text))
            except codec.JSONDecodeError as error:
                self.fail(f"{as_given(text)} is not JSON: {error}", param, ctx)
        parts = [part.partition("=") for part in text.split(",")]
        if not all(said for _, said, _ in parts):
            self.fail(f"{as_given(text)}: write until=started,conflict=replace or JSON", param, ctx)
        given: dict[str, Any] = {name.strip(): value.strip() for name, _, value in parts}
        return {**given, "fields": given["fields"].split("+")} if "fields" in given else given


MOMENT: Final = _Moment()

_TYPES: Final[Mapping[str, tuple[Any, str | None]]] = {
    "duration": (DURATION, "DURATION"), "time": (TIME, "TIME"), "moment": (MOMENT, "DURATION|TIME"),
    "whole number": (int, None), "text": (str, None), "group": (str, None), "unique": (_Unique(), "UNIQUE"),
}  # fmt: skip
"""By the form of an option of enqueue: its click type, and its placeholder in the help."""


def pausing(command: Command) -> Command:
    """Why something is paused, and until when: ``reason`` and ``until``."""
    until = click.option(
        "--until", cls=Option, type=MOMENT, metavar="DURATION|TIME", help="When it ends by itself. Default: never."
    )  # fmt: skip
    reason = click.option("--reason", cls=Option, default="", help="Why; shown to whoever looks.")
    return reason(until(command))


def of_enqueue(command: Command) -> Command:
    """A flag for each option of enqueue. Reserved ones are refused by name."""
    for name in reversed(streamq.RESERVED):
        command = click.option(
            flag(name), hidden=True, expose_value=False, callback=_reserved, allow_from_autoenv=False
        )(command)
    return of_table(command, streamq.OPTIONS.values())


def of_table(command: Command, table: Collection[streamq.Option]) -> Command:
    """A flag for each row of a table of options."""
    for option in reversed([*table]):
        kind, metavar = (click.Choice(option.choices), None) if option.choices else _TYPES[option.form]
        command = click.option(flag(option.name), cls=Option, type=kind, metavar=metavar, help=option.help)(
            command
        )
    return command


def flag(name: str) -> str:
    """An option of enqueue as it is typed."""
    return "--" + name.replace("_", "-")


def _reserved(_: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None:
        raise click.UsageError(
            f"{param.opts[0]} is reserved for an option that is not available yet: leave it out"
        )


app_named = click.argument("app", required=False, metavar="[APP]")
concurrency = click.option(
    "--concurrency", cls=Twin, type=click.IntRange(1, 100_000), envvar="STREAMQ_CONCURRENCY",
    help="Jobs at once, per process. Default: 100",
)  # fmt: skip
redis_url = click.option(
    "--redis-url", cls=Twin, envvar="STREAMQ_REDIS_URL", metavar="URL",
    help="Server; several separated by commas are tried in order. Default: the embedded one.",
)  # fmt: skip
data_dir = click.option(
    "--data-dir", cls=Twin, envvar="STREAMQ_DATA_DIR", metavar="DIR",
    help="Folder of the embedded server. Default: .streamq",
)  # fmt: skip
as_json = click.option(
    "--json", "as_json", cls=Option, envvar="STREAMQ_JSON", is_flag=True, help="Print one JSON document."
)


by_actor = click.option(
    "--actor", "--by", "actor", cls=Option, envvar="STREAMQ_ACTOR", metavar="NAME",
    help="Who acts, for the audit trail. Default: the name of your login.",
)  # fmt: skip


def server(command: Command) -> Command:
    """The options that say which server."""
    return redis_url(data_dir(command))


def with_app(options: dict[str, Any], act: Callable[[streamq.App], Awaitable[T]]) -> T:
    """Do something with an app of no tasks, on the server that the options name."""

    logging.basicConfig(handlers=[Warnings(logging.WARNING)])
    actor = options.pop("actor", None) or _login()

    async def main() -> T:
        async with streamq.App(streamq.Settings.load(**options)) as app:
            with app.acting(actor):
                return await act(app)

    return streamq.run(main())


def _login() -> str:
    """The name of the user who types."""
    import pwd  # noqa: PLC0415  # --help need not pay for it

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user, which has no name
        return f"uid {os.getuid()}"


def configured(app: streamq.App, kind: type[S], given: Mapping[str, Any], *, tell: bool = True) -> S:
    """The settings of a role, ``given`` those that were typed: logging is set up by them, and odd ones are logged.

    Raises what ``App.configure`` does.
    """
    settings = app.configure(kind, given)
    streamq.set_up_logs(settings.log, settings.log_level)
    if tell:
        settings.tell()
    return settings


def settings_of(option: str, url: str, **said: Any) -> streamq.Settings:
    """The settings of another server, which an option names. Raises ``ConfigurationError``, which names it, too."""
    try:
        return streamq.Settings.load(redis_url=url, **said)
    except streamq.ConfigurationError as error:
        raise streamq.ConfigurationError(str(error).replace("STREAMQ_REDIS_URL", option)) from error


async def served(app: streamq.App) -> set[str]:
    """The queues that a registered worker serves."""
    return {queue for worker in await app.workers() for queue in worker.queues}


async def refuse_unknown(app: streamq.App, queue: str) -> None:
    """Raise ``QueueNotFound`` for a queue that was never used and that no worker serves, with the nearest, and
    ``QueueMoved``."""
    known = {*await app.queues(), *await served(app)}
    if queue not in known:
        if door := await app.client.store.migrations.door(queue):
            raise QueueMoved(queue, door)
        raise QueueNotFound(f"there is no queue {queue!r}{nearest(queue, known)}")


def nearest(name: str, known: set[str]) -> str:
    """``: did you mean sms?``, or which names there are."""
    all_of_them = f"there are {', '.join(sorted(known)[:10])}" if known else "there is none yet"
    return f": {meant(name, known, all_of_them)}"


def check_queues(app: streamq.App) -> None:
    """Raise ``ConfigurationError`` for a queue to be served that none of the app's tasks is declared on.

    A worker of a misspelt queue would be idle without a word.
    """
    declared = {task.queue for task in app.tasks.values()}
    for queue in weights_of(app.settings.queues):
        if queue not in declared:
            hint = meant(queue, declared, f"its tasks are on {', '.join(sorted(declared)) or 'none'}.")
            raise streamq.ConfigurationError(
                f"no task of the app is declared on queue {as_given(queue)}: {hint} Where jobs are sent there by the "
                "name of their task, start the worker with --undeclared"
            )
