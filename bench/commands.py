"""The commands: ``python -m bench …`` in a checkout, ``streamq bench …`` once installed."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that help is instant

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from .catalogue import NAMES, summary


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
@click.option("--quick", is_flag=True, help="Within a minute instead of four, and less exact.")
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
        raise click.UsageError(f"no scenario is named {', '.join(unknown)}; there are {', '.join(NAMES)}")
    from .run import run as measure

    _run(measure(scenarios or NAMES, **options))


def _run(main: Any) -> None:
    """Run to the end; our errors become one sentence and exit code 1."""
    import streamq

    from .server import Refused

    try:
        streamq.run(main)
    except (Refused, streamq.StreamqError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
