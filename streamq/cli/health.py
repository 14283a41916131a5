"""``streamq doctor`` and ``streamq probe``."""

from __future__ import annotations

import sys
from typing import Any

import click

from streamq.cli.options import Option, as_json, server, with_app
from streamq.cli.outlet import echo_json, say


@click.command()
@click.option("--repair", cls=Option, is_flag=True, help="Give back stranded jobs and those of lost workers.")
@server
@as_json
def doctor(repair: bool, as_json: bool, **options: Any) -> None:
    """Check every address, the server, its known holes and doors, workers and queues. Exit 0 or 1.

    \b
    Example:
      streamq doctor --json
    """
    from streamq.doctor import examine  # noqa: PLC0415  # --help need not pay for it

    findings = with_app(options, lambda app: examine(app, repair=repair))
    if as_json:
        echo_json({"findings": findings})
    else:
        for finding in findings:
            say(f"{finding.verdict:<5} {finding.check:<12} {finding.said}")
            if finding.remedy:
                say(f"{'':<18} → {finding.remedy}")
    sys.exit(any(finding.verdict == "fail" for finding in findings))


@click.command()
@click.argument("what", type=click.Choice(["live", "ready"]))
@server
def probe(what: str, **options: Any) -> None:
    """Say for a container whether it is live (the program runs) or ready (its server answers).

    \b
    Example:
      streamq probe ready
    """
    if what == "live":
        say("live")
        return
    limits = {"connect_timeout": 2.0, "command_timeout": 2.0}
    seconds = with_app({**options, **limits}, lambda app: app.ping())
    say(f"ready: the server answers in {seconds * 1000:.1f} ms")
