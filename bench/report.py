"""Figures for people (a table) and for programs (a JSON file)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import orjson

from .figures import Curve, Figure, Limit, Measured

HEAD: Final = ("", "unit", "streamq", "bare", "ratio", "bound", "", "aim", "", "note")
RIGHT: Final = frozenset({2, 3, 4})

Results = dict[str, Measured | str]
"""By scenario: its figures, or why there are none."""


def show(results: Results) -> None:
    """Print the table."""
    rows: list[Sequence[str]] = [HEAD]
    for scenario, figures in results.items():
        if isinstance(figures, str):
            rows.append((f"{scenario}: {figures}",))
        else:
            rows += [_row(figure) for figure in figures if isinstance(figure, Figure)]
    full = [row for row in rows if len(row) > 1]
    widths = [max(len(row[column]) for row in full) for column in range(len(HEAD))]
    for row in rows:
        cells = (
            cell.rjust(width) if column in RIGHT else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=False))
        )
        click.echo(row[0] if len(row) == 1 else "  ".join(cells).rstrip())


def _row(figure: Figure) -> Sequence[str]:
    return (
        figure.name, figure.unit, _number(figure.value), _number(figure.bare),
        "-" if figure.ratio is None else f"{figure.ratio:.2f}",
        *_judged(figure, figure.bound), *_judged(figure, figure.aim), figure.note,
    )  # fmt: skip


def _judged(figure: Figure, limit: Limit | None) -> tuple[str, str]:
    if limit is None:
        return "-", ""
    return str(limit), "met" if figure.verdict(limit) else "NOT MET"


def _number(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3g}"


def document(about: dict[str, Any], configuration: dict[str, Any], results: Results) -> dict[str, Any]:
    """The results file: configuration, versions, machine, commit, and every sample."""
    scenarios = {
        scenario: {"error": said} if isinstance(said, str) else _asdict(said)
        for scenario, said in results.items()
    }
    return {**about, "configuration": configuration, "scenarios": scenarios}


def _asdict(measured: Measured) -> dict[str, Any]:
    return {
        "figures": [one.asdict() for one in measured if isinstance(one, Figure)],
        "curves": [one.asdict() for one in measured if isinstance(one, Curve)],
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a results file."""
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
