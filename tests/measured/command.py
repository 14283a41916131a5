"""The command ``python -m bench delivery``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bench.commands import WRITTEN, messages_option
from bench.ending import run_to_the_end


@click.command()
@messages_option
@click.option("--count", type=click.IntRange(10, 100_000), default=4_000, show_default=True, help="How many.")
@click.option("--json", type=WRITTEN, help="Write the figures to a file.")
def delivery(messages: Path | None, count: int, json: Path | None) -> None:
    """Send messages through the HTTP API to a sandbox, kill processes meanwhile, and check what arrived.

    Exit 1 when one is missing, altered, early, or repeated without need.

    \b
    Example:
      python -m bench delivery --messages texts.txt --count 4000
    """
    from .delivery import deliver

    if not run_to_the_end(deliver(messages, count, json)):
        sys.exit(1)
