"""The table of figures in a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from .compare import Difference
from .figures import Figure, Limit
from .results import Results, figures_of

HEAD: Final = ("", "unit", "streamq", "bare", "ratio", "bound", "", "aim", "", "note")
RIGHT: Final = frozenset({2, 3, 4})


def lines(results: Results) -> Iterator[str]:
    """The table, a sentence in place of a scenario without figures."""
    rows: list[Sequence[str]] = [HEAD]
    for scenario, measured in results.items():
        rows += [(f"{scenario}: {measured}",)] if isinstance(measured, str) else []
        rows += [_row(figure) for figure in figures_of(measured)]
    return aligned(rows, RIGHT)


def of_differences(found: Sequence[Difference]) -> Iterator[str]:
    """Two results files side by side, one figure a line."""
    rows: list[Sequence[str]] = [("", "", "before", "after", "change", "noise", "")]
    rows += [
        (
            f"{one.scenario}: {one.name}", one.of, number(one.before), number(one.after), f"{one.change:+.1%}",
            "-" if one.noise is None else f"±{one.noise:.1%}", one.verdict,
        )
        for one in found
    ]  # fmt: skip
    return aligned(rows, frozenset({2, 3, 4, 5}))


def aligned(rows: Sequence[Sequence[str]], right: frozenset[int]) -> Iterator[str]:
    """Rows in columns, those of ``right`` flush right. A row of a single cell is a sentence and stays as it is."""
    full = [row for row in rows if len(row) > 1]
    widths = [max(map(len, column)) for column in zip(*full, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=False))
        )
        yield row[0] if len(row) == 1 else "  ".join(cells).rstrip()


def _row(figure: Figure) -> Sequence[str]:
    return (
        figure.name, figure.unit, number(figure.value), number(figure.bare),
        ratio(figure),
        *_judged(figure, figure.bound), *_judged(figure, figure.aim), figure.note,
    )  # fmt: skip


def _judged(figure: Figure, limit: Limit | None) -> tuple[str, str]:
    return ("-", "") if limit is None else (str(limit), verdict(figure, limit))


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
