"""The commands: ``python -m bench …`` in a checkout, ``streamq bench …`` once installed."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that help is instant

from __future__ import annotations

import sys
from collections.abc import Coroutine
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import orjson

from .catalogue import NAMES, summary
from .messages import OWN
from .planning.commands import plan, simulate

T = TypeVar("T")


_messages = click.option(
    "--messages",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="STREAMQ_BENCH_MESSAGES",
    show_envvar=True,
    default=OWN,
    help="File with one message a line.  [default: a small set of our own, repeated]",
)


@click.group()
def bench() -> None:
    """Measure the engine against the bare limit of Redis, on this machine."""


bench.add_command(plan)
bench.add_command(simulate)


@bench.command("list")
@click.option("--json", is_flag=True, help="Print JSON.")
def list_scenarios(json: bool) -> None:
    """List the scenarios.

    \b
    Example:
      streamq bench list
    """
    if json:
        click.echo(orjson.dumps([{"name": name, "summary": summary(name)} for name in NAMES]))
        return
    for name in NAMES:
        click.echo(f"{name:<9} {summary(name)}")


def _file(_context: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
    """Refused before anything is measured, when the file could not be written after it."""
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder {path.parent}")
    return path


FILE: Final = click.Path(dir_okay=False, path_type=Path)


@bench.command()
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO]…")
@click.option("--quick", is_flag=True, help="Within five minutes instead of an hour, less exact.")
@click.option("--json", type=FILE, callback=_file, help="Write all samples to a file.")
@click.option("--html", type=FILE, callback=_file, help="Write a page with tables and plots.")
@click.option("--repeat", type=click.IntRange(1, 50), help="Interleaved rounds.  [default: 4, quick: 2]")
@click.option("--redis-url", metavar="URL", help="An empty server of this machine. Default: one of its own.")
@_messages
def run(scenarios: tuple[str, ...], **options: Any) -> None:
    """Run scenarios, by default all, each beside the bare loop.

    \b
    Examples:
      streamq bench run --quick
      streamq bench run enqueue drain --repeat 7 --json results.json --html results.html
    """
    unknown = [name for name in scenarios if name not in NAMES]
    if unknown:
        raise click.UsageError(_wrong(unknown[0]))
    from .run import run as measure

    _run(measure(scenarios or NAMES, **options))


@bench.command()
@_messages
@click.option("--count", type=click.IntRange(10, 100_000), default=4_000, show_default=True, help="How many.")
@click.option("--json", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures to a file.")
def delivery(messages: Path, count: int, json: Path | None) -> None:  # fmt: skip
    """Send messages through the HTTP API to a sandbox, kill processes meanwhile, and check what arrived.

    Exit 1 when one is missing, altered, early, or repeated without need.

    \b
    Example:
      streamq bench delivery --messages texts.txt --count 4000
    """
    from .delivery import deliver

    if not _run(deliver(messages, count, json)):
        sys.exit(1)


@bench.command()
@click.option(
    "--payload", type=click.IntRange(16, 65_536), default=300, show_default=True, help="Bytes of it."
)
@click.option(
    "--jobs", type=click.IntRange(100, 1_000_000), help="To measure with.  [default: 100,000 or 200 MB]"
)
@click.option("--json", is_flag=True, help="Print JSON.")
@click.option("--redis-url", metavar="URL", help="An empty server of this machine. Default: one of its own.")
def memory(payload: int, jobs: int | None, json: bool, redis_url: str | None) -> None:
    """Say what a million jobs take of the server's memory, in each state.

    \b
    Example:
      streamq bench memory --payload 1000
    """
    from .memory import cost

    _run(cost(payload, jobs, json=json, redis_url=redis_url))


def _share(_context: click.Context, _option: click.Parameter, given: str | None) -> float | None:
    """``10%`` as 0.1."""
    if given is None:
        return None
    try:
        return float(given.strip().removesuffix("%")) / 100
    except ValueError:
        raise click.BadParameter(f"{given!r} is not a percentage: write it as 10%") from None


@bench.command()
@click.argument("before", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("after", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--max-regression", callback=_share, metavar="PERCENT", help="Exit 1 when a figure is worse by more."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(before: Path, after: Path, max_regression: float | None, as_json: bool) -> None:
    """Compare two results files, each figure with the noise of its repeated runs.

    \b
    Example:
      streamq bench compare before.json after.json --max-regression 10%
    """
    from . import compare as comparison
    from .results import NotResults, read
    from .table import of_differences

    try:
        one, other = read(before), read(after)
    except NotResults as error:
        raise click.UsageError(str(error)) from None
    found = comparison.differences(one, other)
    told = list(comparison.strangers(one, other))
    if as_json:
        click.echo(orjson.dumps({"warnings": told, "differences": [each.asdict() for each in found]}))
    else:
        click.echo("\n".join(of_differences(found)))
        for sentence in told:
            click.echo(f"note: {sentence}", err=True)
    worse = [] if max_regression is None else comparison.regressions(found, max_regression)
    for each in worse:
        click.echo(
            f"error: {each.scenario}: {each.name} is {each.loss:.1%} worse".replace("%", " %"), err=True
        )
    if worse:
        sys.exit(1)


@bench.command()
@click.argument("results", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o", "--output", type=FILE, callback=_file, help="Where to.  [default: the name of the results, .html]"
)
def report(results: Path, output: Path | None) -> None:
    """Write a results file as one HTML page: verdicts, tables, samples and curves.

    \b
    Example:
      streamq bench report results.json -o report.html
    """
    from .report import write_page
    from .results import NotResults, read

    try:
        saved = read(results)
    except NotResults as error:
        raise click.UsageError(str(error)) from None
    path = output or results.with_suffix(".html")
    if path.resolve() == results.resolve():
        raise click.UsageError(f"{path} would overwrite the results: name another file with -o")
    try:
        write_page(path, saved)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from None
    click.echo(f"report in {path}")


def _wrong(name: str) -> str:
    close = get_close_matches(name, NAMES, 1)
    meant = f" did you mean {close[0]}?" if close else ""
    return f"no scenario is named {name};{meant} there are {', '.join(NAMES)}"


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
