"""An axis: where its values lie, and what its ticks say. The libraries' own ticks of logarithms are too many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..figures import Curve, Points

STEPS: Final = (1, 2, 5, 10)
"""Ticks are a power of ten times one of these."""
ABOUT: Final = 5
"""Ticks an axis has, more or less."""


@dataclass(frozen=True, slots=True)
class Axis:
    """From ``low`` to ``high``; logarithmic when both are above 0 and ``log`` is asked for."""

    name: str
    low: float
    high: float
    log: bool = False

    @classmethod
    def over(cls, name: str, values: Sequence[float], *, log: bool = False, zero: bool = False) -> Axis:
        """The axis that holds all ``values``, and 0 with ``zero`` if it is linear."""
        low, high = min(values), max(values)
        if log and low > 0:
            return cls(f"{name} (logarithmic)", low, high if high > low else low * 10, log=True)
        low = min(low, 0) if zero else low
        return cls(name, low, high if high > low else low + (abs(low) or 1))

    def at(self, value: float) -> float:
        """Where a value lies: the value, or its logarithm."""
        return math.log10(value) if self.log else value

    def ticks(self) -> dict[float, str]:
        """Labels by where they lie: powers of ten, or 1, 2, 5 times one; of a short logarithmic axis more."""
        if self.log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            for steps in ((1,), (1, 3), (1, 2, 5)):
                found = [step * 10.0**power for power in powers for step in steps]
                inside = [tick for tick in found if self.low * 0.999 <= tick <= self.high * 1.001]
                if len(inside) >= 3:
                    return {self.at(tick): short(tick) for tick in inside[:: max(1, len(inside) // ABOUT)]}
        rough = (self.high - self.low) / ABOUT
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(size * power for size in STEPS if size * power >= rough * 0.999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return {self.at(index * step): short(index * step) for index in range(first, last + 1)}


def axes(curve: Curve) -> tuple[Axis, Axis] | None:
    """Both axes of a curve; None when no point was measured."""
    points = [point for line in curve.series.values() for point in finite(line)]
    if not points:
        return None
    xs, ys = zip(*points, strict=True)
    return (
        Axis.over(curve.x, xs, log=curve.log_x),
        Axis.over(curve.y, ys, log=curve.log_y, zero=not curve.log_y),
    )


def finite(points: Points) -> Points:
    """Those points that can be drawn."""
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def short(value: float) -> str:
    """A tick's label: 25, 1.5k, 2M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
