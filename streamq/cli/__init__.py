"""The command line. A command is imported only when it runs, not for the list of commands: ``--help`` is instant."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from streamq.exits import Exit

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

_OURS: Final = {
    "worker": "streamq.cli.roles:worker",
    "scheduler": "streamq.cli.roles:scheduler",
    "reclaimer": "streamq.cli.roles:reclaimer",
    "queues": "streamq.cli.look:queues",
    "queue": "streamq.cli.queue:queue",
    "group": "streamq.cli.group:group",
    "shared": "streamq.cli.shared:shared",
    "breaker": "streamq.cli.breaker:breaker",
    "operation": "streamq.cli.operation:operation",
    "task": "streamq.cli.tasks:task",
    "workers": "streamq.cli.workers:workers",
    "slow": "streamq.cli.slow:slow",
    "stats": "streamq.cli.stats:stats",
    "top": "streamq.cli.top:top",
    "job": "streamq.cli.jobs:job",
    "events": "streamq.cli.events:events",
    "errors": "streamq.cli.failures:errors",
    "schedule": "streamq.cli.schedules:schedule",
    "audit": "streamq.cli.audit:audit",
    "doctor": "streamq.cli.health:doctor",
    "probe": "streamq.cli.health:probe",
    "init": "streamq.cli.project:init",
    "export": "streamq.cli.export:export",
    "migrate": "streamq.cli.migrate:migrate",
    "import": "streamq.cli.imports:imports",
}
_FIRST: Final = ("up", "api", *_OURS)
"""The order in which help lists them; what other packages add comes after."""


class Group(click.Group):
    """Commands under one word; for an unknown command the error names the nearest."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = _within(self, ctx, name) or get_close_matches(name, self.list_commands(ctx), 1)
            hint = f": did you mean {near[0]}?" if near else self._others(ctx)
            ctx.fail(f"there is no command {name!r}{hint}")
        return super().resolve_command(ctx, args)

    def _others(self, ctx: click.Context) -> str:
        return "" if ctx.parent is None else f": there are {', '.join(self.list_commands(ctx))}"


def _within(group: click.Group, ctx: click.Context, name: str) -> list[str]:
    """The command of exactly that name below one of the group's own, such as ``job retry``."""
    inner = {word: group.get_command(ctx, word) for word in group.list_commands(ctx)}
    return [f"{word} {name}" for word, found in inner.items()
            if isinstance(found, click.Group) and name in found.list_commands(ctx)]  # fmt: skip


class Commands(Group):
    """Ours, and those that installed packages register under the entry points ``streamq.commands``."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        theirs = [entry.name for entry in _registered()]
        return sorted({*_OURS, *theirs}, key=lambda name: (_place(name), name))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        if cmd_name in _OURS:
            module, _, attribute = _OURS[cmd_name].partition(":")
            command: click.Command = getattr(import_module(module), attribute)
            return command
        found = _registered().select(name=cmd_name)
        return _load(next(iter(found))) if found else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each with its summary, and none of them imported for it."""
        homes = {entry.name: entry.value for entry in _registered()} | _OURS
        names = self.list_commands(ctx)
        room = formatter.width - 6 - max(map(len, names))
        rows = []
        for name in names:
            command = _sketch(homes[name]) or self.get_command(ctx, name)
            rows.append((name, command.get_short_help_str(room) if command else ""))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def main(
        self, args: Sequence[str] | None = None, prog_name: str | None = None, complete_var: str | None = None,
        standalone_mode: bool = True, **more: Any,  # click's signature
    ) -> Any:  # fmt: skip
        """Run the command; every command's errors end here. In click's standalone mode the process ends too."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **more)
        sys.exit(self._ended(args, prog_name, complete_var, **more))

    def _ended(
        self, args: Sequence[str] | None, prog_name: str | None, complete_var: str | None, **more: Any
    ) -> int:
        """The exit code."""
        words = sys.argv[1:] if args is None else args
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **more)
        except (KeyboardInterrupt, click.Abort):
            return Exit.INTERRUPTED
        except Exception as error:
            from streamq.cli.ending import report  # noqa: PLC0415  # a command that succeeds need not pay for it

            return report(error, as_json="--json" in words)
        return code if isinstance(code, int) else 0


def _registered() -> EntryPoints:
    """The commands of other packages."""
    from importlib.metadata import entry_points  # noqa: PLC0415  # our own commands need not pay for it

    return entry_points(group="streamq.commands")


def _place(name: str) -> int:
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


def _sketch(home: str) -> click.Command | None:
    """A command with only the first paragraph of its docstring, read from its source; None where that fails.

    Importing the modules of all commands takes longer than all else that their list needs.
    """
    from importlib.util import find_spec  # noqa: PLC0415  # commands that run need not pay for it

    module, _, attribute = home.partition(":")
    try:
        found = find_spec(module)
        source = Path(found.origin).read_text("utf-8") if found and found.origin else ""
    except (ImportError, OSError, ValueError):  # ValueError: no text, or a module without a spec
        return None
    begin = rf'^def {re.escape(attribute)}\((?:(?!^def ).)*?"""'
    said = re.search(begin + r'(.+?)(?:"""|\n\n)', source, re.DOTALL | re.MULTILINE)
    return click.Command(None, help=" ".join(said[1].split())) if said else None


def _load(entry: EntryPoint) -> click.Command:
    """A command of another package. One that cannot be imported fails when it is used, not in the help."""
    try:
        command: click.Command = entry.load()
    except Exception as error:  # code of the other package
        reason = f"cannot be loaded from {entry.value}: {type(error).__name__}: {error}"

        def refuse() -> None:
            raise click.ClickException(f"{entry.name} {reason}")

        return click.Command(entry.name, callback=refuse, help=f"({reason})")
    return command


@click.command(
    cls=Commands,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "auto_envvar_prefix": "STREAMQ",
    },
)
@click.version_option(package_name="streamq", message="%(version)s")
def main() -> None:
    """Jobs on Redis Streams: run the roles, look at queues, steer jobs.

    \b
    Examples:
      streamq up --demo                      everything in one process, with a sandbox to play with
      streamq worker tasks:app               run the jobs of an app of yours
      streamq job enqueue sms send_sms --payload '{"to": "+4915112345678"}' --wait 10s
    """
