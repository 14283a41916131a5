"""Curves and samples as SVG for a page. Colours are the page's; shapes tell the series apart without them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .figures import Curve, Figure
from .markup import Markup, element, joined
from .results import numbers
from .scale import Scale, short
from .table import number

Points = list[tuple[float, float]]

WIDTH: Final = 480
HEIGHT: Final = 260
LEFT, RIGHT, TOP, BOTTOM = 50, 14, 30, 42
"""Room around the plot for ticks and the axes' names."""
LETTER: Final = 7
"""Width of a letter of a tick, rather too much than too little."""
SHAPES: Final = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
    "M0 -5L5 0L0 5L-5 0z",
    "M-3.5 -3.5h7v7h-7z",
    "M0 -4.5L4.5 3.5H-4.5z",
    "M0 4.5L4.5 -3.5H-4.5z",
    "M-1.3 -4.8h2.6v3.5h3.5v2.6h-3.5v3.5h-2.6v-3.5h-3.5v-2.6h3.5z",
)
"""Circle, diamond, square, triangles, plus: each around 0, 0."""
COLOURS: Final = 7
"""As many as the style has; not a multiple of the shapes, so that 42 series look different."""
MARKS: Final = 12
"""A line of more than three times as many points has about so many large marks, the others are small."""
MOST: Final = 60
"""Dots a strip has of one side; of more samples it has evenly spaced percentiles."""
STRIP: Final = 160
SIDES: Final = ("streamq", "bare")


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the values of both axes are drawn."""

    across: Scale
    up: Scale

    def x(self, value: float) -> float:
        return round(LEFT + self.across.share(value) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - self.up.share(value) * (HEIGHT - TOP - BOTTOM), 1)


def line_plot(curve: Curve) -> Markup | None:
    """A line for each series, a mark with a tooltip for each point. None when no point was measured."""
    lines = {name: finite(points) for name, points in curve.series.items()}
    points = [point for line in lines.values() for point in line]
    if not points:
        return None
    frame = _Frame(
        Scale.over([x for x, _ in points], log=curve.log_x),
        Scale.over([y for _, y in points], log=curve.log_y, zero=not curve.log_y),
    )
    drawn = (
        _line(place, f"{name}: ", line, frame) for place, (name, line) in enumerate(lines.items()) if line
    )
    return element(
        "svg", element("title", f"{curve.name}: {curve.y} by {curve.x}"), *_up(frame, curve.y),
        *_across(frame, curve.x), *drawn, class_="plot", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img",
    )  # fmt: skip


def finite(points: Points) -> Points:
    """Those points that can be drawn."""
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def legend(curve: Curve) -> Markup:
    """The name of each series with its mark."""
    return element(
        "ul",
        *(
            element(
                "li",
                element("svg", mark(place, 0, 0), class_="mark", viewBox="-6 -6 12 12", aria_hidden="true"),
                name,
            )
            for place, name in enumerate(curve.series)
        ),
        class_="legend",
    )


def mark(place: int, x: float, y: float, about: str = "", *, size: float = 1) -> Markup:
    """The mark of the series at ``place``, with a tooltip."""
    moved = f"translate({x} {y})" + ("" if size == 1 else f" scale({size})")
    tooltip = [element("title", about)] if about else []
    return element(
        "path", *tooltip, class_=f"dot tone-{place % COLOURS}", d=SHAPES[place % len(SHAPES)], transform=moved
    )


def _line(place: int, prefix: str, line: Points, frame: _Frame) -> Markup:
    path = " ".join(f"{frame.x(x)},{frame.y(y)}" for x, y in line)
    every = len(line) // MARKS if len(line) > 3 * MARKS else 1
    marks = (
        mark(
            place, frame.x(x), frame.y(y), f"{prefix}{number(y)} at {number(x)}",
            size=0.4 if index % every else 1,
        )
        for index, (x, y) in enumerate(line)
    )  # fmt: skip
    return joined(element("polyline", class_=f"line tone-{place % COLOURS}", points=path), *marks)


def _named(name: str, scale: Scale) -> str:
    return f"{name} (logarithmic)" if scale.log else name


def _up(frame: _Frame, name: str) -> Iterator[Markup]:
    """The vertical axis: a grid line for each tick, the axis' name above it."""
    yield element("text", _named(name, frame.up), class_="axis", x=0, y=12)
    for tick in frame.up.ticks():
        y = frame.y(tick)
        yield element("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y)
        yield element("text", short(tick), class_="tick", x=LEFT - 7, y=round(y + 4, 1), text_anchor="end")


def _across(frame: _Frame, name: str) -> Iterator[Markup]:
    """The horizontal axis: labels that would touch the one before are left out."""
    foot, free = HEIGHT - BOTTOM, 0.0
    yield element("line", class_="base", x1=LEFT, x2=WIDTH - RIGHT, y1=foot, y2=foot)
    for tick in frame.across.ticks():
        x, label = frame.x(tick), short(tick)
        half = len(label) * LETTER / 2
        if x - half >= free:
            yield element("line", class_="base", x1=x, x2=x, y1=foot, y2=foot + 4)
            yield element("text", label, class_="tick", x=x, y=foot + 17, text_anchor="middle")
            free = x + half + LETTER
    named = _named(name, frame.across)
    yield element("text", named, class_="axis", x=WIDTH - RIGHT, y=HEIGHT - 6, text_anchor="end")


def dot_strip(figure: Figure) -> Markup | None:
    """The samples of both sides from 0 on one scale, a bar at each side's median. None without samples."""
    sides = {side: _drawn(figure.samples.get(side, ())) for side in SIDES}
    values = [value for side in sides.values() for value in side]
    if not values:
        return None
    scale = Scale.over(values, zero=True)
    rows = [(place, side) for place, side in enumerate(SIDES) if sides[side]]
    dots = [_row(place, 8 + 13 * row, sides[side], scale) for row, (place, side) in enumerate(rows)]
    height = 13 * len(rows) + 16
    said = "; ".join(f"{side} {number(sides[side][0])} to {number(sides[side][-1])}" for _, side in rows)
    ends = (
        element("text", short(value), class_="tick", x=x, y=height - 2, text_anchor=anchor)
        for value, x, anchor in ((scale.low, 0, "start"), (scale.high, STRIP, "end"))
    )
    return element(
        "svg", element("title", said), *dots, *ends, class_="strip", viewBox=f"0 0 {STRIP} {height}",
        width=STRIP, height=height, role="img",
    )  # fmt: skip


def _drawn(samples: Sequence[Any]) -> list[float]:
    """In rising order. A sample that is a list has the measures of one round."""
    flat = [value for sample in samples for value in (sample if isinstance(sample, list) else [sample])]
    values = sorted(numbers(flat))
    if len(values) <= MOST:
        return values
    return [values[index * (len(values) - 1) // (MOST - 1)] for index in range(MOST)]


def _row(place: int, y: float, values: list[float], scale: Scale) -> Markup:
    xs = [round(6 + scale.share(value) * (STRIP - 12), 1) for value in values]
    middle = xs[len(xs) // 2] if len(xs) % 2 else round((xs[len(xs) // 2 - 1] + xs[len(xs) // 2]) / 2, 1)
    return joined(
        element("line", class_="grid", x1=0, x2=STRIP, y1=y, y2=y),
        *(mark(place, x, y, number(value), size=0.8) for x, value in zip(xs, values, strict=True)),
        element("line", class_=f"line tone-{place}", x1=middle, x2=middle, y1=y - 6, y2=y + 6),
    )
