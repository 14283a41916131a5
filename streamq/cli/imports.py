"""``streamq import``: jobs of another job system come here."""

from __future__ import annotations

import click

from streamq.cli import Group


@click.group(name="import", cls=Group)
def imports() -> None:
    """Bring jobs of another job system over.

    \b
    Example:
      streamq import bullmq --from redis://localhost:6379/1 --dry-run
    """
