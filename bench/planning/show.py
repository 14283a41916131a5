"""Plans, simulations and checks for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
WHAT: Final = {
    "bytes": " a server", "s": "", "connections": " a server", "cores": " of a core", "slots": " of all slots"
}  # fmt: skip


def show_plan(known: Coefficients, wishes: Wishes, found: Plan) -> None:
    """Print a plan: what it takes, how far from the limits, the memory by part, and what it rests on."""
    out = console()
    for part in (_needs(wishes, found), _gauges(found), _memory(found)):
        out.print(part)
        out.print()
    for line in (
        *_assumptions(known, wishes), "", *_coefficients(known), *([""] if found.notes else []),
        *(f"! {note}" for note in found.notes),
    ):  # fmt: skip
        out.print(line, soft_wrap=True)


def _rows(title: str, rows: Sequence[Sequence[str | Bar]], *right: int) -> Table:
    """Without a head; the columns of those numbers are flush right."""
    made = table(*(">" if column in right else "" for column in range(len(rows[0]))))
    made.show_header, made.title, made.title_justify, made.title_style = False, title or None, "left", ""
    for row in rows:
        made.add_row(*row)
    return made


def _needs(wishes: Wishes, found: Plan) -> Table:
    each = min(found.processes, wishes.cores)
    machines = "1 machine" if found.machines == 1 else f"{found.machines:,} machines, each"
    command = f"`streamq worker APP --processes {each} --concurrency {found.concurrency}`"
    rows = {
        "workers": f"{machines} of {wishes.cores} cores, with",
        "": command,
        "processes": f"{found.processes:,}, of which {wishes.spare} may be lost",
        "slots": f"{found.processes * found.concurrency:,}, {found.concurrency:,} a process",
        "worker CPU": f"{found.worker_cpu:.2f} cores",
        "Redis CPU": f"{found.redis_cpu:.2f} cores; a server has one",
        "Redis memory": shown_bytes(sum(found.memory.values())),
        "partitions": f"{found.partitions}",
        "connections": f"{found.connections:,}",
    }
    return _rows("", list(rows.items()))


def _gauges(found: Plan) -> Table:
    rows = [
        (one.name, Bar(1, 0, min(1, one.share), width=BAR), f"{one.share:.0%}", _reading(one))
        for one in found.gauges
    ]
    return _rows("how far it is from its limit", rows, 2)


def _reading(gauge: Gauge) -> str:
    past = ", past it" if gauge.share > 1 else ""
    return f"{_amount(gauge, gauge.used)} of {_amount(gauge, gauge.limit)}{WHAT[gauge.unit]}{past}"


def _amount(gauge: Gauge, number: float) -> str:
    if gauge.unit in {"cores", "slots"}:
        return f"{number:.0%}"
    return {"s": shown_seconds, "bytes": shown_bytes}.get(gauge.unit, "{:,.0f}".format)(number)


def _memory(found: Plan) -> Table:
    whole = sum(found.memory.values())
    rows = [(name, shown_bytes(used), f"{used / whole:.0%}") for name, used in found.memory.items()]
    return _rows("Redis memory by part", rows, 1, 2)


def _assumptions(known: Coefficients, wishes: Wishes) -> Iterator[str]:
    low, high = wishes.payload
    size = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    yield "assumed"
    yield (
        f"  {wishes.rate:,.6g} jobs/s of {size} bytes, {wishes.batch:,} to a call, "
        f"from {wishes.producers:,} producers"
    )
    yield f"  a handler awaits {shown_seconds(wishes.handler)} and computes {shown_seconds(wishes.computes)}"
    yield "  the gaps between jobs, and what handlers take, vary as exponential times do"
    yield f"  {wishes.delayed:,} jobs are delayed, each for {shown_seconds(wishes.delay)}"
    yield f"  {wishes.records:,} completed jobs are kept, with {wishes.result} bytes of result"
    yield f"  up to {default('keep_failed'):,} failed jobs are kept, {wishes.failing:.2%} of all fail, each with the history"
    yield f"  of {wishes.attempts or known.limits.attempts} attempts and tracebacks as long as they are kept"
    yield f"  waiting: what comes in {shown_seconds(wishes.outage)} while no worker runs"
    yield "  memory is `used_memory`: fragmentation and a fork's copies are in what the limit leaves"


def _coefficients(known: Coefficients) -> Iterator[str]:
    redis, worker, delays = known.redis, known.worker, known.delays
    server = known.about.get("versions", {})
    yield (
        f"coefficients of {known.about.get('at', 'a day that is not known')}, "
        f"{server.get('product', 'server')} {server.get('server', 'not known')}, in µs"
    )
    yield (
        f"  Redis CPU     a job: enqueue {redis.enqueue.job:.1f}, delay {redis.delay.job:.1f}, promote "
        f"{redis.promote:.1f}, fetch and settle {redis.run.job:.1f}"
    )
    yield f"                an enqueue call {redis.call:.0f}, a fetched and settled batch {redis.turn:.0f}"
    yield (
        f"  worker CPU    a job {worker.run.job:.1f}, to await {worker.awaiting:.1f} more, a batch {worker.turn:.0f}"
    )
    yield (
        f"  delays        a round trip {delays.round_trip * 1e6:.0f}, from a free slot to a job {delays.turn * 1e6:.0f}"
    )


def show_simulations(pairs: Sequence[tuple[Scenario, Outcome]]) -> None:
    """Print what came out of scenarios that differ in their trouble only."""
    out, (one, found) = console(), pairs[0]
    out.print(
        f"{one.rate:,.7g} jobs/s for {shown_seconds(one.seconds)} on {one.partitions:,} partitions "
        f"of {one.capacity:,.0f} jobs/s each, on {one.nodes:,} nodes",
        soft_wrap=True,
    )
    for scenario, outcome in pairs:
        out.print(_rows(f"{scenario.name}: {_trouble(scenario)}", list(_outcome(scenario, outcome))))
    out.print(f"waits of up to {shown_seconds(5 * found.grain)} are the grain of the simulation")


def _trouble(one: Scenario) -> str:
    if one.name == "calm":
        return "nothing happens"
    if one.name == "node-loss":
        return f"one of {one.nodes:,} nodes is away for {shown_seconds(one.lasts)}"
    pinned = ", all of it on one partition" if one.pinned else ""
    return f"a tenant adds {one.flood:.0%} for {shown_seconds(one.lasts)}{pinned}"


def _outcome(scenario: Scenario, found: Outcome) -> Iterator[tuple[str, str]]:
    for who, (median, p99) in found.waits.items():
        yield f"wait, {who}", f"p50 {shown_seconds(median)}, p99 {shown_seconds(p99)}"
    yield "backlog", f"{found.backlog:,} jobs at most"
    if scenario.name != "calm":
        yield "recovery", "not within the time" if found.recovery is None else shown_seconds(found.recovery)
    yield "busiest partition", f"{found.busiest:.0%} in use"


def show_check(compared: Sequence[Compared]) -> None:
    """Print what was predicted and measured, and by how much they differ."""
    shown = table(
        ">payload", ">handler", ">slots", ">delayed", ">kept",
        ">rate", ">measured", "", ">stored", ">measured", "", ">records", ">measured", "", "",
    )  # fmt: skip
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
