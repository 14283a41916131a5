"""Curves as SVG for a page. Colours are the page's; shapes tell the series apart without them."""

from __future__ import annotations

import sys
from typing import Any, Final

import pygal
from pygal.etree import etree

from ..figures import Curve, Points, number
from .axis import axes, finite

# It leaves a finder for plug-ins of its own there, which every later import would ask, and which Python 3.11 warns of.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

WIDTH, HEIGHT = 480, 270
LETTERS: Final = pygal.style.Style(label_font_size=12, major_label_font_size=12, title_font_size=12)
"""Sizes by which room is reserved; the page's style draws the same."""
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


def line_plot(curve: Curve) -> str | None:
    """A line for each series, a mark with a tooltip for each point. None when no point was measured."""
    if (both := axes(curve)) is None:
        return None
    across, up = both
    chart = pygal.XY(
        width=WIDTH, height=HEIGHT, margin=6, margin_right=20, style=LETTERS, css=(), js=(), show_legend=False,
        disable_xml_declaration=True, x_title=across.name, y_title=up.name,
        xrange=(across.at(across.low), across.at(across.high)), range=(up.at(up.low), up.at(up.high)),
    )  # fmt: skip
    chart.x_labels, chart.y_labels = (
        [{"value": at, "label": said} for at, said in axis.ticks().items()] for axis in both
    )
    lines = [(name, finite(points)) for name, points in curve.series.items()]
    for name, line in lines:
        chart.add(name, [(across.at(x), up.at(y)) for x, y in line])
    root = chart.render_tree()
    _quieten(root, f"{curve.name}: {curve.y} by {curve.x}")
    for place, (name, line) in enumerate(lines):
        _mark(root, place, name, line)
    return str(etree.tostring(root, encoding="unicode"))


def mark(place: int) -> tuple[str, str]:
    """The shape and the class of the colour of the series at ``place``."""
    return SHAPES[place % len(SHAPES)], f"tone-{place % COLOURS}"


def _quieten(root: Any, title: str) -> None:
    """Take out what the page must not have: script, style, comments with the day, an id by chance."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in {"defs", "title", "desc"} or not isinstance(child.tag, str):
                parent.remove(child)
    for name in ("id", "xmlns"):
        del root.attrib[name]
    root.attrib.update({"class": "plot", "role": "img"})
    said = etree.Element("title")
    said.text = title
    root.insert(0, said)


def _mark(root: Any, place: int, name: str, line: Points) -> None:
    """Give the series its colour, and each of its points its shape and a tooltip."""
    shape, tone = mark(place)
    for group in root.iter("g"):
        if f"serie-{place}" in group.get("class", "").split():
            group.set("class", f"series {tone}")
            dots = [dot for dot in group.iter("g") if dot.get("class") == "dots"]
            every = len(line) // MARKS if len(line) > 3 * MARKS else 1
            for index, (dot, (x, y)) in enumerate(zip(dots, line, strict=False)):
                (circle,) = dot
                moved = f"translate({float(circle.get('cx')):.1f} {float(circle.get('cy')):.1f})"
                dot.remove(circle)
                path = etree.SubElement(dot, "path", {"class": "dot", "d": shape})
                path.set("transform", moved + (" scale(0.4)" if index % every else ""))
                etree.SubElement(path, "title").text = f"{name}: {number(y)} at {number(x)}"
