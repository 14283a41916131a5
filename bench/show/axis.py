"""An axis: from values to a share of its length, and where its ticks are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """From ``low`` to ``high``; logarithmic when both are above 0 and ``log`` is asked for."""

    low: float
    high: float
    log: bool = False

    @classmethod
    def over(cls, values: Sequence[float], *, log: bool = False, zero: bool = False) -> Scale:
        """The scale that holds all ``values``, and 0 with ``zero``. A log scale of values at 0 is linear."""
        low, high = min(values), max(values)
        if log and low > 0:
            return cls(low, high if high > low else low * 10, log=True)
        low = min(low, 0) if zero else low
        return cls(low, high if high > low else low + (abs(low) or 1))

    def share(self, value: float) -> float:
        """0 at ``low``, 1 at ``high``."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values within: powers of ten, or 1, 2, 5 times one; of a short logarithmic axis even steps."""
        if self.log:
            exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            for steps in ((1,), (1, 3), (1, 2, 5)):
                found = [step * 10.0**power for power in exponents for step in steps]
                inside = [tick for tick in found if self.low * 0.999 <= tick <= self.high * 1.001]
                if len(inside) >= 3:
                    return inside[:: max(1, len(inside) // about)]
        rough = (self.high - self.low) / about
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough * 0.999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]


def short(value: float) -> str:
    """A tick's label: 25, 1.5k, 2M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
