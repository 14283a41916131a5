"""Two results files side by side: what differs by more than the runs' own noise.

Where there is a bare loop, the ratio to it is compared, since machines drift; else the value itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, Literal

from .figures import Figure
from .results import Saved, figures_of, numbers

SURE: Final = 2.0
"""Standard errors on either side: about 95 of 100 differences of nothing lie within."""
MAD_TO_SIGMA: Final = 1.4826
"""A normal distribution's standard deviation by its median absolute deviation (Hampel 1974)."""
MEDIAN_TO_MEAN: Final = math.sqrt(math.pi / 2)
"""The standard error of a median by that of a mean, for many samples of a normal distribution."""

Verdict = Literal["better", "worse", "within noise", "one sample"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure in both files. ``change`` and ``noise`` are shares: 0.1 is 10 %; ``noise`` is None for one sample."""

    scenario: str
    name: str
    of: Literal["value", "ratio"]
    before: float
    after: float
    noise: float | None
    more_is_better: bool

    @property
    def change(self) -> float:
        """How much larger it has become; negative for smaller."""
        return self.after / self.before - 1 if self.before else math.nan

    @property
    def loss(self) -> float:
        """How much worse it has become; negative for better."""
        return -self.change if self.more_is_better else self.change

    @property
    def verdict(self) -> Verdict:
        """What to think of it."""
        if self.noise is None:
            return "one sample"
        if math.isnan(self.change) or abs(self.change) <= self.noise:
            return "within noise"
        return "worse" if self.loss > 0 else "better"

    def asdict(self) -> dict[str, Any]:
        """The difference as JSON has it."""
        return {
            "scenario": self.scenario, "name": self.name, "of": self.of, "before": self.before,
            "after": self.after, "change": self.change, "noise": self.noise, "verdict": self.verdict,
        }  # fmt: skip


def differences(before: Saved, after: Saved) -> list[Difference]:
    """Of every figure that both files have, in the order of the first."""
    found = []
    for scenario, measured in before.results.items():
        later = {figure.name: figure for figure in figures_of(after.results.get(scenario, ""))}
        found += [
            _difference(scenario, figure, later[figure.name])
            for figure in figures_of(measured)
            if figure.name in later
        ]
    return found


def strangers(before: Saved, after: Saved) -> Iterator[str]:
    """What makes the files hard to compare, a sentence each."""
    for name in ("machine", "versions", "configuration"):
        one, other = before.about[name], after.about[name]
        told = {"load", "calibration_ms", "usable"}
        for key in sorted((one.keys() | other.keys()) - told):
            if one.get(key) != other.get(key):
                yield f"{name} differs: {key} was {one.get(key)}, is {other.get(key)}"


def regressions(found: Sequence[Difference], most: float) -> list[Difference]:
    """Those that are worse by more than ``most`` (a share), and by more than the noise."""
    return [one for one in found if one.verdict == "worse" and one.loss > most]


def _difference(scenario: str, before: Figure, after: Figure) -> Difference:
    by_ratio = before.ratio is not None and after.ratio is not None
    errors = [_error(_samples(figure, by_ratio=by_ratio)) for figure in (before, after)]
    noise = None if None in errors else SURE * math.hypot(*(error or 0.0 for error in errors))
    one, other = (before.ratio, after.ratio) if by_ratio else (before.value, after.value)
    return Difference(
        scenario, before.name, "ratio" if by_ratio else "value", one or math.nan, other or math.nan, noise,
        before.more_is_better,
    )  # fmt: skip


def _samples(figure: Figure, *, by_ratio: bool) -> list[float]:
    """What the figure is the median of: its rounds, or the rounds' ratios."""
    ours, bare = (numbers(figure.samples.get(side, ())) for side in ("streamq", "bare"))
    if by_ratio and len(ours) == len(bare):
        return [a / b for a, b in zip(ours, bare, strict=True) if b]
    return ours


def _error(samples: Sequence[float]) -> float | None:
    """The standard error of their median, as a share of it; None when one sample cannot tell."""
    if len(samples) < 2 or not (middle := median(samples)):
        return None
    deviation = MAD_TO_SIGMA * median(abs(one - middle) for one in samples)
    return MEDIAN_TO_MEAN * deviation / math.sqrt(len(samples)) / abs(middle)
