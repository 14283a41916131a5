"""Curves as images for a page, and what of a curve can be drawn."""

from __future__ import annotations

import math
import re
import sys
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Final

import pygal

from ..figures import Curve, Points, number

# It leaves a finder for plug-ins of its own there, which every later import would ask, and which Python 3.11 warns of.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

STYLE: Final = pygal.style.CleanStyle(
    label_font_size=12, major_label_font_size=12, legend_font_size=13, title_font_size=12
)
"""Letters that can be read where a plot has half of a page's width."""
DASHES: Final = ("", "6,3", "2,3", "9,3,2,3")
"""By which the series differ without colour too."""
COMMENTS: Final = re.compile("<!--.*?-->", re.DOTALL)
"""They have the day: the same results shall be the same page tomorrow."""


def lines_of(curve: Curve) -> dict[str, Points]:
    """The points of each series that can be drawn; series without one are left out."""
    finite = {
        name: [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
        for name, points in curve.series.items()
    }
    return {name: points for name, points in finite.items() if points}


def logarithmic(curve: Curve) -> tuple[bool, bool]:
    """Whether its axes are, x and y: not where a value has no logarithm."""
    points = [point for line in lines_of(curve).values() for point in line]
    return curve.log_x and min(x for x, _ in points) > 0, curve.log_y and min(y for _, y in points) > 0


def line_plot(curve: Curve) -> str | None:
    """The address of an image that holds the image itself. None when no point was measured."""
    lines = lines_of(curve)
    if not lines:
        return None
    log_x, log_y = logarithmic(curve)
    chart = pygal.XY(
        width=560, height=360, style=STYLE, js=(), no_prefix=True, legend_at_bottom=True, include_x_axis=not log_y,
        x_title=_called(curve.x, log=log_x), y_title=_called(curve.y, log=log_y),
        x_value_formatter=_label(log=log_x), value_formatter=_label(log=log_y),
    )  # fmt: skip
    if log_x:
        chart.x_labels = _powers([x for line in lines.values() for x, _ in line])
    if log_y:
        chart.y_labels = _powers([y for line in lines.values() for _, y in line])
    for place, (name, line) in enumerate(lines.items()):
        points = [(_at(x, log=log_x), _at(y, log=log_y)) for x, y in line]
        chart.add(name, points, stroke_style={"dasharray": DASHES[place % len(DASHES)]})
    drawn = COMMENTS.sub("", chart.render(is_unicode=True))
    return f"data:image/svg+xml;base64,{b64encode(drawn.encode()).decode()}"


def _called(name: str, *, log: bool) -> str:
    return f"{name} (logarithmic)" if log else name


def _at(value: float, *, log: bool) -> float:
    """Where a value lies: the library has no logarithmic x axis."""
    return math.log10(value) if log else value


def _powers(values: Sequence[float]) -> list[int]:
    """Those of ten around all values: the library's own ticks would be between them."""
    return [*range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)]


def _label(*, log: bool) -> Callable[[float], str]:
    """What a tick says."""
    return lambda at: number(10**at if log else at)
