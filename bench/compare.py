"""Two results files side by side: what differs by more than the runs' own noise.

Where there is a bare loop, the ratio to it is compared, since machines drift; else the value itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

from .figures import Figure
from .results import Results, numbers

SURE: Final = 2.0
"""Standard errors on either side: about 95 of 100 differences of nothing lie within."""
MAD_TO_SIGMA: Final = 1.4826
"""A normal distribution's standard deviation by its median absolute deviation (Hampel 1974)."""
MEDIAN_TO_MEAN: Final = math.sqrt(math.pi / 2)
"""The standard error of a median by that of a mean, for many samples of a normal distribution."""

Verdict = Literal["better", "worse", "within noise", "one sample"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure in both files. ``change``, ``loss`` and ``noise`` are shares: 0.1 is 10 %."""

    scenario: str
    name: str
    of: Literal["value", "ratio"]
    before: float
    after: float
    change: float
    """How much larger it has become; negative for smaller."""
    loss: float
    """How much worse it has become; negative for better."""
    noise: float | None
    """None for one sample."""
    verdict: Verdict


def differences(before: Results, after: Results) -> list[Difference]:
    """Of every figure that both files have, in the order of the first."""
    later = {
        (name, figure.name): figure for name, found in after.scenarios.items() for figure in found.figures
    }
    return [
        _difference(name, figure, later[name, figure.name])
        for name, found in before.scenarios.items()
        for figure in found.figures
        if (name, figure.name) in later
    ]


def strangers(before: Results, after: Results) -> Iterator[str]:
    """What makes the files hard to compare, a sentence each."""
    for name in ("machine", "versions", "configuration"):
        one, other = getattr(before, name), getattr(after, name)
        told = {"load", "calibration_ms", "usable"}
        for key in sorted((one.keys() | other.keys()) - told):
            if one.get(key) != other.get(key):
                yield f"{name} differs: {key} was {one.get(key)}, is {other.get(key)}"


def regressions(found: Sequence[Difference], most: float) -> list[Difference]:
    """Those that are worse by more than ``most`` (a share), and by more than the noise."""
    return [one for one in found if one.verdict == "worse" and one.loss > most]


def _difference(scenario: str, before: Figure, after: Figure) -> Difference:
    of: Literal["value", "ratio"] = "value" if None in (before.ratio, after.ratio) else "ratio"
    one, other = (figure.measured(of) or math.nan for figure in (before, after))
    errors = [_error(_samples(figure, of)) for figure in (before, after)]
    noise = None if None in errors else SURE * math.hypot(*(error or 0.0 for error in errors))
    change = other / one - 1
    loss = -change if before.more_is_better else change
    return Difference(
        scenario, before.name, of, one, other, change, loss, noise, _verdict(change, loss, noise)
    )


def _verdict(change: float, loss: float, noise: float | None) -> Verdict:
    if noise is None:
        return "one sample"
    if math.isnan(change) or abs(change) <= noise:
        return "within noise"
    return "worse" if loss > 0 else "better"


def _samples(figure: Figure, of: str) -> list[float]:
    """What the figure is the median of: its rounds, or the rounds' ratios."""
    ours, bare = (numbers(figure.samples.get(side, ())) for side in ("streamq", "bare"))
    if of == "ratio" and len(ours) == len(bare):
        return [a / b for a, b in zip(ours, bare, strict=True) if b]
    return ours


def _error(samples: Sequence[float]) -> float | None:
    """The standard error of their median, as a share of it; None when one sample cannot tell."""
    if len(samples) < 2 or not (middle := median(samples)):
        return None
    deviation = MAD_TO_SIGMA * median(abs(one - middle) for one in samples)
    return MEDIAN_TO_MEAN * deviation / math.sqrt(len(samples)) / abs(middle)
