"""Plans, simulations and checks for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Final

from rich.bar import Bar
from rich.table import Table

from ..show.terminal import console, table
from .check import Compared
from .coefficients import Coefficients
from .plan import Gauge, Plan, Wishes, default
from .simulate import Outcome, Scenario
from .units import shown_bytes, shown_seconds

BAR: Final = 20
"""Characters of a bar at its limit."""


def _rows(title: str, rows: Mapping[str, Sequence[str | Bar]], *right: int) -> Table:
    """Named rows under a title; the columns of the numbers in ``right`` are flush right."""
    width = 1 + max(map(len, rows.values()))
    made = table(*(">" if column in right else "" for column in range(width)))
    made.show_header, made.title, made.title_justify, made.title_style = False, title or None, "left", ""
    for name, cells in rows.items():
        made.add_row(name, *cells)
    return made


def show_plan(known: Coefficients, wishes: Wishes, found: Plan) -> None:
    """Print a plan: what it takes, how far from the limits, the memory by part, and what it rests on."""
    out, whole = console(), sum(found.memory.values())
    gauges = {one.name: (_bar(one), f"{one.share:.0%}", _reading(one)) for one in found.gauges}
    parts = {name: (shown_bytes(used), f"{used / whole:.0%}") for name, used in found.memory.items()}
    for part in (
        _rows("", _needs(wishes, found)), _rows("how far it is from its limit", gauges, 2),
        _rows("Redis memory by part", parts, 1, 2),
    ):  # fmt: skip
        out.print(part)
        out.print()
    for line in (
        *_assumptions(known, wishes),
        *_coefficients(known),
        *(f"! {note}" for note in found.notes),
    ):
        out.print(line, soft_wrap=True)


def _needs(wishes: Wishes, found: Plan) -> dict[str, tuple[str]]:
    machines = "1 machine" if found.machines == 1 else f"{found.machines:,} machines, each"
    each = f"--processes {min(found.processes, wishes.cores)} --concurrency {found.concurrency}"
    return {
        "workers": (f"{machines} of {wishes.cores} cores, with",),
        "": (f"`streamq worker APP {each}`",),
        "processes": (f"{found.processes:,}, of which {wishes.spare} may be lost",),
        "slots": (f"{found.processes * found.concurrency:,}, {found.concurrency:,} a process",),
        "worker CPU": (f"{found.worker_cpu:.2f} cores",),
        "Redis CPU": (f"{found.redis_cpu:.2f} cores; a server has one",),
        "Redis memory": (shown_bytes(sum(found.memory.values())),),
        "partitions": (f"{found.partitions}",),
        "connections": (f"{found.connections:,}",),
    }


def _bar(gauge: Gauge) -> Bar:
    return Bar(1, 0, min(1, gauge.share), width=BAR)


def _reading(gauge: Gauge) -> str:
    shown = {"s": shown_seconds, "bytes": shown_bytes, "connections": "{:,.0f}".format}.get(
        gauge.unit, "{:.0%}".format
    )
    what = {"s": "", "cores": " of a core", "slots": " of all slots"}.get(gauge.unit, " a server")
    return f"{shown(gauge.used)} of {shown(gauge.limit)}{what}{', past it!' if gauge.share > 1 else ''}"


def _assumptions(known: Coefficients, wishes: Wishes) -> Iterator[str]:
    low, high = wishes.payload
    size = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    call, attempts = f"{wishes.batch:,} to a call", wishes.attempts or known.limits.attempts
    yield "assumed"
    yield f"  {wishes.rate:,.6g} jobs/s of {size} bytes, {call}, from {wishes.producers:,} producers"
    yield f"  a handler awaits {shown_seconds(wishes.handler)} and computes {shown_seconds(wishes.computes)}"
    yield "  the gaps between jobs, and what handlers take, vary as exponential times do"
    yield f"  {wishes.delayed:,} jobs are delayed, each for {shown_seconds(wishes.delay)}"
    yield f"  {wishes.records:,} completed jobs are kept, with {wishes.result} bytes of result"
    yield f"  up to {default('keep_failed'):,} failed jobs are kept, {wishes.failing:.2%} of all fail, each with the"
    yield f"  history of {attempts} attempts and tracebacks as long as they are kept"
    yield f"  waiting: what comes in {shown_seconds(wishes.outage)} while no worker runs"
    yield "  memory is `used_memory`: fragmentation and a fork's copies are in what the limit leaves"
    yield ""


def _coefficients(known: Coefficients) -> Iterator[str]:
    server = known.about.get("versions", {})
    at = known.about.get("at", "a day that is not known")
    yield f"coefficients of {at}, {server.get('product', 'server')} {server.get('server', '')}, in µs"
    for name, costs, unit in (
        ("Redis CPU", known.redis, 1),
        ("worker CPU", known.worker, 1),
        ("delays", known.delays, 1e6),
    ):
        said = [
            f"{what.replace('_', ' ')} {unit * (cost['job'] if isinstance(cost, dict) else cost):,.1f}"
            for what, cost in asdict(costs).items()
        ]
        yield f"  {name:<13} {', '.join(said)}"
    yield ""


def show_simulations(pairs: Sequence[tuple[Scenario, Outcome]]) -> None:
    """Print what came out of scenarios that differ in their trouble only."""
    out, (one, found) = console(), pairs[0]
    out.print(
        f"{one.rate:,.7g} jobs/s for {shown_seconds(one.seconds)} on {one.partitions:,} partitions "
        f"of {one.capacity:,.0f} jobs/s each, on {one.nodes:,} nodes"
    )
    for scenario, outcome in pairs:
        out.print(_rows(f"{scenario.name}: {_trouble(scenario)}", dict(_outcome(scenario, outcome))))
    out.print(f"waits of up to {shown_seconds(5 * found.grain)} are the grain of the simulation")


def _trouble(one: Scenario) -> str:
    if one.name == "calm":
        return "nothing happens"
    if one.name == "node-loss":
        return f"one of {one.nodes:,} nodes is away for {shown_seconds(one.lasts)}"
    pinned = ", all of it on one partition" if one.pinned else ""
    return f"a tenant adds {one.flood:.0%} for {shown_seconds(one.lasts)}{pinned}"


def _outcome(scenario: Scenario, found: Outcome) -> Iterator[tuple[str, tuple[str]]]:
    for who, (median, p99) in found.waits.items():
        yield f"wait, {who}", (f"p50 {shown_seconds(median)}, p99 {shown_seconds(p99)}",)
    yield "backlog", (f"{found.backlog:,} jobs at most",)
    if scenario.name != "calm":
        said = "not within the time" if found.recovery is None else shown_seconds(found.recovery)
        yield "recovery", (said,)
    yield "busiest partition", (f"{found.busiest:.0%} in use",)


def show_check(compared: Sequence[Compared]) -> None:
    """Print what was predicted and measured, and by how much they differ."""
    three = [column for name in ("rate", "stored", "records") for column in (f">{name}", ">measured", "")]
    shown = table(">payload", ">handler", ">slots", ">delayed", ">kept", *three, "")
    for one in compared:
        c = one.configuration
        size = f"{c.least} B" if c.least == c.most else f"{c.least}..{c.most}"
        run = (size, f"{c.ms:g} ms", f"{c.processes} x {c.slots}", f"{c.delayed:.0%}", f"{c.keep:.0%}")
        shown.add_row(*run, *_pairs(one), "" if one.good else "OFF")
    console().print(shown)


def _pairs(one: Compared) -> Iterator[str]:
    for name, pair in one.pairs.items():
        yield from (f"{number:,.0f}" if name == "rate" else f"{number / 1e6:.1f} MB" for number in pair)
        yield f"{pair[0] / pair[1] - 1:+.0%}"
