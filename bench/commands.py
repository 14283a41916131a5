"""The commands: ``python -m bench …`` in a checkout, ``streamq bench …`` once installed."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that help is instant

from __future__ import annotations

import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import click
import orjson

from .catalogue import SCENARIOS, summary
from .ending import run_to_the_end
from .planning.commands import plan

EXTRA: Final = {"jinja2", "plotext", "pygal", "rich"}
"""Packages that the extra `bench` brings."""
PAYLOAD: Final = click.IntRange(16, 65_536)
JOBS: Final = click.IntRange(100, 1_000_000)
GIVEN: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
WRITTEN: Final = click.Path(dir_okay=False, path_type=Path)


class _Bench(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        """Without the extra, what shows figures ends with one sentence, before anything is measured."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            if error.name not in EXTRA:
                raise
            click.echo(
                f"error: {error.name} is not installed: it comes with `bench`, an extra of streamq", err=True
            )
            sys.exit(1)


@click.group(cls=_Bench)
def bench() -> None:
    """Measure the engine against the bare limit of Redis, on this machine."""


bench.add_command(plan)


def _file(_context: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
    """Refused before anything is measured, when the file could not be written after it."""
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder {path.parent}")
    return path


def _share(_context: click.Context, _option: click.Parameter, given: str | None) -> float | None:
    """``10%`` as 0.1."""
    if given is None:
        return None
    try:
        return float(given.strip().removesuffix("%")) / 100
    except ValueError:
        raise click.BadParameter(f"{given!r} is not a percentage: write it as 10%") from None


_redis_url = click.option(
    "--redis-url", metavar="URL", help="An empty server of this machine. Default: one of its own."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def messages_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where the messages of a delivery are from."""
    return click.option(
        "--messages", type=GIVEN, envvar="STREAMQ_BENCH_MESSAGES", show_envvar=True,
        help="File with one message a line, for a delivery.  [default: a small set of a checkout, repeated]",
    )(command)  # fmt: skip


@bench.command("list")
@_json
def list_scenarios(as_json: bool) -> None:
    """List the scenarios.

    \b
    Example:
      streamq bench list
    """
    if as_json:
        click.echo(orjson.dumps([{"name": name, "summary": summary(name)} for name in SCENARIOS]))
        return
    for name in SCENARIOS:
        click.echo(f"{name:<9} {summary(name)}")


@bench.command()
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO]…")
@click.option("--quick", is_flag=True, help="Within five minutes instead of an hour, less exact.")
@click.option("--json", type=WRITTEN, callback=_file, help="Write all samples to a file.")
@click.option("--html", type=WRITTEN, callback=_file, help="Write a page with tables and plots.")
@click.option("--repeat", type=click.IntRange(1, 50), help="Interleaved rounds.  [default: 4, quick: 2]")
@_redis_url
@messages_option
def run(scenarios: tuple[str, ...], **options: Any) -> None:
    """Run scenarios, by default all, each beside the bare loop.

    \b
    Examples:
      streamq bench run --quick
      streamq bench run enqueue drain --repeat 7 --json results.json --html results.html
    """
    for name in scenarios:
        if name not in SCENARIOS:
            close = get_close_matches(name, SCENARIOS, 1)
            meant = f" did you mean {close[0]}?" if close else ""
            raise click.UsageError(f"no scenario is named {name};{meant} there are {', '.join(SCENARIOS)}")
    from .run import run as measure

    run_to_the_end(measure(scenarios or tuple(SCENARIOS), **options))


@bench.command()
@click.option("--payload", type=PAYLOAD, default=300, show_default=True, help="Bytes of it.")
@click.option("--jobs", type=JOBS, help="To measure with.  [default: 100,000 or 200 MB]")
@_json
@_redis_url
def memory(payload: int, jobs: int | None, as_json: bool, redis_url: str | None) -> None:
    """Say what a million jobs take of the server's memory, in each state.

    \b
    Example:
      streamq bench memory --payload 1000
    """
    from .memory import cost

    run_to_the_end(cost(payload, jobs, json=as_json, redis_url=redis_url))


@bench.command()
@click.argument("before", type=GIVEN)
@click.argument("after", type=GIVEN)
@click.option(
    "--max-regression", callback=_share, metavar="PERCENT", help="Exit 1 when a figure is worse by more."
)
@_json
def compare(before: Path, after: Path, max_regression: float | None, as_json: bool) -> None:
    """Compare two results files, each figure with the noise of its repeated runs.

    \b
    Example:
      streamq bench compare before.json after.json --max-regression 10%
    """
    from . import compare as comparison

    one, other = _read(before), _read(after)
    found = comparison.differences(one, other)
    told = list(comparison.strangers(one, other))
    if as_json:
        click.echo(orjson.dumps({"warnings": told, "differences": found}))
    else:
        from .show.terminal import show_differences

        show_differences(found)
        for sentence in told:
            click.echo(f"note: {sentence}", err=True)
    worse = [] if max_regression is None else comparison.regressions(found, max_regression)
    for each in worse:
        click.echo(f"error: {each.scenario}: {each.name} is {100 * each.loss:.1f} % worse", err=True)
    if worse:
        sys.exit(1)


@bench.command()
@click.argument("results", type=GIVEN)
@click.option("-o", "--output", type=WRITTEN, callback=_file, help="Where to.  [default: RESULTS as .html]")
def report(results: Path, output: Path | None) -> None:
    """Write a results file as one HTML page: verdicts, tables, samples and curves.

    \b
    Example:
      streamq bench report results.json -o report.html
    """
    from .show.page import write_page

    saved = _read(results)
    path = output or results.with_suffix(".html")
    if path.resolve() == results.resolve():
        raise click.UsageError(f"{path} would overwrite the results: name another file with -o")
    try:
        write_page(path, saved)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from None
    click.echo(f"report in {path}")


def _read(path: Path) -> Any:
    from .results import NotResults, read

    try:
        return read(path)
    except NotResults as error:
        raise click.UsageError(str(error)) from None
