"""The command `plan`."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that help is instant

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ..ending import run_to_the_end
from .wishes import Wishes, flag_of

if TYPE_CHECKING:
    from ..rig import Rig
    from .coefficients import Coefficients

FILE: Final = click.Path(dir_okay=False, path_type=Path)


def _wishes(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of what is wanted, in the order of the table."""
    for one in reversed(fields(Wishes)):
        default = one.metadata["default"]
        option = click.option(
            flag_of(one), one.name, type=one.metadata["type"], default=default, show_default=bool(default),
            help=one.metadata["help"],
        )  # fmt: skip
        command = option(command)
    return command


@click.command()
@_wishes
@click.option("--quick", is_flag=True, help="Measure in a third of the time, and less exactly.")
@click.option("--save", type=FILE, help="Write the coefficients that were measured to a file.")
@click.option("--coefficients", type=FILE, help="Read them from a file.  [default: measured here]")
@click.option(
    "--check", is_flag=True, help="Predict and measure twelve other configurations; exit 1 when off."
)
@click.option("--json", is_flag=True, help="For programs.")
def plan(
    *, quick: bool, save: Path | None, coefficients: Path | None, check: bool, json: bool, **options: Any
) -> None:
    """Say what a load takes: workers, slots, nodes and partitions, Redis CPU, memory, connections; how near the limits.

    Exit 1 when something is past its limit, or when --check finds the predictions off.

    \b
    Examples:
      streamq bench plan --rate 2000/s --payload 300 --handler-ms 80 --retention 24h --keep 1M
      streamq bench plan --check
    """
    if options["rate"] is None and not check:
        raise click.UsageError("say how many jobs there are, like --rate 2000/s; or --check")
    if not run_to_the_end(_act(Wishes(**options), quick, save, coefficients, check=check, json=json)):
        sys.exit(1)


async def _act(
    wishes: Wishes, quick: bool, save: Path | None, coefficients: Path | None, *, check: bool, json: bool
) -> bool:
    """Read or measure the coefficients, then check or plan with them; whether all is well."""
    from ..rig import open_rig
    from . import coefficients as file
    from .measure import measure

    known = None if coefficients is None else file.load(coefficients)
    if known is not None and not check:
        return _plan(known, wishes, json)
    async with open_rig(None, quick=quick, say=lambda text: click.echo(text, err=True)) as rig:
        # Of one size of payload memory is measured with that very size.
        sizes = set() if check else {wishes.payload[0]} & {wishes.payload[1]}
        known = known or await measure(rig, *sizes)
        if save is not None:
            file.save(known, save)
        return await _check(rig, known, json) if check else _plan(known, wishes, json)


def _plan(known: Coefficients, wishes: Wishes, json: bool) -> bool:
    from .plan import plan as make

    found = make(known, wishes)
    if json:
        wanted = {"wishes": asdict(wishes), "coefficients": asdict(known)}
        _print({**asdict(found), "reachable": found.reachable, **wanted})
    else:
        from .show import show_plan

        show_plan(known, wishes, found)
    return found.reachable


async def _check(rig: Rig, known: Coefficients, json: bool) -> bool:
    from .check import check, passed

    compared = await check(rig, known)
    good = sum(one.good for one in compared)
    if json:
        checked = [{**asdict(one), "good": one.good} for one in compared]
        _print({"checked": checked, "good": good, "passed": passed(compared)})
    else:
        from .show import show_check

        show_check(compared)
        click.echo(
            f"{good} of {len(compared)} are within 20 % for rate and memory, on clusters for CPU; 9 of 10 must be"
        )
    return passed(compared)


def _print(content: dict[str, Any]) -> None:
    import orjson

    click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2).decode())
