"""Plans and checks for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, Final

from rich.bar import Bar
from rich.table import Table

from streamq.cli.options import DURATION

from ..show.terminal import console, table
from . import units
from .check import Compared
from .coefficients import Coefficients
from .plan import Gauge, Plan
from .units import shown_bytes, shown_seconds
from .wishes import Wishes, flag_of

BAR: Final = 20
"""Characters of a bar at its limit."""
ASSUMED: Final = (
    "the gaps between jobs, and what handlers take, vary as exponential times do",
    "tracebacks of failed jobs are as long as they are kept, and waiting is what comes in an outage",
    "memory is `used_memory`: fragmentation and a fork's copies are in what the limit leaves",
    "",
)
SHOWN: Final[dict[Any, Callable[[Any], str]]] = {
    DURATION: shown_seconds, units.milliseconds: shown_seconds, units.rate: "{:,.6g}/s".format,
    units.size: shown_bytes, units.sizes: lambda both: " to ".join(map(shown_bytes, dict.fromkeys(both))),
    units.share: "{:.2%}".format,
}  # fmt: skip
"""How the values of options are shown, by their type; numbers as they are."""


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
        _rows("Redis memory by part", parts, 1, 2), _rows("assumed", _assumed(wishes), 1),
    ):  # fmt: skip
        out.print(part)
        out.print()
    for line in (*ASSUMED, *_coefficients(known), *(f"! {note}" for note in found.notes)):
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
        "nodes": (_nodes(found),),
        "partitions": (f"{found.partitions}{_spread(found)}",),
        "connections": (f"{found.connections:,}",),
    }


def _nodes(found: Plan) -> str:
    return "1 server" if found.nodes == 1 else f"{found.nodes:,}, the primaries of a cluster"


def _spread(found: Plan) -> str:
    """How evenly, where there is more than one node."""
    if found.nodes == 1:
        return ""
    most = round(found.fullest * found.partitions / found.nodes)
    return f" of the queue, {most} on the fullest node, {found.fullest - 1:.0%} more than the average"


def _bar(gauge: Gauge) -> Bar:
    return Bar(1, 0, min(1, gauge.share), width=BAR)


def _reading(gauge: Gauge) -> str:
    shown = {"s": shown_seconds, "bytes": shown_bytes, "connections": "{:,.0f}".format}.get(
        gauge.unit, "{:.0%}".format
    )
    what = {"s": "", "cores": " of a core", "slots": " of all slots"}.get(gauge.unit, " a server")
    return f"{shown(gauge.used)} of {shown(gauge.limit)}{what}{', past it!' if gauge.share > 1 else ''}"


def _assumed(wishes: Wishes) -> dict[str, Sequence[str]]:
    """Every wish as it was given or is by default, in the words of the command's help."""
    rows: dict[str, Sequence[str]] = {}
    for one in fields(Wishes):
        value, said = (
            getattr(wishes, one.name),
            one.metadata["help"].split("  [")[0].split(":")[0].rstrip("."),
        )
        shown = SHOWN.get(one.metadata["type"], "{:,}".format)
        rows[flag_of(one)] = ("-" if value is None else shown(value), said)
    return rows


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


def show_check(compared: Sequence[Compared]) -> None:
    """Print what was predicted and measured, and by how much they differ: on one server, and on clusters."""
    three = [column for name in ("rate", "stored", "records") for column in (f">{name}", ">measured", "")]
    out, alone = console(), [one for one in compared if one.configuration.nodes == 1]
    if alone:
        shown = table(">payload", ">handler", ">slots", ">delayed", ">kept", *three, "")
        for one in alone:
            kept = f"{one.configuration.keep:.0%}"
            shown.add_row(*_ran(one), kept, *_pairs(one), "" if one.good else "OFF")
        out.print(shown)
    if clusters := [one for one in compared if one.configuration.nodes > 1]:
        shown = table(
            ">payload", ">handler", ">slots", ">delayed", ">nodes", ">partitions", ">CPU of the busiest", ">measured",
            "", "",
        )  # fmt: skip
        for one in clusters:
            c = one.configuration
            where = (f"{c.nodes}", f"{c.partitions}")
            shown.add_row(*_ran(one), *where, *_pairs(one), "" if one.good else "OFF")
        out.print(shown)


def _ran(one: Compared) -> tuple[str, ...]:
    c = one.configuration
    size = f"{c.least} B" if c.least == c.most else f"{c.least}..{c.most}"
    return size, f"{c.ms:g} ms", f"{c.processes} x {c.slots}", f"{c.delayed:.0%}"


MEASURES: Final[dict[str, Callable[[float], str]]] = {
    "rate": "{:,.0f}".format, "cpu": lambda seconds: f"{seconds * 1e6:.2f} µs",
}  # fmt: skip
"""How what was compared is shown; the others are bytes."""


def _pairs(one: Compared) -> Iterator[str]:
    for name, pair in one.pairs.items():
        shown = MEASURES.get(name, lambda size: f"{size / 1e6:.1f} MB")
        yield from map(shown, pair)
        yield f"{pair[0] / pair[1] - 1:+.0%}"
