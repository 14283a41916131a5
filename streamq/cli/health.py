"""``streamq doctor`` and ``streamq probe``."""

from __future__ import annotations

import sys
from typing import Any

import click

from streamq.cli.options import as_json, reports_errors, server


@click.command()
@click.option("--repair", is_flag=True, help="Give back what is stranded and what lost workers hold.")
@server
@as_json
@reports_errors
def doctor(repair: bool, as_json: bool, **options: Any) -> None:
    """Check the server: reachable, version, persistence, eviction, rights, clock, lost workers. Exit 0 or 1.

    \b
    Example:
      streamq doctor --json
    """
    from streamq import codec
    from streamq.app import App
    from streamq.doctor import examine
    from streamq.run import run
    from streamq.settings import Settings

    async def look() -> Any:
        async with App(Settings.load(**options)) as app:
            return await examine(app, repair=repair)

    findings = run(look())
    if as_json:
        click.echo(codec.dumps({"findings": findings}))
    else:
        for finding in findings:
            click.echo(f"{finding.verdict:<5} {finding.check:<12} {finding.said}")
            if finding.remedy:
                click.echo(f"{'':<18} → {finding.remedy}")
    sys.exit(any(finding.verdict == "fail" for finding in findings))


@click.command()
@click.argument("what", type=click.Choice(["live", "ready"]))
@server
@reports_errors
def probe(what: str, **options: Any) -> None:
    """Say for a container whether it is `live` (this process' machinery starts) or `ready` (the server answers).

    \b
    Example:
      streamq probe ready
    """
    from streamq.app import App
    from streamq.run import run
    from streamq.settings import Settings

    settings = Settings.load(connections=1, connect_timeout=2.0, command_timeout=2.0, **options)
    if what == "live":
        click.echo("live")
        return

    async def ask() -> float:
        async with App(settings) as app:
            return await app.ping()

    click.echo(f"ready: the server answers in {run(ask()) * 1000:.1f} ms")
