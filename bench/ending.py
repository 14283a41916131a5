"""How a command ends: in order, or with one sentence."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that help is instant

from __future__ import annotations

import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import click

T = TypeVar("T")


def run_to_the_end(main: Coroutine[Any, Any, T]) -> T:
    """Run a command; our errors become one sentence and exit code 1."""
    import streamq

    from .process import Gone
    from .server import Refused

    try:
        return streamq.run(main)
    except (Refused, Gone, ValueError, TimeoutError, streamq.StreamqError) as error:
        click.echo(f"error: {str(error) or 'a measurement took too long'}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
