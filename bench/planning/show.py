"""Plans, simulations and what they rest on, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import click

from .coefficients import Coefficients
from .plan import KEEP_FAILED, Gauge, Plan, Wishes, records
from .simulate import Outcome, Scenario
from .units import shown_bytes, shown_seconds

BAR: Final = 20
"""Characters of a bar at its limit."""
WHAT: Final = {
    "bytes": " a server", "s": "", "connections": " a server", "cores": " of a core", "slots": " of all slots"
}  # fmt: skip


def bar(share: float) -> str:
    """A bar that is full at the limit, and marked past it."""
    full = min(BAR, round(share * BAR))
    return "█" * full + "·" * (BAR - full) + ("!" if share > 1 else "")


def show_plan(known: Coefficients, wishes: Wishes, found: Plan) -> None:
    """Print a plan: what it takes, how far from the limits, the memory by part, and what it rests on."""
    for line in (
        *_needs(wishes, found), "", *_gauges(found), "", *_memory(found), "", *_assumptions(wishes), "",
        *_coefficients(known), *(("", *(f"! {note}" for note in found.notes)) if found.notes else ()),
    ):  # fmt: skip
        click.echo(line)


def _needs(wishes: Wishes, found: Plan) -> Iterator[str]:
    each = min(found.processes, wishes.cores)
    machines = "1 machine" if found.machines == 1 else f"{found.machines:,} machines, each"
    yield f"workers       {machines} of {wishes.cores} cores, with"
    yield f"              `streamq worker APP --processes {each} --concurrency {found.concurrency}`"
    yield f"processes     {found.processes:,}, of which {wishes.spare} may be lost"
    yield f"slots         {found.processes * found.concurrency:,}, {found.concurrency:,} a process"
    yield f"worker CPU    {found.worker_cpu:.2f} cores"
    yield f"Redis CPU     {found.redis_cpu:.2f} cores; a server has one"
    yield f"Redis memory  {shown_bytes(sum(found.memory.values()))}"
    yield f"partitions    {found.partitions}"
    yield f"connections   {found.connections:,}"


def _gauges(found: Plan) -> Iterator[str]:
    yield "how far it is from its limit"
    for gauge in found.gauges:
        yield f"  {gauge.name:<13} {bar(gauge.share)} {gauge.share:>5.0%}  {_reading(gauge)}"


def _reading(gauge: Gauge) -> str:
    return f"{_amount(gauge, gauge.used)} of {_amount(gauge, gauge.limit)}{WHAT[gauge.unit]}"


def _amount(gauge: Gauge, amount: float) -> str:
    if gauge.unit == "bytes":
        return shown_bytes(amount)
    if gauge.unit == "s":
        return shown_seconds(amount)
    return f"{amount:,.0f}" if gauge.unit == "connections" else f"{amount:.0%}"


def _memory(found: Plan) -> Iterator[str]:
    yield "Redis memory by part"
    whole = sum(found.memory.values())
    for name, used in found.memory.items():
        yield f"  {name:<24} {shown_bytes(used):>10} {used / whole:>5.0%}"


def _assumptions(wishes: Wishes) -> Iterator[str]:
    least, most = wishes.payload
    sizes = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    yield "assumed"
    yield f"  {wishes.rate:,.6g} jobs/s of {sizes} bytes, {wishes.batch} to a call, from {wishes.producers} producers"
    yield f"  a handler awaits {shown_seconds(wishes.handler)} and computes {shown_seconds(wishes.computes)}"
    yield "  the gaps between jobs, and what handlers take, vary as exponential times do"
    yield f"  {wishes.delayed:,} jobs are delayed, each for {shown_seconds(wishes.delay)}"
    yield f"  {records(wishes):,} completed jobs are kept, with {wishes.result} bytes of result"
    yield f"  up to {KEEP_FAILED:,} failed jobs are kept, {wishes.failing:.2%} of all fail, each with the history "
    yield f"  of {wishes.attempts} attempts and tracebacks as long as they are kept"
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
        f"{redis.promote:.1f}, fetch {redis.fetch.job:.1f}, settle {redis.settle.job:.1f}"
    )
    yield f"                an enqueue call {redis.call:.0f}, a fetched and settled batch {redis.turn:.0f}"
    yield (
        f"  worker CPU    a job {worker.run.job:.1f}, to await {worker.awaiting:.1f} more, "
        f"a batch {worker.turn:.0f}"
    )
    yield (
        f"  delays        a round trip {delays.round_trip * 1e6:.0f}, "
        f"from a free slot to a job {delays.turn * 1e6:.0f}"
    )


def show_simulations(pairs: Sequence[tuple[Scenario, Outcome]]) -> None:
    """Print what came out of scenarios that differ in their trouble only."""
    one = pairs[0][0]
    click.echo(
        f"{one.rate:,.7g} jobs/s for {shown_seconds(one.seconds)} on {one.partitions:,} partitions "
        f"of {one.capacity:,.0f} jobs/s each, on {one.nodes:,} nodes"
    )
    for scenario, found in pairs:
        click.echo(f"{scenario.name}: {_trouble(scenario)}")
        for line in _outcome(scenario, found):
            click.echo(f"  {line}")
    click.echo(f"waits of up to {shown_seconds(5 * pairs[0][1].grain)} are the grain of the simulation")


def _trouble(one: Scenario) -> str:
    if one.name == "calm":
        return "nothing happens"
    if one.name == "node-loss":
        return f"one of {one.nodes:,} nodes is away for {shown_seconds(one.lasts)}"
    pinned = ", all of it on one partition" if one.pinned else ""
    return f"a tenant adds {one.flood:.0%} for {shown_seconds(one.lasts)}{pinned}"


def _outcome(scenario: Scenario, found: Outcome) -> Iterator[str]:
    for who, (median, p99) in found.waits.items():
        yield f"wait, {who:<12} p50 {shown_seconds(median)}, p99 {shown_seconds(p99)}"
    yield f"backlog            {found.backlog:,} jobs at most"
    if scenario.name != "calm":
        said = "not within the time" if found.recovery is None else shown_seconds(found.recovery)
        yield f"recovery           {said}"
    yield f"busiest partition  {found.busiest:.0%} in use"
