"""A curve in a terminal, in Unicode braille: each character is a grid of 2 by 4 dots (U+2800 and up)."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from .figures import Curve
from .scale import Scale, short

DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot, by row and column, as Unicode numbers them."""
HEIGHT: Final = 10
"""Rows of characters."""
MARGIN: Final = 9
"""Characters left of the plot: a tick's label and the axis."""
WIDEST: Final = 100


def plot(curve: Curve, width: int) -> list[str]:
    """Lines of at most ``width`` characters. Without colour each series is told apart by a letter at its end."""
    points = [point for line in curve.series.values() for point in line]
    title = f"{curve.name}: {curve.y} by {curve.x}"
    if not points:
        return [title[:width], "  no point was measured"]
    columns = max(10, min(width, WIDEST) - MARGIN - 2)
    across = Scale.over([x for x, _ in points], log=curve.log_x)
    up = Scale.over([y for _, y in points], log=curve.log_y, zero=not curve.log_y)
    cells = [[0] * columns for _ in range(HEIGHT)]
    ends: dict[tuple[int, int], str] = {}
    for letter, line in zip(_letters(), curve.series.values(), strict=False):
        dots = [_dot(across.share(x), up.share(y), columns) for x, y in line]
        _draw(cells, dots)
        if dots:
            x, y = dots[-1]
            ends[_free(ends, y // 4, x // 2)] = letter
    rows = [
        "".join(ends.get((row, column), chr(0x2800 + bits)) for column, bits in enumerate(line))
        for row, line in enumerate(cells)
    ]
    legend = [
        f"{'':{MARGIN}} {letter} {name}"[:width]
        for letter, name in zip(_letters(), curve.series, strict=False)
    ]
    return [title[:width], *_framed(rows, up), *_feet(across, columns), *legend]


def _letters() -> str:
    return "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _dot(x: float, y: float, columns: int) -> tuple[int, int]:
    return round(x * (columns * 2 - 1)), round((1 - y) * (HEIGHT * 4 - 1))


def _draw(cells: list[list[int]], dots: list[tuple[int, int]]) -> None:
    for (x, y), (to_x, to_y) in pairwise([*dots[:1], *dots]):
        steps = max(abs(to_x - x), abs(to_y - y), 1)
        for step in range(steps + 1):
            column, row = round(x + (to_x - x) * step / steps), round(y + (to_y - y) * step / steps)
            cells[row // 4][column // 2] |= DOTS[row % 4][column % 2]


def _free(taken: dict[tuple[int, int], str], row: int, column: int) -> tuple[int, int]:
    """The place of a letter, or the next to its left when another series ends there."""
    while (row, column) in taken and column > 0:
        column -= 1
    return row, column


def _framed(rows: list[str], up: Scale) -> list[str]:
    labels = {round((1 - up.share(tick)) * (HEIGHT - 1)): short(tick) for tick in up.ticks(4)}
    return [
        f"{labels.get(number, ''):>{MARGIN - 2}} {'┤' if number in labels else '│'}{row}"
        for number, row in enumerate(rows)
    ]


def _feet(across: Scale, columns: int) -> list[str]:
    line, marks = [" "] * columns, ["─"] * columns
    free = 0
    for tick in across.ticks():
        place, label = round(across.share(tick) * (columns - 1)), short(tick)
        start = min(place, columns - len(label))
        if start >= free:
            marks[place] = "┬"
            line[start : start + len(label)] = label
            free = start + len(label) + 1
    return [f"{'':{MARGIN - 1}}└{''.join(marks)}", f"{'':{MARGIN}}{''.join(line).rstrip()}"]
