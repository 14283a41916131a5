"""The commands `plan` and `simulate`."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that help is instant

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from .units import COUNT, DURATION, MILLISECONDS, RATE, SHARE, SIZE, SIZES

if TYPE_CHECKING:
    from ..rig import Rig
    from .coefficients import Coefficients
    from .simulate import Name

T = TypeVar("T")

FILE: Final = click.Path(dir_okay=False, path_type=Path)
SIMULATED: Final[tuple[Name, ...]] = ("calm", "node-loss", "flood")


def _known_from(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say where the coefficients come from."""
    for option in (
        click.option("--quick", is_flag=True, help="Measure in a third of the time, and less exactly."),
        click.option("--save", type=FILE, help="Write the coefficients that were measured to a file."),
        click.option("--coefficients", type=FILE, help="Read them from a file.  [default: measured here]"),
    ):
        command = option(command)
    return command


@click.command()
@click.option(
    "--rate", type=RATE, help="How many jobs come: 2000/s, 120k/min, 5M/d. Needed, but for --check."
)
@click.option(
    "--payload", type=SIZES, default="300", show_default=True, help="Bytes of a payload: 300, or 240..360."
)
@click.option(
    "--handler-ms",
    "handler",
    type=MILLISECONDS,
    default="0",
    help="Time a handler awaits: 80, 1.5s.  [default: 0]",
)
@click.option(
    "--cpu-ms", "computes", type=MILLISECONDS, default="0", help="CPU time of a handler.  [default: 0]"
)
@click.option(
    "--p99", type=DURATION, default="1s", show_default=True, help="In which 99 of 100 jobs shall start."
)
@click.option(
    "--retention", type=DURATION, help="How long completed jobs are kept: 24h.  [default: by count alone]"
)
@click.option(
    "--keep",
    type=COUNT,
    help="How many completed jobs are kept at most: 1M.  [default: 1000, or all of the retention]",
)
@click.option("--result", type=SIZE, default="0", help="Bytes of a job's result.  [default: 0]")
@click.option(
    "--failing", type=SHARE, default="0.1%", show_default=True, help="Share of jobs that fail for good."
)
@click.option(
    "--attempts",
    type=click.IntRange(1, 1_000),
    default=5,
    show_default=True,
    help="Attempts that a job spends before it fails.",
)
@click.option("--delayed", type=COUNT, default="0", help="Delayed jobs at any time: 5M.  [default: 0]")
@click.option("--delay", type=DURATION, default="24h", show_default=True, help="How long they are delayed.")
@click.option(
    "--outage",
    type=DURATION,
    default="1min",
    show_default=True,
    help="For how long jobs may pile up without a worker.",
)
@click.option(
    "--batch", type=click.IntRange(1, 500), default=1, help="Jobs to an enqueue call.  [default: 1]"
)
@click.option(
    "--producers", type=click.IntRange(1), default=2, show_default=True, help="Processes that enqueue."
)
@click.option(
    "--spare", type=click.IntRange(0), default=1, show_default=True, help="Worker processes that may be lost."
)
@click.option(
    "--concurrency", type=click.IntRange(1, 100_000), help="Slots of a process.  [default: as needed]"
)
@click.option(
    "--cores",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Cores of a machine that runs workers.",
)
@click.option("--node-memory", type=SIZE, default="4GiB", show_default=True, help="Memory of a Redis server.")
@_known_from
@click.option("--simulate", is_flag=True, help="Simulate the loss of a node and a tenant's flood too.")
@click.option("--check", is_flag=True, help="Predict and measure ten other configurations; exit 1 when off.")
@click.option("--json", is_flag=True, help="For programs.")
def plan(
    *, rate: float | None, quick: bool, save: Path | None, coefficients: Path | None, check: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Say what a load takes: workers, slots, Redis CPU, memory, connections, and how far each is from its limit.

    Exit 1 when something is past its limit, or when --check finds the predictions off.

    \b
    Examples:
      streamq bench plan --rate 2000/s --payload 300 --handler-ms 80 --retention 24h --keep 1M
      streamq bench plan --check
    """
    if check:
        _check(quick, save, coefficients, options["json"])
        return
    if rate is None:
        raise click.UsageError("say how many jobs there are, like --rate 2000/s; or --check")
    if not _plan(_known(quick, save, coefficients), rate=rate, **options):
        sys.exit(1)


@click.command()
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO]…", type=click.Choice(SIMULATED))
@click.option(
    "--rate",
    type=RATE,
    default="1M/s",
    show_default=True,
    help="How many jobs come to all partitions together.",
)
@click.option(
    "--partitions",
    type=click.IntRange(1, 10_000),
    help="How many there are.  [default: as many as are 60 % in use]",
)
@click.option("--nodes", type=click.IntRange(1, 10_000), help="Servers they lie on.  [default: one each]")
@click.option("--capacity", type=RATE, help="What a partition can do.  [default: from the coefficients]")
@click.option("--seconds", type=DURATION, default="60s", show_default=True, help="Time that is simulated.")
@click.option("--at", type=DURATION, default="10s", show_default=True, help="When trouble begins.")
@click.option("--lasts", type=DURATION, default="5s", show_default=True, help="How long it lasts.")
@click.option(
    "--flood",
    type=SHARE,
    default="50%",
    show_default=True,
    help="What a tenant adds, as a share of the rate.",
)
@click.option(
    "--pinned", is_flag=True, help="The tenant's jobs all go to one partition, to keep their order."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed, the same outcome.")
@_known_from
@click.option("--json", is_flag=True, help="For programs.")
def simulate(
    scenarios: tuple[Name, ...], *, capacity: float | None, quick: bool, save: Path | None,
    coefficients: Path | None, json: bool, **options: Any,
) -> None:  # fmt: skip
    """Simulate what does not fit on this machine: calm, node-loss, flood (default: all).

    \b
    Examples:
      streamq bench simulate --capacity 30000/s
      streamq bench simulate node-loss --rate 100k/s --partitions 12 --nodes 4 --capacity 20000/s
    """
    from .plan import capacity_of_a_partition

    capacity = capacity or capacity_of_a_partition(_known(quick, save, coefficients))
    _simulate(scenarios or SIMULATED, json, capacity=capacity, **options)


def _plan(known: Coefficients, *, json: bool, simulate: bool, **options: Any) -> bool:
    from .plan import Wishes, capacity_of_a_partition
    from .plan import plan as make
    from .show import show_plan

    wishes = Wishes(**options)
    found = _said(lambda: make(known, wishes))
    if json:
        _print(
            {
                **asdict(found),
                "reachable": found.reachable,
                "wishes": asdict(wishes),
                "coefficients": asdict(known),
            }
        )
        return found.reachable
    show_plan(known, wishes, found)
    if simulate:
        click.echo("")
        capacity = capacity_of_a_partition(known)
        partitions = max(found.partitions, 1 + int(wishes.rate / capacity))
        _simulate(SIMULATED, False, rate=wishes.rate, partitions=partitions, nodes=None, capacity=capacity)
    return found.reachable


def _simulate(
    names: Sequence[Name], json: bool, *, rate: float, partitions: int | None, nodes: int | None,
    capacity: float, **options: Any,
) -> None:  # fmt: skip
    from .plan import REDIS_CPU
    from .show import show_simulations
    from .simulate import Scenario
    from .simulate import simulate as run

    partitions = partitions or -int(-rate // (REDIS_CPU * capacity))
    nodes = nodes or partitions
    scenarios = _said(
        lambda: [Scenario(name, rate, partitions, nodes, capacity, **options) for name in names]
    )
    pairs = [(one, run(one)) for one in scenarios]
    if json:
        _print({"simulations": [{"scenario": asdict(one), "outcome": asdict(found)} for one, found in pairs]})
        return
    show_simulations(pairs)


def _check(quick: bool, save: Path | None, coefficients: Path | None, json: bool) -> None:
    from . import coefficients as file
    from .check import HEAD, check, passed
    from .measure import measure

    async def run(rig: Rig) -> Any:
        known = file.load(coefficients) if coefficients else await measure(rig)
        if save is not None:
            file.save(known, save)
        rig.say(HEAD)
        return await check(rig, known)

    compared = _said(lambda: _on_a_rig(run, quick))
    good = sum(one.good for one in compared)
    if json:
        _print({"checked": [one.asdict() for one in compared], "good": good, "passed": passed(compared)})
    else:
        click.echo(f"{good} of {len(compared)} are within 20 % for rate and memory; 9 of 10 must be")
    if not passed(compared):
        sys.exit(1)


def _known(quick: bool, save: Path | None, coefficients: Path | None) -> Coefficients:
    """From the file, or measured, and written."""
    from . import coefficients as file

    if coefficients is not None:
        return _said(lambda: file.load(coefficients))
    from .measure import measure

    known = _said(lambda: _on_a_rig(measure, quick))
    if save is not None:
        file.save(known, save)
    return known


def _on_a_rig(act: Callable[[Rig], Coroutine[Any, Any, T]], quick: bool) -> T:
    """Do it on a server of our own that has a core to itself."""
    import streamq

    from ..cores import SERVER_CORE, pin
    from ..rig import Rig
    from ..server import open_server

    async def run() -> T:
        async with open_server(None) as server:
            if server.pid is not None:
                pin(server.pid, SERVER_CORE)
            return await act(Rig(server, quick, 1, lambda text: click.echo(text, err=True)))

    return streamq.run(run())


def _said(act: Callable[[], T]) -> T:
    """What ``act`` returns; its errors become one sentence and exit code 1."""
    import streamq

    from ..process import Gone

    try:
        return act()
    except (ValueError, Gone, TimeoutError, streamq.StreamqError) as error:
        click.echo(f"error: {str(error) or 'a trial took too long'}", err=True)
        sys.exit(1)


def _print(content: dict[str, Any]) -> None:
    import orjson

    click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2).decode())
