"""The command line. Each command is imported when it is used, so that ``--help`` is instant.

An error of ours becomes one line, a next step and an exit code:

    0 ok   1 the operation failed   2 usage   3 not found   4 wrong state
    69 the server cannot be reached   78 wrong configuration
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points, version
from typing import Final

import click

from streamq import codec
from streamq.errors import (
    ConfigurationError,
    InvalidPayload,
    JobNotFound,
    StreamqError,
    Unavailable,
    UsageError,
    WrongState,
)

_OURS: Final = {
    "worker": "streamq.cli.roles:worker",
    "scheduler": "streamq.cli.roles:scheduler",
    "reclaimer": "streamq.cli.roles:reclaimer",
    "queues": "streamq.cli.look:queues",
    "workers": "streamq.cli.look:workers",
    "job": "streamq.cli.jobs:job",
    "doctor": "streamq.cli.health:doctor",
    "probe": "streamq.cli.health:probe",
}


_EXIT: Final[tuple[tuple[type[StreamqError], int], ...]] = (
    (InvalidPayload, 1), (UsageError, 2), (JobNotFound, 3), (WrongState, 4),
    (Unavailable, 69), (ConfigurationError, 78),
)  # fmt: skip
_TRY: Final[dict[int, str]] = {69: "streamq doctor, or start a server with: streamq up"}


class Commands(click.Group):
    """Ours, and those that installed packages register under the entry points ``streamq.commands``."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        theirs = [entry.name for entry in entry_points(group="streamq.commands")]
        order = ["up", "api", *_OURS]
        return sorted({*_OURS, *theirs}, key=lambda name: (order.index(name) if name in order else 99, name))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # the same
        if cmd_name in _OURS:
            module, _, attribute = _OURS[cmd_name].partition(":")
            command: click.Command = getattr(import_module(module), attribute)
            return command
        found = entry_points(group="streamq.commands", name=cmd_name)
        return _load(next(iter(found))) if found else None

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; every command's errors end here."""
        try:
            return super().invoke(ctx)
        except StreamqError as error:
            sys.exit(_tell(error))
        except KeyboardInterrupt:
            sys.exit(130)


def _tell(error: StreamqError) -> int:
    """Print what went wrong and what to do; returns the exit code."""
    if "--json" in sys.argv:
        click.echo(codec.dumps({"error": {"code": error.code, "message": str(error)}}))
    click.echo(f"error: {error}", err=True)
    code = next((code for kind, code in _EXIT if isinstance(error, kind)), 1)
    if code in _TRY:
        click.echo(f"try: {_TRY[code]}", err=True)
    return code


def _load(entry: EntryPoint) -> click.Command:
    """A command of another package; one that cannot be imported says so when used, and spoils no help page."""
    try:
        command: click.Command = entry.load()
    except ImportError as error:
        reason = f"cannot be loaded from {entry.value}: {error}"

        def refuse() -> None:
            raise click.ClickException(f"{entry.name} {reason}")

        return click.Command(entry.name, callback=refuse, help=f"({reason})")
    return command


@click.command(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(version("streamq"), message="%(version)s")
def main() -> None:
    """Jobs on Redis Streams: run the roles, look at queues, steer jobs.

    \b
    Examples:
      streamq up --demo                      everything in one process, with a sandbox to play with
      streamq worker tasks:app               run the jobs of an app of yours
      streamq job enqueue sms send_sms --payload '{"to": "+4915112345678"}' --wait 10
    """
