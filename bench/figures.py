"""What a scenario returns: figures, each with its samples, the bare loop's beside them, and what it must reach."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""JSON has null where nothing was measured."""
Points = list[tuple[Number, Number]]
"""x and y, by rising x."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a figure must reach: its ``value``, or its ``ratio`` to the bare loop's."""

    of: Literal["value", "ratio"]
    sign: Literal[">=", "<="]
    target: float

    def met(self, measured: float) -> bool:
        """Whether ``measured`` is on the right side."""
        return measured >= self.target if self.sign == ">=" else measured <= self.target

    def __str__(self) -> str:
        return f"{self.of} {self.sign} {self.target:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. ``value`` and ``bare`` are in ``unit``; ``ratio`` is ours to the bare loop's."""

    name: str
    unit: str
    value: Number
    bare: float | None = None
    ratio: float | None = None
    bound: Limit | None = None
    aim: Limit | None = None
    note: str = ""
    samples: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def more_is_better(self) -> bool:
        """Whether it is a rate (jobs/s); less is better of sizes, times, counts, and of commands sent (1/s)."""
        return self.unit.endswith("/s") and self.unit != "1/s"

    def verdict(self, limit: Limit) -> bool:
        """Whether ``limit`` is met. A ratio without a bare figure never is."""
        measured = self.value if limit.of == "value" else self.ratio
        return measured is not None and limit.met(measured)

    def asdict(self) -> dict[str, Any]:
        """The figure as JSON has it, with its verdicts."""
        found = asdict(self)
        for name, limit in (("bound", self.bound), ("aim", self.aim)):
            if limit is not None:
                found[name]["met"] = self.verdict(limit)
        return found


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


def compared(
    name: str, unit: str, ours: Sequence[float], bare: Sequence[float], *, bound: Limit | None = None,
    aim: Limit | None = None, note: str = "",
) -> Figure:  # fmt: skip
    """A figure of interleaved runs: medians, and the median of each round's ratio.

    The machine's speed drifts, so a round's two runs are compared with each other only.
    """
    return Figure(
        name, unit, median(ours), median(bare), median(a / b for a, b in zip(ours, bare, strict=True)),
        bound, aim, note, {"streamq": list(ours), "bare": list(bare)},
    )  # fmt: skip


def alone(
    name: str, unit: str, rounds: Sequence[float], *, bound: Limit | None = None, aim: Limit | None = None,
    note: str = "",
) -> Figure:  # fmt: skip
    """A figure of rounds that have no bare loop beside them: their median."""
    return Figure(name, unit, median(rounds), None, None, bound, aim, note, {"streamq": list(rounds)})


def medians(rounds: Mapping[Any, Sequence[float]]) -> Points:
    """The points of a curve: the median of the rounds at each value of a knob."""
    return [(float(at), median(values)) for at, values in rounds.items()]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


# -- in words -----------------------------------------------------------------------------------------------


def verdict(figure: Figure, limit: Limit) -> str:
    """Met or not, or that nothing was measured."""
    if math.isnan(figure.value):
        return "not measured"
    return "met" if figure.verdict(limit) else "NOT MET"


def ratio(figure: Figure) -> str:
    """Two digits after the point; - for none."""
    return "-" if figure.ratio is None or math.isnan(figure.ratio) else f"{figure.ratio:.2f}"


def number(value: float | None) -> str:
    """Three digits, or all before the point; - for none."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3g}"
