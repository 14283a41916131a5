"""The commands `plan` and `simulate`."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that help is instant

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from streamq.cli.options import DURATION

from .units import count, milliseconds, rate, share, size, sizes

if TYPE_CHECKING:
    from ..rig import Rig
    from .coefficients import Coefficients
    from .simulate import Name

T = TypeVar("T")
Command = Callable[..., Any]

FILE: Final = click.Path(dir_okay=False, path_type=Path)
ONE: Final = click.IntRange(1)
MANY: Final = click.IntRange(1, 10_000)
SIMULATED: Final[tuple[Name, ...]] = ("calm", "node-loss", "flood")


def _options(*rows: tuple[str, Any, Any, str]) -> Callable[[Command], Command]:
    """Options by flag (and the argument's name, where that is another), type, default and help."""

    def decorate(command: Command) -> Command:
        for names, kind, default, said in reversed(rows):
            switch = {"is_flag": True} if kind is bool else {"type": kind, "default": default}
            command = click.option(*names.split(), help=said, show_default=bool(default), **switch)(command)
        return command

    return decorate


_known_from = _options(
    ("--quick", bool, None, "Measure in a third of the time, and less exactly."),
    ("--save", FILE, None, "Write the coefficients that were measured to a file."),
    ("--coefficients", FILE, None, "Read them from a file.  [default: measured here]"),
)


@dataclass(frozen=True)
class Source:
    """Where the coefficients come from: a file, or what is measured here, which may be written."""

    quick: bool
    save: Path | None
    coefficients: Path | None

    def known(self, *wanted: int) -> Coefficients:
        """Read or measured; memory with payloads of the ``wanted`` sizes too. Raises ``ValueError``, ``Gone``."""
        from . import coefficients as file
        from .measure import measure

        if self.coefficients is not None:
            return file.load(self.coefficients)
        known = self.on_a_rig(lambda rig: measure(rig, *wanted))
        if self.save is not None:
            file.save(known, self.save)
        return known

    def on_a_rig(self, act: Callable[[Rig], Coroutine[Any, Any, T]]) -> T:
        """Do it on a server of our own that has a core to itself."""
        import streamq

        from ..cores import SERVER_CORE, pin
        from ..rig import Rig
        from ..server import open_server

        async def run() -> T:
            async with open_server(None) as server:
                if server.pid is not None:
                    pin(server.pid, SERVER_CORE)
                return await act(Rig(server, self.quick, 1, lambda text: click.echo(text, err=True)))

        return streamq.run(run())


@contextmanager
def _in_a_sentence() -> Iterator[None]:
    """Errors in the block are one sentence each, and exit code 1."""
    import streamq

    from ..process import Gone

    try:
        yield
    except (ValueError, Gone, TimeoutError, streamq.StreamqError) as error:
        click.echo(f"error: {str(error) or 'a trial took too long'}", err=True)
        sys.exit(1)


@click.command()
@_options(
    ("--rate", rate, None, "How many jobs come: 2000/s, 120k/min, 5M/d. Needed, but for --check."),
    ("--payload", sizes, "300", "Bytes of a payload: 300, or 240..360."),
    ("--handler-ms handler", milliseconds, "0", "Time a handler awaits: 80, 1.5s."),
    ("--cpu-ms computes", milliseconds, "0", "CPU time of a handler."),
    ("--p99", DURATION, "1s", "In which 99 of 100 jobs shall start."),
    ("--retention", DURATION, None, "How long completed jobs are kept: 24h.  [default: by count alone]"),
    ("--keep", count, None, "How many completed jobs are kept: 1M.  [default: as the engine, or all of the retention]"),
    ("--result", size, "0", "Bytes of a job's result."),
    ("--failing", share, "0.1%", "Share of jobs that fail for good."),
    ("--attempts", click.IntRange(1, 1_000), None, "Attempts a job spends before it fails.  [default: the engine's]"),
    ("--delayed", count, "0", "Delayed jobs at any time: 5M."),
    ("--delay", DURATION, "24h", "How long they are delayed."),
    ("--outage", DURATION, "1m", "For how long jobs may pile up without a worker."),
    ("--batch", ONE, 1, "Jobs to an enqueue call."),
    ("--producers", ONE, 2, "Processes that enqueue."),
    ("--spare", click.IntRange(0), 1, "Worker processes that may be lost."),
    ("--concurrency", click.IntRange(1, 100_000), None, "Slots of a process.  [default: as needed]"),
    ("--cores", ONE, 2, "Cores of a machine that runs workers."),
    ("--node-memory", size, "4GiB", "Memory of a Redis server."),
)  # fmt: skip
@_known_from
@_options(
    ("--simulate", bool, None, "Simulate the loss of a node and a tenant's flood too."),
    ("--check", bool, None, "Predict and measure ten other configurations; exit 1 when off."),
    ("--json", bool, None, "For programs."),
)
def plan(
    *, rate: float | None, quick: bool, save: Path | None, coefficients: Path | None, check: bool, **options: Any
) -> None:  # fmt: skip
    """Say what a load takes: workers, slots, Redis CPU, memory, connections, and how far each is from its limit.

    Exit 1 when something is past its limit, or when --check finds the predictions off.

    \b
    Examples:
      streamq bench plan --rate 2000/s --payload 300 --handler-ms 80 --retention 24h --keep 1M
      streamq bench plan --check
    """
    if rate is None and not check:
        raise click.UsageError("say how many jobs there are, like --rate 2000/s; or --check")
    source = Source(quick, save, coefficients)
    with _in_a_sentence():
        good = _check(source, options["json"]) if check else _plan(source, rate=rate, **options)
    if not good:
        sys.exit(1)


@click.command()
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO]…", type=click.Choice(SIMULATED))
@_options(
    ("--rate", rate, "1M/s", "How many jobs come to all partitions together."),
    ("--partitions", MANY, None, "How many there are.  [default: as many as are 60 % in use]"),
    ("--nodes", MANY, None, "Servers they lie on.  [default: one each]"),
    ("--capacity", rate, None, "What a partition can do.  [default: from the coefficients]"),
    ("--seconds", DURATION, "60s", "Time that is simulated."),
    ("--at", DURATION, "10s", "When trouble begins."),
    ("--lasts", DURATION, "5s", "How long it lasts."),
    ("--flood", share, "50%", "What a tenant adds, as a share of the rate."),
    ("--pinned", bool, None, "The tenant's jobs all go to one partition, to keep their order."),
    ("--seed", int, 1, "The same seed, the same outcome."),
)
@_known_from
@_options(("--json", bool, None, "For programs."))
def simulate(
    scenarios: tuple[Name, ...], *, capacity: float | None, quick: bool, save: Path | None,
    coefficients: Path | None, **options: Any,
) -> None:  # fmt: skip
    """Simulate what does not fit on this machine: calm, node-loss, flood (default: all).

    \b
    Examples:
      streamq bench simulate --capacity 30000/s
      streamq bench simulate node-loss --rate 100k/s --partitions 12 --nodes 4 --capacity 20000/s
    """
    from .plan import capacity_of_a_partition

    with _in_a_sentence():
        capacity = capacity or capacity_of_a_partition(Source(quick, save, coefficients).known())
        _simulate(scenarios or SIMULATED, capacity=capacity, **options)


def _plan(source: Source, *, json: bool, simulate: bool, **options: Any) -> bool:
    from .plan import Wishes, capacity_of_a_partition
    from .plan import plan as make

    wishes = Wishes(**options)
    least, most = wishes.payload
    known = source.known(*([least] if least == most else []))
    found = make(known, wishes)
    if json:
        wanted = {"wishes": asdict(wishes), "coefficients": asdict(known)}
        _print({**asdict(found), "reachable": found.reachable, **wanted})
        return found.reachable
    from .show import show_plan

    show_plan(known, wishes, found)
    if simulate:
        capacity = capacity_of_a_partition(known)
        partitions = max(found.partitions, 1 + int(wishes.rate / capacity))
        _simulate(
            SIMULATED, json=False, rate=wishes.rate, partitions=partitions, nodes=None, capacity=capacity
        )
    return found.reachable


def _simulate(
    names: Sequence[Name], *, json: bool, rate: float, partitions: int | None, nodes: int | None, capacity: float,
    **options: Any,
) -> None:  # fmt: skip
    from .plan import REDIS_CPU
    from .simulate import Scenario
    from .simulate import simulate as run

    parts = partitions or -int(-rate // (REDIS_CPU * capacity))
    wanted = [Scenario(name, rate, parts, nodes or parts, capacity, **options) for name in names]
    pairs = [(one, run(one)) for one in wanted]
    if json:
        _print({"simulations": [{"scenario": asdict(one), "outcome": asdict(found)} for one, found in pairs]})
    else:
        from .show import show_simulations

        show_simulations(pairs)


def _check(source: Source, json: bool) -> bool:
    from .check import check, passed

    known = source.known()
    compared = source.on_a_rig(lambda rig: check(rig, known))
    good = sum(one.good for one in compared)
    if json:
        _print({"checked": [one.asdict() for one in compared], "good": good, "passed": passed(compared)})
    else:
        from .show import show_check

        show_check(compared)
        click.echo(f"{good} of {len(compared)} are within 20 % for rate and memory; 9 of 10 must be")
    return passed(compared)


def _print(content: dict[str, Any]) -> None:
    import orjson

    click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2).decode())
