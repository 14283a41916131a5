"""What a scenario returns: figures, each with its samples, the bare loop's beside them, and what it must reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal


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
    value: float
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
        limits = {
            name: {"of": limit.of, "sign": limit.sign, "target": limit.target, "met": self.verdict(limit)}
            for name, limit in (("bound", self.bound), ("aim", self.aim))
            if limit is not None
        }
        return {
            "name": self.name, "unit": self.unit, "value": self.value, "bare": self.bare, "ratio": self.ratio,
            "bound": None, "aim": None, **limits, "note": self.note, "samples": self.samples,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Curve:
    """One plot: how a measure changes with a knob. ``series`` holds points (x, y) by name, each list by rising x."""

    name: str
    x: str
    """What varies, with its unit."""
    y: str
    """What is measured, with its unit."""
    series: dict[str, list[tuple[float, float]]]
    log_x: bool = False
    log_y: bool = False
    note: str = ""

    def asdict(self) -> dict[str, Any]:
        """The curve as JSON has it."""
        return {
            "name": self.name, "x": self.x, "y": self.y, "log_x": self.log_x, "log_y": self.log_y,
            "note": self.note, "series": self.series,
        }  # fmt: skip


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


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
