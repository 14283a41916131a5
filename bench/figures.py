"""What a scenario returns: figures, each with its samples and the bare loop's beside them, and curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""JSON has null where nothing was measured."""
Points = list[tuple[Number, Number]]
"""x and y, by rising x."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a figure must reach: its value, its ratio to the bare loop's, or its excess over it."""

    of: Literal["value", "ratio", "excess"]
    sign: Literal[">=", "<="]
    target: float
    met: bool | None = None
    """None where nothing was measured, and until a figure is judged by it."""

    def __str__(self) -> str:
        return f"{self.of} {self.sign} {self.target:g}"

    @property
    def verdict(self) -> str:
        """In words."""
        return {True: "met", False: "NOT MET", None: "not measured"}[self.met]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. ``value`` and ``bare`` are in ``unit``; ``ratio`` is ours to the bare loop's."""

    name: str
    unit: str
    value: Number
    bare: float | None = None
    ratio: float | None = None
    note: str = ""
    samples: dict[str, list[Any]] = field(default_factory=dict)
    bound: Limit | None = None
    """From the table in ``bounds``: a scenario does not set it."""

    @property
    def more_is_better(self) -> bool:
        """Whether it is a rate (jobs/s); less is better of sizes, times, counts, and of commands sent (1/s)."""
        return self.unit.endswith("/s") and self.unit != "1/s"

    def measured(self, of: Literal["value", "ratio", "excess"]) -> float | None:
        """What a limit is on; None without the bare figure that it needs."""
        if of == "excess":
            return None if self.bare is None else self.value - self.bare
        return self.value if of == "value" else self.ratio


@dataclass(frozen=True, slots=True)
class Curve:
    """One plot: how a measure changes with a knob. ``series`` holds points by name."""

    name: str
    x: str
    """What varies, with its unit."""
    y: str
    """What is measured, with its unit."""
    series: dict[str, Points]
    log_x: bool = False
    log_y: bool = False
    note: str = ""


Measured = Sequence[Figure | Curve]
"""What a scenario returns."""


def compared(name: str, unit: str, ours: Sequence[float], bare: Sequence[float], *, note: str = "") -> Figure:
    """A figure of interleaved runs: medians, and the median of each round's ratio.

    The machine's speed drifts, so a round's two runs are compared with each other only.
    """
    ratio = median(a / b for a, b in zip(ours, bare, strict=True))
    samples = {"streamq": list(ours), "bare": list(bare)}
    return Figure(name, unit, median(ours), median(bare), ratio, note, samples)


def alone(name: str, unit: str, rounds: Sequence[float], *, note: str = "") -> Figure:
    """A figure of rounds that have no bare loop beside them: their median."""
    return Figure(name, unit, median(rounds), note=note, samples={"streamq": list(rounds)})


def medians(rounds: Mapping[Any, Sequence[float]]) -> Points:
    """The points of a curve: the median of the rounds at each value of a knob."""
    return [(float(at), median(values)) for at, values in rounds.items()]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def number(value: float | None) -> str:
    """Three digits, or all before the point; - for none."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3g}"


def ratio(figure: Figure) -> str:
    """Two digits after the point; - for none."""
    return "-" if figure.ratio is None or math.isnan(figure.ratio) else f"{figure.ratio:.2f}"
