"""The commands: ``python -m bench …`` in a checkout, ``streamq bench …`` once installed."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that help is instant

from __future__ import annotations

import sys
from collections.abc import Coroutine
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import click

from .catalogue import NAMES, summary

T = TypeVar("T")


@click.group()
def bench() -> None:
    """Measure the engine against the bare limit of Redis, on this machine."""


@bench.command("list")
def list_scenarios() -> None:
    """List the scenarios.

    \b
    Example:
      streamq bench list
    """
    for name in NAMES:
        click.echo(f"{name:<9} {summary(name)}")


@bench.command()
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO]…")
@click.option("--quick", is_flag=True, help="Within three minutes instead of an hour, less exact.")
@click.option("--json", type=click.Path(dir_okay=False, path_type=Path), help="Write all samples to a file.")
@click.option("--repeat", type=click.IntRange(1, 50), help="Interleaved rounds.  [default: 4, quick: 2]")
@click.option("--redis-url", metavar="URL", help="An empty server of this machine. Default: one of its own.")
def run(scenarios: tuple[str, ...], **options: Any) -> None:
    """Run scenarios, by default all, each beside the bare loop.

    \b
    Examples:
      streamq bench run --quick
      streamq bench run enqueue drain --repeat 7 --json results.json
    """
    unknown = [name for name in scenarios if name not in NAMES]
    if unknown:
        raise click.UsageError(_wrong(unknown[0]))
    from .run import run as measure

    _run(measure(scenarios or NAMES, **options))


@bench.command()
@click.option(
    "--messages",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="One message a line. Default: a small set of our own, repeated.",
)
@click.option("--count", type=click.IntRange(10, 100_000), default=4_000, show_default=True, help="How many.")
@click.option("--json", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures to a file.")
def delivery(messages: Path | None, count: int, json: Path | None) -> None:  # fmt: skip
    """Send messages through the HTTP API to a sandbox, kill processes meanwhile, and check what arrived.

    Exit 1 when one is missing, altered, early, or repeated without need.

    \b
    Example:
      streamq bench delivery --messages texts.txt --count 4000
    """
    from .delivery import deliver
    from .messages import default_file

    if not _run(deliver(messages or default_file(), count, json)):
        sys.exit(1)


def _wrong(name: str) -> str:
    close = get_close_matches(name, NAMES, 1)
    meant = f", did you mean {close[0]}?" if close else ";"
    return f"no scenario is named {name}{meant} There are {', '.join(NAMES)}"


def _run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end; our errors become one sentence and exit code 1."""
    import streamq

    from .process import Gone
    from .server import Refused

    try:
        return streamq.run(main)
    except (Refused, Gone, ValueError, streamq.StreamqError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
